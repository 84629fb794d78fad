"""What a client may say to memcached, in good order and in bad: Hypothesis strategies for commands.

Knows the commands, their arguments, and how they go wrong. A command names keys and unique values by what they are to be;
``said`` makes octets of it, once an oracle knows what is stored. Each leaves the stream at the start of a line, also where its length
is wrong. Must not know any server; what is left out is said in ``exclusions.py``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Final

from hypothesis import strategies as st

from suites.memcached.exemplar_numbers import unsigned
from suites.memcached.exemplar_store import Store

KEY_NAMES: Final = (b"a", b"b", b"c", b"d", b"a\xc3\xa9", b"\x01\x7f", b"tab\tin")
LONGEST_KEY: Final = 250
#: A stored number like this memcached refuses where a minus stands in the memory behind it.
LEAST_REFUSED: Final = 1 << 63


@dataclass(frozen=True)
class Key:
    """A key of this conversation's own; ``length`` fills it up with ``x``, ``binary`` says it in base64."""

    name: bytes
    length: int = 0
    binary: bool = False

    def octets(self, prefix: bytes) -> bytes:
        """The key itself."""
        return (prefix + self.name).ljust(self.length, b"x")


@dataclass(frozen=True)
class Cas:
    """The unique value that a key's item has, and so much more."""

    key: Key
    more: int


Part = bytes | Key | Cas


@dataclass(frozen=True)
class Command:
    """One command with its data block.

    Attributes:
        kind: what exclusions call it.
        parts: octets, and what stands for them.
        reads: the key whose item it reads as a number.
    """

    kind: str
    parts: tuple[Part, ...]
    reads: Key | None = None

    def said(self, prefix: bytes, store: Store) -> bytes:
        """The octets; ``prefix`` is what the conversation's keys begin with."""
        return b"".join(_octets(part, prefix, store) for part in self.parts)

    def comparable(self, prefix: bytes, store: Store) -> bool:
        """Whether memcached's answer depends on what it was told alone (``exclusions.py``, minus-behind-a-large-number)."""
        item = store.items.get(self.reads.octets(prefix)) if self.reads is not None else None
        return item is None or (unsigned(item.data) or 0) < LEAST_REFUSED

    def __repr__(self) -> str:
        words = [
            part.decode("latin-1").encode("unicode_escape").decode()
            if isinstance(part, bytes)
            else f"{{{part}}}"
            for part in self.parts
        ]
        return f"<{self.kind}: {''.join(words)}>"


def _octets(part: Part, prefix: bytes, store: Store) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, Key):
        key = part.octets(prefix)
        return base64.b64encode(key) if part.binary else key
    item = store.items.get(part.key.octets(prefix))
    return b"%d" % max((item.cas if item is not None else 1000) + part.more, 0)


# arguments

KEYS = st.sampled_from([Key(name) for name in KEY_NAMES] + [Key(b"long", LONGEST_KEY)])
#: Few, so that commands meet each other's items.
FEW_KEYS = st.sampled_from([Key(name) for name in KEY_NAMES[:3]])
TOO_LONG = Key(b"long", LONGEST_KEY + 1)
BINARY_KEYS = st.sampled_from([Key(name, binary=True) for name in (b"p", b"q r", b"\r\n")])
#: None of them makes anything happen while a conversation lasts.
TIMES = st.sampled_from(
    [
        b"0",
        b"100000",
        b"2592000",
        b"2147483647",
        b"2000000000",
        b"-1",
        b"-2147483648",
        b"2592001",
        b"1000000000",
    ]
)
FLAGS = st.sampled_from([b"0", b"0", b"1", b"65535", b"4294967295"])
NUMBERS = st.sampled_from(
    [b"0", b"1", b"9", b"10", b"99", b"100", b"18446744073709551615", b"9223372036854775808"]
)
DATA = st.one_of(
    NUMBERS,
    # white space alone: see exclusions.py
    st.binary(max_size=24).map(lambda data: data if data.strip() else b""),
    st.sampled_from(
        [
            b"",
            b"\r\n.",
            b"END\r\nget a",
            b"12 34",
            b" 7",
            b"+5",
            b"-5",
            b"1x",
            b"18446744073709551616",
            b"\0" * 9,
        ]
    ),
    st.sampled_from([1, 100, 1023, 5000, 20000]).map(lambda count: b"v" * count),
)
NOREPLY = st.sampled_from([b"", b"", b"", b" noreply"])
#: What is no number, or one that reads otherwise than it looks; as a time none comes while a conversation lasts.
BAD_NUMBERS = st.sampled_from(
    [
        b"x",
        b"1x",
        b"-",
        b"+100000",
        b"0x10",
        b"1.5",
        b"99999999999999999999",
        b"4294967296",
        b"-4294867296",
        b"\t100000",
        b"100000\t2",
    ]
)

STORAGE_NAMES = st.sampled_from([b"set", b"set", b"add", b"replace", b"append", b"prepend", b"cas"])
RETRIEVAL_NAMES = st.sampled_from([b"get", b"get", b"gets", b"gat", b"gats"])
CHANGE_NAMES = st.sampled_from([b"incr", b"decr", b"touch", b"delete"])
KEY_LISTS = st.lists(KEYS, min_size=1, max_size=4)
#: Over 23 words a line is read in parts.
REPEATS = st.sampled_from([1, 1, 1, 9])
CAS_MORE = st.sampled_from([0, 0, 1, -1])
#: The seconds that a delete once held a key for.
HOLDS = st.sampled_from([b"", b"", b" 0"])


def command(kind: str, *parts: Part) -> Command:
    """A command that is one line."""
    return Command(kind, (*parts, b"\r\n"))


@st.composite
def storage(draw: st.DrawFn) -> Command:
    """``set`` and its relatives."""
    name = draw(STORAGE_NAMES)
    key, data = draw(KEYS), draw(DATA)
    cas: tuple[Part, ...] = (b" ", Cas(key, draw(CAS_MORE))) if name == b"cas" else ()
    head = b" %b %b %d" % (draw(FLAGS), draw(TIMES), len(data))
    return Command(name.decode(), (name, b" ", key, head, *cas, draw(NOREPLY), b"\r\n" + data + b"\r\n"))


@st.composite
def retrieval(draw: st.DrawFn) -> Command:
    """``get`` and its relatives."""
    name = draw(RETRIEVAL_NAMES)
    keys, repeats = draw(KEY_LISTS), draw(REPEATS)
    time = (b" " + draw(TIMES),) if name.startswith(b"gat") else ()
    if time and repeats > 1:
        # a line of more than 2048 octets: see exclusions.py
        keys = [replace(key, length=0) for key in keys]
    keys *= repeats
    return command(name.decode(), name, *time, *[part for key in keys for part in (b" ", key)])


@st.composite
def change(draw: st.DrawFn) -> Command:
    """``incr``, ``decr``, ``touch`` and ``delete``."""
    name = draw(CHANGE_NAMES)
    key = draw(FEW_KEYS)
    if name == b"touch":
        return command("touch", b"touch ", key, b" " + draw(TIMES) + draw(NOREPLY))
    if name == b"delete":
        return command("delete", b"delete ", key, draw(HOLDS) + draw(NOREPLY))
    line = command(name.decode(), b"mn\r\n" + name + b" ", key, b" " + draw(NUMBERS) + draw(NOREPLY))
    return replace(line, reads=key)


@st.composite
def number_in_place(draw: st.DrawFn) -> Command:
    """A number stored, so that arithmetic has something to do."""
    data = draw(NUMBERS)
    return Command(
        "set", (b"set ", draw(FEW_KEYS), b" %b 0 %d noreply\r\n%b\r\n" % (draw(FLAGS), len(data), data))
    )


SERVER_WIDE = st.sampled_from(
    [
        *(command("flush_all", line) for line in (b"flush_all", b"flush_all 0", b"flush_all noreply")),
        command("flush-bad", b"flush_all x"),
        command("version", b"version"),
        *(command("verbosity", line) for line in (b"verbosity 0", b"verbosity 0 noreply", b"verbosity x")),
        command("memory-limit", b"cache_memlimit 64"),
        *(command("memory-limit-bad", line) for line in (b"cache_memlimit 7", b"cache_memlimit x")),
        command("shutdown", b"shutdown"),
        command("stats-reset", b"stats reset"),
        command("stats-unknown", b"stats nonsense"),
    ]
)

"""What a client may say to memcached, in good order and in bad: Hypothesis strategies for commands.

Knows the commands, their arguments, and how they go wrong. A command names keys and unique values by what they are to be;
``said`` makes octets of it, once an oracle knows what is stored. Each leaves the stream at the start of a line, also where its length
is wrong. Must not know any server; what is left out is said in ``exclusions.py``.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st

from suites.memcached.exemplar_store import Store

KEY_NAMES: Final = (b"a", b"b", b"c", b"d", b"a\xc3\xa9", b"\x01\x7f", b"tab\tin")
LONGEST_KEY: Final = 250


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
    """

    kind: str
    parts: tuple[Part, ...]

    def said(self, prefix: bytes, store: Store) -> bytes:
        """The octets; ``prefix`` is what the conversation's keys begin with."""
        return b"".join(_octets(part, prefix, store) for part in self.parts)

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
    # white space alone, and a minus behind a large number: see exclusions.py
    st.binary(max_size=24).map(lambda data: data.replace(b"-", b"_") if data.strip() else b""),
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
        b"-4294967295",
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
    keys = draw(KEY_LISTS) * draw(REPEATS)
    time = (b" " + draw(TIMES),) if name.startswith(b"gat") else ()
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
    return command(name.decode(), b"mn\r\n" + name + b" ", key, b" " + draw(NUMBERS) + draw(NOREPLY))


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

# meta commands

#: Flags that any of the commands takes, with tokens that it understands or not.
COMMON_FLAGS: Final = [b"k", b"q", b"Oopaque", b"O" + b"7" * 31, b"Ppath", b"Lpath/", b"O"]
GET_FLAGS: Final = [
    b"v",
    b"v",
    b"c",
    b"f",
    b"h",
    b"s",
    b"t",
    b"u",
    b"l",
    b"N0",
    b"N100000",
    b"R30",
    b"R200000",
    b"T0",
]
SET_FLAGS: Final = [
    b"c",
    b"F7",
    b"F4294967295",
    b"I",
    b"T0",
    b"T100000",
    b"T-1",
    b"MS",
    b"ME",
    b"MA",
    b"MP",
    b"MR",
]
DELETE_FLAGS: Final = [b"I", b"I", b"T0", b"T100000", b"T-1"]
ARITHMETIC_FLAGS: Final = [
    b"v",
    b"v",
    b"t",
    b"c",
    b"N0",
    b"N100000",
    b"J13",
    b"J18446744073709551615",
    b"D5",
    b"D18446744073709551615",
    b"MI",
    b"M+",
    b"MD",
    b"M-",
]
BAD_FLAGS: Final = [
    b"!",
    b"Z",
    b"\x7f",
    b"\xff",
    b"Tx",
    b"T",
    b"Nx",
    b"Rx",
    b"Cx",
    b"C-1",
    b"Fx",
    b"M",
    b"MSS",
    b"MX",
    b"Jx",
    b"Dx",
    b"O" + b"7" * 32,
]


def _flags(own: list[bytes]) -> st.SearchStrategy[list[bytes]]:
    """Flags in any order, most of the time each of them once."""
    good = st.lists(st.sampled_from(own * 3 + COMMON_FLAGS), max_size=5).map(_each_once)
    return st.one_of(good, good, good, st.lists(st.sampled_from(own + COMMON_FLAGS + BAD_FLAGS), max_size=5))


def _each_once(flags: list[bytes]) -> list[bytes]:
    return list({flag[:1]: flag for flag in flags}.values())


# made once: a strategy is slow to make
GET_WORDS: Final = _flags(GET_FLAGS)
SET_WORDS: Final = _flags(SET_FLAGS)
DELETE_WORDS: Final = _flags(DELETE_FLAGS)
ARITHMETIC_WORDS: Final = _flags(ARITHMETIC_FLAGS)
CAS_OFFSETS: Final = st.sampled_from([None, None, None, 0, 0, -1, 1])
ONE_IN_FIVE: Final = st.sampled_from([False, False, False, False, True])


def _line(flags: Sequence[bytes], cas: Sequence[Part]) -> tuple[Part, ...]:
    return (b"".join(b" " + flag for flag in flags), *cas)


@st.composite
def _cas_flag(draw: st.DrawFn, key: Key) -> tuple[Part, ...]:
    more = draw(CAS_OFFSETS)
    return () if more is None else (b" C", Cas(key, more))


@st.composite
def meta_get(draw: st.DrawFn) -> Command:
    """``mg``."""
    flags = _line(draw(GET_WORDS), ())
    if draw(ONE_IN_FIVE):
        plain = tuple(flag for flag in draw(GET_WORDS) if flag[:1] not in {b"N", b"b"})
        return command("mg-base64", b"mg ", draw(BINARY_KEYS), b" b", *_line(plain, ()))
    return command("mg", b"mg ", draw(KEYS), *flags)


@st.composite
def meta_set(draw: st.DrawFn) -> Command:
    """``ms``."""
    data = draw(DATA)
    flags = draw(SET_WORDS)
    if draw(ONE_IN_FIVE):
        plain = [flag for flag in flags if flag not in {b"MA", b"MP"}]
        return Command(
            "ms-base64",
            (b"ms ", draw(BINARY_KEYS), b" %d b" % len(data), *_line(plain, ()), b"\r\n" + data + b"\r\n"),
        )
    key = draw(KEYS)
    line = _line(flags, draw(_cas_flag(key)))
    return Command("ms", (b"ms ", key, b" %d" % len(data), *line, b"\r\n" + data + b"\r\n"))


@st.composite
def meta_delete(draw: st.DrawFn) -> Command:
    """``md``."""
    if draw(ONE_IN_FIVE):
        return command("md-base64", b"md ", draw(BINARY_KEYS), b" b", *_line(draw(DELETE_WORDS), ()))
    key = draw(KEYS)
    return command("md", b"md ", key, *_line(draw(DELETE_WORDS), draw(_cas_flag(key))))


@st.composite
def meta_arithmetic(draw: st.DrawFn) -> Command:
    """``ma``."""
    key = draw(FEW_KEYS)
    return command("ma", b"mn\r\nma ", key, *_line(draw(ARITHMETIC_WORDS), draw(_cas_flag(key))))


# mistakes

SENDING_NAMES = st.sampled_from([b"set", b"add", b"ms"])
SHORT_DATA = st.binary(max_size=9)
LENGTHS = st.integers(0, 12)


@st.composite
def wrong_length(draw: st.DrawFn) -> Command:
    """A storage command whose data are longer or shorter than it says."""
    name, data, said = (
        draw(SENDING_NAMES),
        draw(SHORT_DATA),
        draw(LENGTHS),
    )
    # no line end inside: what stands behind the block is a line of its own
    data = data.replace(b"\n", b"?").replace(b"\r", b"?").replace(b" ", b"?").replace(b"\0", b"?")
    head = b" %d\r\n" % said if name == b"ms" else b" 0 0 %d%b\r\n" % (said, draw(NOREPLY))
    block = data if len(data) > said else data.ljust(said + 2, b"?")
    return Command("wrong-length", (name, b" ", draw(FEW_KEYS), head + block + b"\r\n"))


@st.composite
def bad_number(draw: st.DrawFn) -> Command:
    """Something else in the place of a number; the data block follows where the line alone is not the command."""
    bad, key = draw(BAD_NUMBERS), draw(FEW_KEYS)
    form = draw(
        st.sampled_from(
            [b"set %b 0 2", b"set 0 %b 2", b"incr %b", b"decr %b", b"touch %b", b"gat %b", b"cas 0 0 2 %b"]
        )
    )
    name, _, rest = form.partition(b" ")
    # flags of more than 32 bits: see exclusions.py
    rest = rest % (b"x" if b"4294967296" in bad and form == b"set %b 0 2" else bad)
    if name == b"gat":
        return command("bad-number", b"gat " + rest + b" ", key)
    data = b"\r\nhi" if name in {b"set", b"cas"} else b""
    return command("bad-number", b"mn\r\n" + name + b" ", key, b" " + rest + data)


@st.composite
def bad_length(draw: st.DrawFn) -> Command:
    """A length that is none; the data block is then taken for a line."""
    bad = draw(st.sampled_from([b"-1", b"x", b"2x", b"2147483647", b"99999999999999999999", b"-"]))
    form = draw(st.sampled_from([b"set %b 0 0 %b", b"ms %b %b"]))
    name, _, rest = form.partition(b" ")
    return command("bad-length", name + b" ", draw(FEW_KEYS), rest.removeprefix(b"%b") % bad + b"\r\nhi")


LONG_KEYS = st.sampled_from(
    [
        command("long-key", b"mn\r\nget ", TOO_LONG),
        command("long-key", b"mn\r\ngets a ", TOO_LONG),
        command("long-key", b"mn\r\ngat 0 ", TOO_LONG),
        command("long-key", b"set ", TOO_LONG, b" 0 0 2\r\nhi"),
        command("long-key", b"set ", TOO_LONG, b" 0 0 2 noreply\r\nhi"),
        command("long-key", b"delete ", TOO_LONG),
        command("long-key", b"incr ", TOO_LONG, b" 1"),
        command("long-key", b"touch ", TOO_LONG, b" 0"),
        command("long-key", b"mg ", TOO_LONG, b" v"),
        command("long-key", b"ms ", TOO_LONG, b" 2\r\nhi"),
        command("long-key", b"md ", TOO_LONG, b" q"),
        command("long-key", b"ma ", TOO_LONG),
        command("long-key", b"me ", TOO_LONG),
    ]
)
#: Lines that are no command, or not enough of one.
NONSENSE = st.sampled_from(
    [
        command("nonsense", line)
        for line in (
            *(
                b"",
                b" ",
                b"x",
                b"frob",
                b"frob a b c",
                b"SET a 0 0 1",
                b"Get a",
                b"get",
                b"gets",
                b"gat",
                b"gat 0",
                b"gats x",
            ),
            *(
                b"set",
                b"set a",
                b"set a 0 0",
                b"cas a 0 0 1",
                b"set a 0 0 1 2 3 4",
                b"add",
                b"delete",
                b"delete a b c d",
            ),
            *(
                b"delete a x",
                b"delete a x noreply",
                b"delete a 1",
                b"incr a",
                b"decr",
                b"incr a 1 2 3",
                b"touch a",
                b"touch",
            ),
            *(
                b"mg",
                b"ms",
                b"ms a",
                b"md",
                b"ma",
                b"me",
                b"mx a",
                b"mn a b",
                b"mget a",
                b"mgg",
                b"ms a S2",
                b"md a q q",
            ),
            *(
                b"verbosity",
                b"verbosity noreply",
                b"flush_all 0 0 0",
                b"set a 0 0 noreply",
                b"incr a noreply",
            ),
            *(
                b"\0get a",
                b"get a\0b",
                b"\tget a",
                b"get\ta",
                b"version\r",
                b"version x",
                b"\xff\xfe",
                b"bget",
            ),
            *(
                b"mg a " + b"v " * 20,
                b"ms a 2 " + b"c " * 20 + b"\r\nhi",
                b"md a " + b"q " * 20,
                b"ma a " + b"v " * 20,
            ),
        )
    ]
)
#: A line feed alone ends a line too.
BARE_LF = st.sampled_from([Command("bare-lf", (b"version\n",)), Command("bare-lf", (b"get a\n",))])

COMMANDS: Final[dict[str, st.SearchStrategy[Command]]] = {
    "storage": st.one_of(storage(), storage(), retrieval()),
    "arithmetic": st.one_of(number_in_place(), change(), change(), change(), retrieval()),
    "meta": st.one_of(
        meta_get(), meta_get(), meta_set(), meta_delete(), meta_arithmetic(), number_in_place()
    ),
    "mixed": st.one_of(storage(), retrieval(), change(), meta_get(), meta_set(), meta_delete(), SERVER_WIDE),
    "mistakes": st.one_of(
        wrong_length(),
        bad_number(),
        bad_length(),
        LONG_KEYS,
        NONSENSE,
        BARE_LF,
        storage(),
        meta_get(),
        SERVER_WIDE,
    ),
}


def batches(family: str, wanted: Callable[[Command], bool], size: int) -> st.SearchStrategy[list[Command]]:
    """Commands of a family that go out together, those left out that are not wanted."""
    return st.lists(COMMANDS[family].filter(wanted), min_size=1, max_size=size)

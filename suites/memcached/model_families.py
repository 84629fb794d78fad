"""How commands go wrong, and all of them by families: Hypothesis strategies.

Knows mistakes: wrong lengths, numbers, keys and words. Must not know any server; what is left out is said in
``exclusions.py``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from suites.memcached.model import (
    BAD_NUMBERS,
    FEW_KEYS,
    NOREPLY,
    SERVER_WIDE,
    TOO_LONG,
    Command,
    change,
    command,
    number_in_place,
    retrieval,
    storage,
)
from suites.memcached.model_meta import meta_arithmetic, meta_delete, meta_get, meta_set

SENDING_NAMES = st.sampled_from([b"set", b"add", b"ms"])
#: Where white space and NUL stood a question mark stands.
NO_BLANKS = bytes.maketrans(b"\t\n\v\f\r \0", b"?" * 7)
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
    # no line end inside: what stands behind the block is a line of its own; nor white space alone: see exclusions.py
    data = data.translate(NO_BLANKS)
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
    line = command("bad-number", b"mn\r\n" + name + b" ", key, b" " + rest + data)
    return replace(line, reads=key) if name in {b"incr", b"decr"} else line


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

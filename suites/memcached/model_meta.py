"""What a client may say in meta commands, with flags of all kinds: Hypothesis strategies.

Knows the flags and their tokens. Must not know any server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hypothesis import strategies as st

from suites.memcached.model import BINARY_KEYS, DATA, FEW_KEYS, KEYS, Cas, Command, Key, Part, command

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
    line = command("ma", b"mn\r\nma ", key, *_line(draw(ARITHMETIC_WORDS), draw(_cas_flag(key))))
    return replace(line, reads=key)

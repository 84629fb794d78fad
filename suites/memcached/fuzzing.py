"""Octets that no client should send: arbitrary ones, and conversations with something wrong in them.

Knows what conversations look like, and how to spoil them. Must not know any server, nor what it should answer.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Final

#: Whole conversations; those that are spoilt come of these.
CONVERSATIONS: Final = (
    b"set a 1 0 5\r\nhello\r\nget a b c\r\n",
    b"add a 0 100 1\r\n1\r\nincr a 5\r\ndecr a 99\r\ntouch a 10\r\ngat 10 a\r\n",
    b"gets a\r\ncas a 0 0 2 17\r\nhi\r\nappend a 0 0 3\r\nabc\r\nprepend a 0 0 3 noreply\r\nabc\r\ndelete a noreply\r\n",
    b"ms k 5 c F7 T0 Oq\r\nhello\r\nmg k v c f t s h l k q Oz\r\nma k N0 J5 D2 v\r\nmd k I T30 q\r\nmn\r\n",
    b"ms a2V5 3 b k MA\r\nabc\r\nmg a2V5 b k v N30 R10\r\nme a2V5 b\r\n",
    b"stats\r\nstats settings\r\nstats items\r\nversion\r\nverbosity 0\r\n",
    b"set big 0 0 3000\r\n" + b"v" * 3000 + b"\r\nget big\r\n",
    b"get " + b" ".join(b"key%d" % number for number in range(60)) + b"\r\n",
    b"flush_all 10\r\nflush_all 10 noreply\r\n",
)
#: How often each is taken: the last empties the memory that others fill.
WEIGHTS: Final = (*[50] * (len(CONVERSATIONS) - 1), 1)
#: What is put in the middle of something: separators, numbers at limits, words that mean something elsewhere.
SPLINTERS: Final = (
    *(
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\t",
        b"noreply",
        b"-1",
        b"0",
        b"4294967296",
        b"2147483647",
    ),
    *(
        b"18446744073709551615",
        b"99999999999999999999999",
        b"k" * 251,
        b"x" * 3000,
        b"mg",
        b"ms",
        b"set a 0 0 ",
    ),
    *(
        b"set a 0 0 8388608\r\n",
        b"ms a 8000000\r\n",
        b"get ",
        b"\x80\x00\x00\x00",
        b"quit\r\n",
        b"gets a\r\n",
    ),
)
LONGEST: Final = 20_000
#: Octets of values that fill the memory; the largest is beyond some slab classes.
FILLING: Final = (60, 3_000, 90_000, 700_000)


def arbitrary(chance: random.Random) -> bytes:
    """Octets of any kind."""
    return chance.randbytes(chance.choice((1, 7, 30, 300, 3000)))


def spoilt(chance: random.Random) -> bytes:
    """A few conversations with a few things wrong in them."""
    octets = b"".join(chance.choices(CONVERSATIONS, WEIGHTS, k=chance.randint(1, 3)))
    for _ in range(chance.randint(1, 6)):
        octets = chance.choice(_SPOILING)(octets, chance)
    return octets[:LONGEST]


def filling(chance: random.Random) -> bytes:
    """Items under keys of their own: they fill the memory, so that others are thrown out while all this goes on."""
    return b"".join(
        b"set filling-%d 0 0 %d\r\n%b\r\n" % (chance.getrandbits(32), size, b"f" * size)
        for size in chance.choices(FILLING, k=chance.choice((1, 10)))
    )


def conversation(chance: random.Random) -> bytes:
    """What one client sends."""
    kind = chance.random()
    if kind < 0.05:
        return filling(chance)
    return arbitrary(chance) if kind < 0.25 else spoilt(chance)


def datagram(chance: random.Random) -> bytes:
    """A datagram, with a frame header or with something like one."""
    header = struct.pack("!HHHH", *(chance.choice((0, 1, 2, 65535)) for _ in range(4)))
    good = struct.pack("!HHHH", chance.randrange(65536), 0, 1, 0)
    return (chance.choice((header, good, good, good[: chance.randrange(9)])) + conversation(chance))[:1400]


def pieces(octets: bytes, chance: random.Random) -> list[bytes]:
    """The octets in the parts in which they are sent: one, or a few."""
    places = sorted(chance.randrange(len(octets) + 1) for _ in range(chance.choice((0, 0, 1, 4))))
    return [octets[start:end] for start, end in zip([0, *places], [*places, len(octets)], strict=True)]


def _span(octets: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(octets) + 1)
    return start, min(len(octets), start + chance.choice((1, 2, 5, 40)))


def _flip(octets: bytes, chance: random.Random) -> bytes:
    if not octets:
        return octets
    place = chance.randrange(len(octets))
    return octets[:place] + bytes([octets[place] ^ 1 << chance.randrange(8)]) + octets[place + 1 :]


def _drop(octets: bytes, chance: random.Random) -> bytes:
    start, end = _span(octets, chance)
    return octets[:start] + octets[end:]


def _repeat(octets: bytes, chance: random.Random) -> bytes:
    start, end = _span(octets, chance)
    return octets[:end] + octets[start:end] * chance.choice((1, 2, 50)) + octets[end:]


def _insert(octets: bytes, chance: random.Random) -> bytes:
    start, _ = _span(octets, chance)
    return octets[:start] + chance.choice(SPLINTERS) + octets[start:]


def _cut(octets: bytes, chance: random.Random) -> bytes:
    return octets[: chance.randrange(len(octets) + 1)]


_SPOILING: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip,
    _drop,
    _repeat,
    _insert,
    _insert,
    _cut,
)

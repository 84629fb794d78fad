"""Numbers as memcached reads them off the wire: with the C library's `strtol` and `strtoul`.

White space and a sign may stand before the digits and anything may stand behind white space after them; a number beyond 64
bits is none; one that is to have 32 bits loses the upper ones. Knows words. Must not know commands.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"[\t-\r ]*([+-]?)([0-9]+)(?:[\t-\r \0]|\Z)")
_LONGEST_PLAIN = 9
_BITS_32 = (1 << 32) - 1
_BITS_64 = (1 << 64) - 1


def signed32(word: bytes) -> int | None:
    """The number that `word` is, its lower 32 bits with their sign; None when it is none."""
    if word.isdigit() and len(word) <= _LONGEST_PLAIN:
        return int(word)
    found = _NUMBER.match(word)
    if found is None:
        return None
    number = _magnitude(found[2])
    if found[1] == b"-":
        number = -number
    if not -(1 << 63) <= number < 1 << 63:
        return None
    number &= _BITS_32
    return number - (1 << 32) if number >> 31 else number


def unsigned64(word: bytes) -> int | None:
    """The number that `word` is, up to 64 bits; None when it is none.

    A minus wraps around, as `strtoull` has it, and is refused where the result then looks negative as 64 bits.
    """
    if word.isdigit() and len(word) <= _LONGEST_PLAIN:
        return int(word)
    found = _NUMBER.match(word)
    if found is None:
        return None
    number = _magnitude(found[2])
    if number > _BITS_64:
        return None
    if found[1] == b"-":
        number = -number & _BITS_64
    if number >> 63 and b"-" in word.partition(b"\0")[0]:
        return None
    return number


def unsigned32(word: bytes) -> int | None:
    """The lower 32 bits of what `unsigned64` reads."""
    number = unsigned64(word)
    return None if number is None else number & _BITS_32


def client_flags(word: bytes) -> int | None:
    """Flags of 32 bits. memcached loses what is beyond them; here such flags are refused, as nobody would get them back."""
    number = unsigned64(word)
    return None if number is None or number > _BITS_32 else number


def _magnitude(digits: bytes) -> int:
    # Python refuses to read thousands of digits; so many, without zeros before them, are beyond 64 bits anyway.
    return int(digits.lstrip(b"0")[:21] or b"0")

"""Numbers as memcached reads them: what ``strtol`` and its relatives of C take, and what they make of it.

Knows the forms of numbers alone: white space before, a sign, digits, and white space or the end behind. Must not know which
command asks.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)(?=[ \t\n\v\f\r\0]|\Z)")


def signed(text: bytes) -> int | None:
    """A number of 64 bits that is kept in 32: the higher bits are lost; ``None`` where it is none."""
    match = _NUMBER.match(text)
    if match is None:
        return None
    number = int(match[1] + match[2])
    if not -(1 << 63) <= number < 1 << 63:
        return None
    return ((number + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def unsigned(text: bytes) -> int | None:
    """A number of 64 bits without sign, or ``None``; a minus is taken only where the number that it stands for is small."""
    match = _NUMBER.match(text)
    if match is None or int(match[2]) >= 1 << 64:
        return None
    number = int(match[1] + match[2]) & 0xFFFFFFFFFFFFFFFF
    return None if number >> 63 and match[1] == b"-" else number


def flags(text: bytes) -> int | None:
    """A number of 32 bits without sign, or ``None``."""
    number = unsigned(text)
    return None if number is None or number >> 32 else number

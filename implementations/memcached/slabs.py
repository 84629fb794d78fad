"""The sizes by which memcached keeps items: of an item with its header, and of the classes that it would belong to.

Nothing is kept by classes here; clients are told of them (`me`, `stats slabs`), and sizes decide what is too large. Knows
arithmetic alone.
"""

from __future__ import annotations

from bisect import bisect_left

#: An item greater than this is kept in several chunks, and is no number.
CHUNK_MAX = 512 << 10
PAGE = 1 << 20
_SMALLEST, _GROWTH, _ALIGNMENT = 96, 1.25, 8


def item_size(key: bytes, flags: int, length: int) -> int:
    """Octets of an item: header and CAS unique, the key with a NUL, flags where there are any, the data with CRLF."""
    return 48 + 8 + len(key) + 1 + (4 if flags else 0) + length + 2


def _sizes() -> list[int]:
    sizes: list[int] = []
    size = _SMALLEST
    while size < CHUNK_MAX / _GROWTH:
        size += -size % _ALIGNMENT
        sizes.append(size)
        size = int(size * _GROWTH)
    return [*sizes, CHUNK_MAX]


#: Octets of a chunk in each class, the first of which is class 1.
CHUNK_SIZES = _sizes()


def class_of(size: int) -> int:
    """The number of the class for an item of this size."""
    return min(bisect_left(CHUNK_SIZES, size), len(CHUNK_SIZES) - 1) + 1

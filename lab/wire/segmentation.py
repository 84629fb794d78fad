"""Ways to cut one stream into segments.

A receiver that is right is right for every one of them. Knows octets and line
ends; must not know any protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

#: Takes octets about to be sent and yields the pieces to hand to the kernel one by one.
Segmentation = Callable[[bytes], Iterator[bytes]]

#: Past this many octets of one write, single-octet segments cost time and show nothing new.
OCTETS_LIMIT = 2048


def whole(data: bytes) -> Iterator[bytes]:
    """One segment."""
    yield data


def octets(data: bytes) -> Iterator[bytes]:
    """One octet a segment, for the first ``OCTETS_LIMIT`` and the last 64 octets; whole between them."""
    if len(data) <= OCTETS_LIMIT:
        for index in range(len(data)):
            yield data[index : index + 1]
        return
    tail = len(data) - 64
    yield from octets(data[:OCTETS_LIMIT])
    if tail > OCTETS_LIMIT:
        yield data[OCTETS_LIMIT:tail]
    yield from octets(data[max(tail, OCTETS_LIMIT) :])


def lines(data: bytes) -> Iterator[bytes]:
    """A segment ends after each LF."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end


def inside_line_ends(data: bytes) -> Iterator[bytes]:
    """A segment ends between each CR and what follows it."""
    start = 0
    while start < len(data):
        end = data.find(b"\r", start) + 1 or len(data)
        yield data[start:end]
        start = end


SEGMENTATIONS: dict[str, Segmentation] = {
    "whole": whole,
    "octets": octets,
    "lines": lines,
    "line-ends": inside_line_ends,
}

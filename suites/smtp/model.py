"""Hypothesis strategies for SMTP: bodies, segmentations, replies.

Knows what is legal in a message and where implementations slip. Must not know any implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

from lab.wire.segmentation import Segmentation

#: RFC 5321, section 4.5.3.1.6: a text line has at most 1000 octets, CRLF included.
LONGEST_LINE = 998

_CHARACTERS = bytes(octet for octet in range(1, 128) if octet not in b"\r\n")


def _line(content: bytes) -> bytes:
    return content + b"\r\n"


#: Lines that slip through careless code: dots, and what looks like a command or the end.
TRICKY_LINES = (
    b"",
    b".",
    b"..",
    b". ",
    b".\t",
    b"...",
    b".a",
    b"QUIT",
    b"RSET",
    b"From here",
    b" ",
    b"\t",
    b"a.",
    b"-- ",
)

lines = st.one_of(
    st.sampled_from(TRICKY_LINES),
    st.lists(st.sampled_from(_CHARACTERS), max_size=60).map(bytes),
    st.integers(min_value=990, max_value=LONGEST_LINE).map(lambda size: b"x" * size),
    st.integers(min_value=1, max_value=LONGEST_LINE).map(lambda size: b"." * size),
).map(_line)

#: A body that RFC 5321 lets travel: 7-bit, CRLF line ends, lines of at most 998 octets.
bodies = st.lists(lines, max_size=30).map(b"".join)

#: Octets of any kind, for code that must never fail on them.
octets = st.one_of(
    st.binary(max_size=400),
    st.lists(
        st.sampled_from([b"250", b"-", b" ", b"\r\n", b"\n", b"\r", b".", b"\0", b"\xff", b"ok"]), max_size=40
    ).map(b"".join),
)


def cut_by(sizes: Sequence[int]) -> Segmentation:
    """A way to cut: pieces of these sizes, which repeat through each write; whole without any."""

    def cut(data: bytes) -> Iterator[bytes]:
        position = turn = 0
        while position < len(data):
            size = sizes[turn % len(sizes)] if sizes else len(data)
            yield data[position : position + size]
            position += size
            turn += 1

    return cut


#: Sizes by which a stream is cut anywhere.
cut_sizes = st.lists(st.integers(min_value=1, max_value=700), min_size=1, max_size=6)


def segmentations() -> st.SearchStrategy[Segmentation]:
    """Any way to cut what is sent."""
    return cut_sizes.map(cut_by)

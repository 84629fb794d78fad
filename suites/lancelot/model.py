"""What clients may send, and how the stream may be cut: the strategies of the properties.

Knows Hypothesis and the specification. Judges nothing; the oracle is `specification.conversation`.
"""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import strategies as st

from lab.wire.segmentation import Segmentation
from suites.lancelot.specification import ANSWERS, LONGEST_QUESTION

#: Questions that keep to the bounds: known ones, nearly known ones, and any octets.
known = st.sampled_from([*ANSWERS])
nearly = st.builds(lambda question, extra: extra + question, known, st.binary(min_size=1, max_size=3))
arbitrary = st.binary(max_size=40).map(lambda octets: octets.replace(b"?", b"!") + b"?")
long = st.integers(LONGEST_QUESTION - 3, LONGEST_QUESTION).map(lambda size: b"x" * (size - 1) + b"?")
questions = st.one_of(known, known, nearly.filter(lambda octets: b"?" not in octets[:-1]), arbitrary, long)
#: What stands where a question would, and never becomes one.
unfinished = st.one_of(st.just(b""), known.map(lambda question: question[:-1]), st.binary(max_size=20))
#: Any octets, with as many question marks as to be questions now and then, and some longer than a question may be.
octets = st.one_of(
    st.binary(max_size=200),
    st.lists(
        st.sampled_from([b"?", b".", b"\0", b"\r\n", b"What is your name?", b"x" * 600]), max_size=12
    ).map(b"".join),
)


def segmentations() -> st.SearchStrategy[Segmentation]:
    """Ways of cutting a stream into segments of the sizes drawn, again and again."""
    return st.lists(st.integers(1, 80), min_size=1, max_size=6).map(_cut)


def _cut(sizes: list[int]) -> Segmentation:
    def cut(data: bytes) -> Iterator[bytes]:
        start, number = 0, 0
        while start < len(data):
            yield data[start : start + sizes[number % len(sizes)]]
            start += sizes[number % len(sizes)]
            number += 1

    return cut

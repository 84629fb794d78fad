"""Properties: whatever is asked, however the stream is cut, the answers are those of the specification."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from lab.judge.marks import clause, cuts, role
from lab.judge.properties import in_profile
from lab.wire.segmentation import Segmentation
from lab.wire.stream import Ended
from suites.lancelot import model
from suites.lancelot.specification import LONGEST_QUESTION, answers, at_question_ends, conversation
from suites.lancelot.subjects import Server

DEEP = 2000


# the cut is drawn by the properties themselves, so each runs once


@role("server")
@cuts("whole")
@clause("lancelot-1-any-segmentation", "lancelot-4-all-answered", "lancelot-4-in-order")
def test_any_questions_in_any_segments_are_answered_in_order(server: Server, profile: str) -> None:
    """A property: the answers to any questions are the same however they come, and in their order."""

    @in_profile(profile, quick=server.scale.examples, deep=DEEP)
    @given(asked=st.lists(model.questions, max_size=8), rest=model.unfinished, cut=model.segmentations())
    def holds(asked: list[bytes], rest: bytes, cut: Segmentation) -> None:
        sent = b"".join(asked) + rest
        with server.connect() as session:
            session.stream.segmentation = cut
            session.send(sent)
            said = session.finish()
        expected, _ = conversation(sent)
        assert said == expected, f"{sent!r} was answered {said!r}, not {expected!r}"

    holds()


@role("server")
@cuts("whole")
@clause("lancelot-1-any-octets", "lancelot-3-server-goes-on")
def test_no_octets_end_the_server(server: Server, profile: str) -> None:
    """A property: after any octets, cut anywhere, the same server answers others."""
    before = server.process()

    @in_profile(profile, quick=server.scale.examples, deep=DEEP)
    @given(octets=model.octets, cut=model.segmentations())
    def holds(octets: bytes, cut: Segmentation) -> None:
        with server.connect() as session:
            session.stream.segmentation = cut
            with contextlib.suppress(Ended):  # as it should where a question is too long
                session.send(octets)
        assert server.serves(), f"after {octets!r} the server does not answer; {server.complaint()}"
        assert server.process() == before, f"after {octets!r} the server had to be started again"

    holds()


@given(asked=st.lists(model.questions, max_size=8))
def test_the_oracle_answers_each_question(asked: list[bytes]) -> None:
    """The oracle of whole conversations says what the table says of each question."""
    assert conversation(b"".join(asked)) == (answers(asked), False)


@given(asked=st.lists(model.questions, max_size=4), more=st.binary(max_size=50))
def test_the_oracle_ends_at_a_question_that_is_too_long(asked: list[bytes], more: bytes) -> None:
    """After 1024 octets without a `?` nothing counts any more."""
    sent = b"".join(asked) + b"x" * LONGEST_QUESTION + more

    assert conversation(sent) == (answers(asked), True)


@given(octets=model.octets, cut=st.one_of(model.segmentations(), st.just(at_question_ends)))
def test_cuts_lose_no_octets(octets: bytes, cut: Segmentation) -> None:
    """The segments are the stream."""
    assert b"".join(cut(octets)) == octets

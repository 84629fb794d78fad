"""Servers: questions, answers, unknown questions, pipelining (docs/lancelot.md, sections 1 to 4)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.lancelot.session import Session
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST, UNKNOWN, answers
from suites.lancelot.subjects import Server

pytestmark = role("server")


@pytest.mark.parametrize("question", [NAME, QUEST, COLOR], ids=["name", "quest", "color"])
@clause("lancelot-2-answers-as-tabled")
def test_known_questions_are_answered(session: Session, question: bytes) -> None:
    """Each of the three questions gets its answer."""
    session.send(question)

    said = session.finish()

    assert said == ANSWERS[question], f"{question!r} was answered {said!r}"


@clause("lancelot-2-each-time", "lancelot-6-stays-open")
def test_questions_are_answered_each_time(session: Session) -> None:
    """One connection asks many questions, also the same one again."""
    asked = [NAME, NAME, QUEST, COLOR] * 3

    said = [session.ask(question) for question in asked]

    assert said == [ANSWERS[question] for question in asked], f"the answers were {said}"


@clause("lancelot-2-nothing-else")
def test_nothing_but_answers_is_sent(session: Session) -> None:
    """There is no greeting, and there are no octets beside the answers."""
    session.send(NAME, COLOR)

    said = session.finish()

    assert said == ANSWERS[NAME] + ANSWERS[COLOR], f"the server sent {said!r}"


@pytest.mark.parametrize(
    "question",
    [
        b"what is your name?",
        b" What is your name?",
        b"\r\nWhat is your name?",
        b"What is your name ?",
        b"What  is your name?",
        b"\0What is your name?",
    ],
    ids=["lower-case", "space-before", "line-end-before", "space-inside", "two-spaces", "nul-before"],
)
@clause("lancelot-1-octet-for-octet")
def test_nearly_known_questions_are_unknown(session: Session, question: bytes) -> None:
    """A question that differs in an octet is another question."""
    session.send(question)

    said = session.finish()

    assert said == UNKNOWN, f"{question!r} was answered {said!r}"


@clause("lancelot-1-end-at-question-mark")
def test_a_question_begins_where_the_one_before_ended(session: Session) -> None:
    """What follows a `?` belongs to the next question, not to none."""
    session.send(NAME, b" \n", QUEST, COLOR)

    said = session.finish()

    assert said == answers([NAME, b" \n" + QUEST, COLOR]), f"the answers were {said!r}"


@clause("lancelot-1-any-octets")
def test_questions_may_hold_any_octets(session: Session) -> None:
    """NUL, full stops, line ends, octets that are no ASCII and no UTF-8: each makes an unknown question."""
    asked = [bytes([octet]) * 3 + b"?" for octet in range(256) if octet != ord("?")]

    session.send(*asked, NAME)
    said = session.finish()

    assert said == UNKNOWN * 255 + ANSWERS[NAME], f"{len(asked)} unknown questions were answered {said!r}"


@clause("lancelot-1-lone-question-mark")
def test_a_lone_question_mark_is_a_question(session: Session) -> None:
    """`?` alone is asked and answered, also several times in a row."""
    session.send(b"?", NAME, b"??")

    said = session.finish()

    assert said == answers([b"?", NAME, b"?", b"?"]), f"the answers were {said!r}"


@clause("lancelot-1-any-segmentation")
def test_cuts_inside_questions_mean_nothing(session: Session) -> None:
    """Segments that end inside questions, and begin in one and end in another, change no answer."""
    sent = NAME + QUEST + b"Who?" + COLOR
    for size in (1, 7, 19, 38):
        for start in range(0, len(sent), size):
            session.send(sent[start : start + size])

        said = b"".join(session.answer() for _ in range(4))

        assert said == answers([NAME, QUEST, b"Who?", COLOR]), f"cut each {size} octets: {said!r}"


@clause("lancelot-1-no-answer-before-its-end")
def test_nothing_is_answered_before_the_question_mark(server: Server, session: Session) -> None:
    """All of a question but its `?`, and a full stop and a line end besides: no answer."""
    before, others = b"", []
    for piece in (NAME[:-1], b".\r\n"):
        session.send(piece)
        # whole conversations of another client, where one is possible: the server has read the piece, and had the time to err
        others += [server.serves() for _ in range(3) if server.concurrent]
        before += session.stream.receive_what_comes(0.05)
    session.send(b"?")
    said = session.finish()

    assert all(others), "other clients were not answered"
    assert before == b"", f"before its question mark the question was answered {before!r}"
    assert said == UNKNOWN, f"the question was answered {said!r}"


@clause("lancelot-1-unfinished-not-answered")
def test_an_unfinished_question_is_not_answered(session: Session) -> None:
    """What stands after the last `?` when the client has finished is no question."""
    session.send(NAME, b"What is your quest")

    said = session.finish()

    assert said == ANSWERS[NAME], f"the server sent {said!r}"


@clause("lancelot-3-unknown-answered")
def test_an_unknown_question_is_answered(session: Session) -> None:
    """A question that nobody taught the server has an answer, too."""
    question = b"What is the air-speed velocity of an unladen swallow?"
    session.send(question)

    said = session.finish()

    assert said == UNKNOWN, f"{question!r} was answered {said!r}"


@clause("lancelot-3-connection-goes-on")
def test_the_connection_goes_on_after_an_unknown_question(session: Session) -> None:
    """The next question is answered as if nothing had happened."""
    said = [session.ask(b"Why?"), session.ask(NAME), session.ask(b"Why not?"), session.ask(COLOR)]

    assert said == [UNKNOWN, ANSWERS[NAME], UNKNOWN, ANSWERS[COLOR]], f"the answers were {said}"


@clause("lancelot-3-server-goes-on")
def test_the_server_goes_on_after_an_unknown_question(server: Server, session: Session) -> None:
    """Other clients are served by the same process."""
    before = server.process()
    session.ask(b"\xff\xfe?")
    session.close()

    assert server.serves(), f"no answer after an unknown question; {server.complaint()}"
    assert server.process() == before, "the server had to be started again"


@clause("lancelot-4-all-answered", "lancelot-4-in-order")
def test_pipelined_questions_are_answered_in_order(session: Session) -> None:
    """Questions sent at once, known and unknown, each get their answer, in their order."""
    asked = [COLOR, NAME, b"Why?", QUEST, QUEST, b"?", NAME, COLOR] * 8

    session.send(*asked)
    said = session.finish()

    assert said == answers(asked), f"{len(asked)} questions were answered {said!r}"


@clause("lancelot-4-all-answered")
def test_the_beginning_of_a_question_after_pipelined_ones_is_kept(session: Session) -> None:
    """A segment may hold two questions and a half: the half is not lost."""
    session.send(NAME, QUEST, COLOR[:9])
    first = [session.answer(), session.answer()]
    session.send(COLOR[9:])

    said = session.finish()

    assert first == [ANSWERS[NAME], ANSWERS[QUEST]], f"the first two were answered {first}"
    assert said == ANSWERS[COLOR], f"the third was answered {said!r}"

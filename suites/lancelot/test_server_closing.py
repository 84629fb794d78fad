"""Servers: how a connection ends (docs/lancelot.md, section 6)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.stream import StreamError
from suites.lancelot.session import Session
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST, answers
from suites.lancelot.subjects import Server

pytestmark = role("server")


@clause("lancelot-6-half-close-answered")
def test_questions_before_a_half_close_are_answered(session: Session) -> None:
    """A client that asks and closes its sending side at once gets its answers."""
    asked = [NAME, b"Why?", COLOR] * 20
    session.send(*asked)

    said = session.finish()

    assert said == answers(asked), f"the server sent {said!r}"


@clause("lancelot-6-half-close-closed")
def test_the_server_closes_after_a_half_close(session: Session) -> None:
    """The server ends its side in order, also where nothing was asked."""
    session.ask(NAME)

    said = session.finish()

    assert said == b"", f"the server sent {said!r}"
    assert session.stream.ended == "eof", f"the server ended the stream by {session.stream.ended}"


@cuts("whole")
@clause("lancelot-6-stays-open")
def test_a_silent_client_keeps_its_connection(session: Session) -> None:
    """A client that is silent for a second, in the middle of a question, can go on."""
    session.ask(NAME)
    session.send(QUEST[:5])

    said = session.stream.receive_what_comes(1.0)
    ended = session.stream.ended

    assert ended is None, f"the server ended the connection of a silent client by {ended}"
    assert said == b"", f"a silent client was sent {said!r}"
    assert session.ask(QUEST[5:]) == ANSWERS[QUEST]


def _at_once(session: Session) -> None:
    session.reset()


def _inside_question(session: Session) -> None:
    session.ask(NAME)
    session.send(QUEST[:7])
    session.reset()


def _answer_on_its_way(session: Session) -> None:
    session.send(NAME)
    session.reset()


def _answers_unread(session: Session) -> None:
    session.send(*[NAME, QUEST] * 100)
    session.answer()
    session.reset()


def _after_half_close(session: Session) -> None:
    session.send(NAME)
    session.stream.half_close()
    session.reset()


def _after_overlong(session: Session) -> None:
    with contextlib.suppress(StreamError):  # ended already: then the reset comes late, which is a stage, too
        session.send(b"x" * 2048)
    session.reset()


STAGES: dict[str, Callable[[Session], None]] = {
    "at-once": _at_once,
    "inside-question": _inside_question,
    "answer-on-its-way": _answer_on_its_way,
    "answers-unread": _answers_unread,
    "after-half-close": _after_half_close,
    "after-overlong": _after_overlong,
}


@pytest.mark.parametrize("stage", STAGES)
@clause("lancelot-6-reset-survived")
def test_a_reset_disturbs_nobody(server: Server, stage: str) -> None:
    """Clients that reset, ten in a row, at one stage: the same server serves on, another connection goes on."""
    before = server.process()
    bystander = server.connect() if server.concurrent else None
    if bystander is not None:
        bystander.ask(NAME)

    for _ in range(10):
        STAGES[stage](server.connect())

    if bystander is not None:
        said = bystander.ask(QUEST)
        assert said == ANSWERS[QUEST], f"another connection was answered {said!r}"
    assert server.serves(), f"no answer after resets; {server.complaint()}"
    assert server.process() == before, "the server had to be started again"


# many connections in a row, each with little on it


@cuts("whole")
@clause("lancelot-6-connection-given-back")
def test_ended_connections_cost_nothing(server: Server) -> None:
    """After connections that ended in order, in the middle of a question and by resets the server has no more descriptors."""
    assert server.serves(), server.complaint()
    before = server.usage().descriptors
    for number in range(30):
        session = server.connect()
        session.ask(NAME)
        if number % 3 == 0:
            session.finish()
        elif number % 3 == 1:
            session.send(QUEST[:4])
            session.close()
        else:
            session.send(QUEST)
            session.reset()

    # what a process per client has for it goes with the process, in its time
    given_back = server.until(lambda: server.usage().descriptors <= before)

    assert given_back, f"30 connections ended, and {server.usage().descriptors - before} descriptors are left"

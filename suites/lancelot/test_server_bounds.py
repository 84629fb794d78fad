"""Servers: the length of a question, and what a connection may cost (docs/lancelot.md, section 5)."""

from __future__ import annotations

import contextlib
import socket

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.stream import Ended
from suites.lancelot.session import Session
from suites.lancelot.slow import ask_until_full, drain
from suites.lancelot.specification import (
    ANSWERS,
    LONGEST_QUESTION,
    NAME,
    QUEST,
    UNKNOWN,
    answers,
    conversation,
)
from suites.lancelot.subjects import Server

pytestmark = role("server")


@clause("lancelot-5-longest-answered")
def test_the_longest_question_is_answered(session: Session) -> None:
    """1024 octets with the `?` are a question, at the beginning and after others."""
    longest = b"x" * (LONGEST_QUESTION - 1) + b"?"
    session.send(longest, NAME, longest)

    said = session.finish()

    assert said == UNKNOWN + ANSWERS[NAME] + UNKNOWN, f"the server sent {said!r}"


@clause("lancelot-5-overlong-ends-connection")
def test_a_question_that_is_too_long_ends_the_connection(session: Session) -> None:
    """After 1024 octets without a `?` the server ends the connection by itself."""
    session.send(b"x" * LONGEST_QUESTION)

    said = session.rest()

    assert said == b"", f"a question that is too long was answered {said!r}"
    assert session.stream.ended is not None, "the connection was not ended"


@pytest.mark.parametrize("length", [LONGEST_QUESTION, 4096], ids=["by-one-octet", "by-far"])
@clause("lancelot-5-nothing-after-overlong")
def test_nothing_is_answered_after_a_question_that_is_too_long(session: Session, length: int) -> None:
    """Neither it, its `?` included, nor the questions behind it get an answer."""
    with contextlib.suppress(Ended):  # the server may be quicker than the cuts
        session.send(b"x" * length + b"?", NAME, QUEST)

    said = session.rest()

    assert said == b"", f"the server answered {said!r}"


@clause("lancelot-5-answers-before-overlong")
def test_what_was_asked_before_is_answered(session: Session) -> None:
    """The questions before the one that is too long keep their answers."""
    asked = [NAME, QUEST, b"Why?"] * 3
    session.send(*asked, b"x" * LONGEST_QUESTION)

    said = session.rest()

    assert said == answers(asked), f"the server sent {said!r}"


@cuts("whole")
@clause("lancelot-5-answers-not-lost-by-reset")
def test_a_client_that_sends_on_gets_the_answers_before(server: Server) -> None:
    """A client that goes on after a question that is too long still gets the answers to those before."""
    asked = [NAME, QUEST, b"Why?"] * 3
    with server.crowd(1) as (client,):
        with contextlib.suppress(OSError):  # the server may end it meanwhile
            client.sendall(b"".join(asked))
            for _ in range(8):
                client.sendall(b"x" * LONGEST_QUESTION)

        said = drain(client)

    assert said == answers(asked), f"the server sent {said!r}"


# the cut changes nothing in what follows: sizes are far beyond what one segment holds


@cuts("whole")
@clause("lancelot-5-overlong-ends-connection", "lancelot-5-endless-input-memory")
def test_endless_input_without_a_question_mark_is_bounded(server: Server) -> None:
    """However much a client offers, the connection ends, and the server has not grown."""
    with server.crowd(1) as (client,):
        before = _resident(server, client)
        ended, sent = _pour(client, b"x" * 65536, server.scale.endless)
        grown = server.usage().resident - before

    assert ended, f"the server took {sent} octets without a question mark and did not end the connection"
    assert grown < server.scale.memory, f"the server has grown by {grown} octets"
    assert server.serves(), server.complaint()


def _resident(server: Server, client: socket.socket) -> int:
    """What the server holds once it serves the client, maybe by a process of its own."""
    client.sendall(NAME)
    assert client.recv(4096) == ANSWERS[NAME]
    looks = [server.usage().resident]

    def settled() -> bool:
        looks.append(server.usage().resident)
        return abs(looks[-1] - looks[-2]) < 1 << 18

    # workers that have only just been forked still grow
    server.until(settled)
    return looks[-1]


def _pour(client: socket.socket, piece: bytes, offered: int) -> tuple[bool, int]:
    """Send until the connection ends or all is sent; whether it ended, and how much was sent."""
    sent = 0
    try:
        while sent < offered:
            sent += client.send(piece)
        return client.recv(1) == b"", sent
    except TimeoutError:
        return False, sent
    except OSError:
        return True, sent


@cuts("whole")
@clause("lancelot-5-slow-reader-memory", "lancelot-4-late-reader-gets-all")
def test_a_client_that_does_not_read_is_bounded_and_loses_nothing(server: Server) -> None:
    """A client asks until the server takes no more, then reads: the server has not grown, each answer is there."""
    piece = (NAME + QUEST) * 1000
    with server.crowd(1) as (client,):
        before = _resident(server, client)
        sent = ask_until_full(client, piece, server.scale.unread)
        grown = server.usage().resident - before
        client.settimeout(server.scale.patience)
        client.shutdown(socket.SHUT_WR)
        said = drain(client)
    expected, _ = conversation((piece * (sent // len(piece) + 1))[:sent])

    assert grown < server.scale.memory, f"the server has grown by {grown} octets"
    assert said == expected, f"{sent} octets of questions: {len(said)} of {len(expected)} octets of answers"

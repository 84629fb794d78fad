"""Servers: what SIGTERM means (docs/lancelot.md, section 7)."""

from __future__ import annotations

import contextlib
import time

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import StreamError
from suites.lancelot.load import load
from suites.lancelot.slow import ask_until_full
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST, answers
from suites.lancelot.subjects import Server

# each of these costs a start of the server, and the cut changes nothing in them
pytestmark = [role("server"), cuts("whole")]

ASKED = [NAME, b"Why?", QUEST, COLOR] * 50


@clause("lancelot-7-questions-answered", "lancelot-7-whole-answers")
def test_questions_that_have_come_are_answered(server: Server) -> None:
    """A client asks 200 questions, SIGTERM follows at once: 200 answers come, then the end."""
    session = server.connect()
    session.ask(NAME)
    session.send(*ASKED)

    server.ask_to_stop()
    said = session.rest(timeout=server.scale.patience * 2)

    assert said == answers(ASKED), (
        f"of {len(answers(ASKED))} octets of answers {len(said)} came: …{said[-60:]!r}"
    )


@clause("lancelot-7-waiting-connections-answered")
def test_connections_that_wait_are_answered(server: Server) -> None:
    """Clients connect and ask, and SIGTERM follows before the server can have accepted them all."""
    assert server.serves(), server.complaint()

    said = _asked_and_stopped(server, 8)

    assert said == [answers([NAME, QUEST])] * 8, f"the clients got {said}"


@clause("lancelot-7-waiting-connections-answered")
def test_a_server_that_has_just_begun_answers_who_waits(new_server: Server) -> None:
    """As soon as the server says that it is ready a client connects and asks, and SIGTERM follows at once."""
    said = _asked_and_stopped(new_server, 1)

    assert said == [answers([NAME, QUEST])], f"the client got {said}; {new_server.complaint()}"


@needs("workers-processes")
@clause("lancelot-7-waiting-connections-answered")
def test_who_waits_for_a_killed_worker_is_answered(new_server: Server) -> None:
    """All workers are killed, clients connect and ask, and SIGTERM follows at once: somebody is there for them."""
    assert new_server.serves(), new_server.complaint()
    _, *workers = new_server.usage().processes
    for worker in workers:
        new_server.kill(worker)
    gone = new_server.until(lambda: not {*workers} & {*new_server.usage().processes})

    said = _asked_and_stopped(new_server, 4)

    assert gone, "workers that were killed are still there"
    assert said == [answers([NAME, QUEST])] * 4, f"the clients got {said}"


def _asked_and_stopped(server: Server, count: int) -> list[bytes]:
    """What so many clients get that connect and ask right before SIGTERM; with the error by which it ended."""
    said: list[bytes] = []
    with server.crowd(count) as clients:
        for client in clients:
            client.sendall(NAME + QUEST)
        server.ask_to_stop()
        for client in clients:
            octets = b""
            try:
                while more := client.recv(4096):
                    octets += more
            except OSError as error:
                octets += f" and then {error}".encode()
            said.append(octets)
    return said


@needs("concurrent")
@clause("lancelot-7-questions-answered", "lancelot-7-whole-answers")
def test_no_question_is_lost_under_load(server: Server) -> None:
    """Clients ask all the time when SIGTERM comes: each question sent before it is answered, each answer is whole."""
    with load([server.connect() for _ in range(4)]) as askers:
        busy = server.until(lambda: all(len(asker.answered) > 20 for asker in askers))
        moment = server.ask_to_stop()
        ended = server.until(lambda: all(asker.ended for asker in askers))

    assert busy, f"the clients got {[len(asker.answered) for asker in askers]} answers"
    assert ended, "the connections were not ended"
    assert [asker.lost(moment) for asker in askers] == [0] * 4, (
        "questions sent before SIGTERM were not answered"
    )
    assert [asker.leftover for asker in askers] == [b""] * 4, "answers were cut"
    assert not any(asker.wrong for asker in askers), f"wrong answers: {[asker.wrong for asker in askers]}"


@clause("lancelot-7-exit-status", "lancelot-7-ends-in-time")
def test_the_server_ends_with_status_zero(server: Server) -> None:
    """Idle clients do not hold it up."""
    session = server.connect()
    session.ask(NAME)
    waiting = server.connect()
    began = server.ask_to_stop()

    status = server.exit_status()

    assert status is not None, f"the server had not ended after {time.monotonic() - began:.1f} s"
    assert status == 0, f"the exit status is {status}; {server.complaint()}"
    assert (session.rest(), waiting.rest()) == (b"", b""), "clients that asked nothing were sent something"


@clause("lancelot-7-ends-in-time")
def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    """A client does not take its answers: in time the server ends all the same."""
    with server.crowd(1) as (slow,):
        ask_until_full(slow, NAME * 1000, server.scale.unread)
        server.ask_to_stop()

        status = server.exit_status()

    assert status is not None, "a client that does not read keeps the server from ending"


@clause("lancelot-7-no-new-connections")
def test_no_connection_is_taken_while_a_client_is_waited_for(server: Server) -> None:
    """A client does not take its answers, so that the server waits for it: it takes no others meanwhile."""
    with server.crowd(1) as (slow,):
        ask_until_full(slow, NAME * 1000, server.scale.unread)
        endpoint = server.endpoint()
        server.ask_to_stop()

        def refused() -> bool:
            try:
                endpoint.connect(1.0).close()
            except OSError:
                return True
            return False

        closed = server.until(refused, seconds=3.0)

    assert closed, "the server still took connections three seconds after SIGTERM"


@clause("lancelot-7-port-free-at-once")
def test_the_port_is_free_at_once(server: Server) -> None:
    """A server that hung up on its clients is started again on its port."""
    session = server.connect()
    session.ask(NAME)
    server.ask_to_stop()
    with contextlib.suppress(StreamError):  # whatever it does to its clients is another case's
        session.rest()
    server.exit_status()

    with server.successor() as successor:
        said = successor.connect().ask(NAME)

    assert said == ANSWERS[NAME], f"the server that was started again answered {said!r}"

"""Servers: many clients, few descriptors, killed workers (docs/lancelot.md, section 8)."""

from __future__ import annotations

import contextlib
import socket
import time

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import Ended
from suites.lancelot.load import load
from suites.lancelot.scale import MANY_CONNECTIONS
from suites.lancelot.session import Session
from suites.lancelot.slow import ask_until_full
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST
from suites.lancelot.subjects import Server

# the cut changes nothing in what many clients do to each other
pytestmark = [role("server"), cuts("whole")]

#: Looks at a server that has nothing to do in which it waits; among how many there have to be so many.
WAITING, LOOKS = 5, 60


@needs("concurrent")
@clause("lancelot-8-idle-clients-block-nobody")
def test_idle_clients_block_nobody(server: Server) -> None:
    """Clients that have asked, are in the middle of a question, or never said a word: another one is answered."""
    served, halfway = server.connect(), server.connect()
    server.connect()
    served.ask(NAME)
    halfway.send(QUEST[:5])

    said = server.connect().ask(COLOR)

    assert said == ANSWERS[COLOR], f"the busy client was answered {said!r}"


@needs("concurrent")
@clause("lancelot-1-connections-apart")
def test_connections_are_kept_apart(server: Server) -> None:
    """Two clients in the middle of their questions, turn by turn, each get their own answer."""
    one, other, third = server.connect(), server.connect(), server.connect()
    for session, piece in (
        (one, NAME[:9]),
        (other, COLOR[:3]),
        (one, NAME[9:15]),
        (other, COLOR[3:]),
        (one, NAME[15:]),
    ):
        session.send(piece)
        # when a third client has its answer, the server has had the time to read the piece
        third.ask(QUEST)

    said = one.finish(), other.finish()

    assert said == (ANSWERS[NAME], ANSWERS[COLOR]), f"the answers were {said}"


@needs("many-idle")
@clause("lancelot-8-many-idle")
def test_many_connections_are_served(server: Server) -> None:
    """So many connections that each have asked once, and one that is busy among them; then each asks again."""
    with server.crowd(server.scale.idle) as clients:
        first = [_ask(client) for client in clients]
        busy = server.connect()
        between = [busy.ask(QUEST) for _ in range(20)]
        again = [_ask(client) for client in clients]

    assert first.count(ANSWERS[NAME]) == len(clients), (
        f"{first.count(ANSWERS[NAME])} of {len(clients)} answered"
    )
    assert between == [ANSWERS[QUEST]] * 20, f"the busy client was answered {between}"
    assert again == first, f"{again.count(ANSWERS[NAME])} of {len(clients)} answered the second time"


def _ask(client: socket.socket) -> bytes:
    try:
        client.sendall(NAME)
        return client.recv(4096)
    except OSError:
        return b""


@needs("concurrent")
@clause("lancelot-8-slow-readers-block-nobody")
def test_slow_readers_block_nobody(server: Server) -> None:
    """Clients that ask without reading until nothing more is taken: another one is answered."""
    with server.crowd(3) as slow:
        for client in slow:
            ask_until_full(client, NAME * 1000, server.scale.unread)

        said = [server.connect().ask(COLOR) for _ in range(3)]

    assert said == [ANSWERS[COLOR]] * 3, f"the client that reads was answered {said}"


@needs("concurrent")
@clause("lancelot-8-endless-input-blocks-nobody")
def test_endless_input_blocks_nobody(server: Server) -> None:
    """Clients that send what never becomes a question, again and again: another one is answered meanwhile."""
    busy = server.connect()
    said: list[bytes] = []
    for _ in range(10):
        with server.crowd(2) as clients:
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(b"x" * 100_000)
            said.append(busy.ask(QUEST))

    assert said == [ANSWERS[QUEST]] * 10, f"the busy client was answered {said}"


@clause("lancelot-8-descriptors-clients-served", "lancelot-8-descriptors-recovered")
def test_a_lack_of_descriptors_is_survived(scarce_server: Server) -> None:
    """More clients than descriptors: those that are connected are answered; when they leave, new ones are served."""
    first = scarce_server.connect()
    first.ask(NAME)
    with scarce_server.crowd(MANY_CONNECTIONS):
        during = [first.ask(question) for question in ANSWERS]
    first.close()

    recovered = scarce_server.until(lambda: _answered(scarce_server))

    assert during == [*ANSWERS.values()], f"the client that was connected before was answered {during}"
    assert recovered, f"no new client is served when there are descriptors again; {scarce_server.complaint()}"


def _answered(server: Server) -> bool:
    try:
        return server.serves()
    except Ended:
        return False


@clause("lancelot-8-descriptors-no-busy-wait")
def test_a_lack_of_descriptors_is_not_waited_for_busily(scarce_server: Server) -> None:
    """While nobody asks anything and nobody can be accepted, the server waits: looks find none of its processes at work."""
    first = scarce_server.connect()
    first.ask(NAME)
    looks = waiting = 0
    with scarce_server.crowd(MANY_CONNECTIONS):
        first.ask(NAME)
        # on a machine that is busy a process waits long for its turn, and is at work meanwhile; one that spins always is
        while waiting < WAITING and looks < LOOKS:
            time.sleep(0.1)
            looks += 1
            waiting += scarce_server.usage().running == 0

    assert waiting == WAITING, f"the server was at work in {looks - waiting} of {looks} looks"


@needs("workers-processes")
@clause("lancelot-8-killed-worker-costs-its-clients-only")
def test_a_killed_worker_costs_its_clients_only(server: Server) -> None:
    """A worker is killed under load: no other client is disturbed, nobody gets a wrong answer."""
    with load([server.connect() for _ in range(4)]) as askers:
        busy = server.until(lambda: all(len(asker.answered) > 20 for asker in askers))
        main, *workers = server.usage().processes
        server.kill(workers[0])
        gone = server.until(lambda: workers[0] not in server.usage().processes)
        count = [len(asker.answered) for asker in askers]
        went_on = server.until(
            lambda: all(
                asker.ended or len(asker.answered) > before + 20
                for asker, before in zip(askers, count, strict=True)
            )
        )
        alive = [asker for asker in askers if not asker.ended]
        serves = server.until(lambda: _answered(server))

    assert busy, "the clients were not answered in the first place"
    assert gone, "the worker that was killed is still there"
    assert serves, f"no new client is served; {server.complaint()}"
    assert went_on, "a client of another worker gets no more answers"
    assert not any(asker.wrong for asker in askers), f"wrong answers: {[asker.wrong for asker in askers]}"
    assert server.process() == main, "the server had to be started again"
    assert not any(asker.ended for asker in alive), "clients of other workers lost their connections later"


@needs("workers-processes")
@clause("lancelot-8-killed-worker-replaced")
def test_killed_workers_are_replaced(server: Server) -> None:
    """All workers are killed under load: the same server serves new clients."""
    sessions: list[Session] = [server.connect() for _ in range(4)]
    with load(sessions) as askers:
        busy = server.until(lambda: all(len(asker.answered) > 20 for asker in askers))
        main, *workers = server.usage().processes
        for worker in workers:
            server.kill(worker)

        replaced = server.until(lambda: _answered(server))

    assert busy, "the clients were not answered in the first place"
    assert workers, "the server has no worker processes, though it declares them"
    assert replaced, f"no new client is served after the workers were killed; {server.complaint()}"
    assert server.process() == main, "the server had to be started again"
    assert not any(asker.wrong for asker in askers), f"wrong answers: {[asker.wrong for asker in askers]}"

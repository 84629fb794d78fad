"""The load generator: quotas, what it verifies, open and closed loop, and what it says when a server fails.

Drives the real process against servers that misbehave on purpose.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading

import psutil
import pytest

from lab.bench.generator import Request, Unserved, WrongAnswer
from lab.bench.load.__main__ import way_of
from lab.bench.load.asking import Trouble, intended, shares, turns
from lab.bench.load.crowd import Crowd
from lab.bench.load.run import Run
from lab.bench.statistics import histogram, percentile
from suites.lab.measured import EXCHANGES, running

STALL = 0.3


@pytest.mark.parametrize(
    ("questions", "connections", "depth"), [(10, 3, 1), (100, 7, 8), (5, 10, 1), (1, 1, 100)]
)
def test_quotas_are_fixed_beforehand(questions: int, connections: int, depth: int) -> None:
    """Shares are even, and in all what was asked for, rounded up to whole segments."""
    found = shares(questions, connections, depth)
    assert len(found) == connections
    assert max(found) - min(found) <= 1
    assert questions <= sum(found) * depth < questions + depth


def test_segments_follow_the_exchanges() -> None:
    """A connection asks the exchanges in turn, whatever the depth."""
    pairs = [(each.send, each.expect) for each in EXCHANGES]
    assert [turn[0] for turn in turns(pairs, 1)] == [b"ping?", b"more?"]
    assert [turn[:3] for turn in turns(pairs, 3)] == [
        (b"ping?more?ping?", 15, b"pong.again.pong."),
        (b"more?ping?more?", 15, b"again.pong.again."),
    ]


def test_intended_times_come_from_the_seed() -> None:
    """The same seed gives the same times; their rate is the one asked for."""
    times = intended(20_000, 5000, 3)
    assert times == intended(20_000, 5000, 3)
    assert times != intended(20_000, 5000, 4)
    assert times[-1] / 1e9 == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("depth", [1, 3, 40])
@pytest.mark.parametrize("manner", ["good", "octets"])
def test_all_is_answered(manner: str, depth: int) -> None:
    """Every question is answered and has a latency, every connection a session, however answers are cut."""
    with running(manner) as (peer, generator):
        outcome = generator.run(peer.address, Request(4, 480, depth=depth))
    assert outcome.answered == 480
    assert len(outcome.latencies) * depth == 480
    assert len(outcome.sessions) == 4
    assert outcome.sessions.max() <= outcome.seconds * 1e9


def test_quotas_reach_a_server_that_serves_one_after_the_other() -> None:
    """More connections than questions: each that has a share is served."""
    with running() as (peer, generator):
        outcome = generator.run(peer.address, Request(50, 20))
    assert (outcome.answered, len(outcome.sessions)) == (20, 20)


def test_silent_connections_are_open_while_the_load_runs() -> None:
    """The meters are read when they are open, before the load and after it."""
    seen: list[int] = []

    def count(pid: int) -> None:
        seen.append(psutil.Process(pid).num_fds())

    with running() as (peer, generator):
        outcome = generator.run(
            peer.address, Request(1, 10, idle=30), lambda: count(peer.pid), lambda: count(peer.pid)
        )
    assert outcome.answered == 10
    assert [number >= 30 for number in seen] == [True, True], seen


@pytest.mark.parametrize("rate", [None, 2000.0])
@pytest.mark.parametrize(
    ("manner", "said"),
    [("wrong", "got b'PONG.' where b'pong.' is right"), ("chatty", "got b'pong.!' where b'pong.' is right")],
)
def test_a_wrong_answer_is_found(manner: str, said: str, rate: float | None) -> None:
    """Answers are compared octet for octet, in both loops."""
    with running(manner, "50") as (peer, generator), pytest.raises(WrongAnswer) as caught:
        generator.run(peer.address, Request(1, 200, rate=rate))
    assert said in str(caught.value)


@pytest.mark.parametrize("rate", [None, 2000.0])
def test_a_connection_that_is_lost_is_told(rate: float | None) -> None:
    """The server hangs up before all was answered."""
    with running("hangs-up", "50") as (peer, generator), pytest.raises(Unserved, match="ended by the server"):
        generator.run(peer.address, Request(2, 200, rate=rate))


def test_nobody_listens() -> None:
    """A refused connection is told, and the generator goes on to the next run."""
    with running() as (peer, generator):
        with pytest.raises(Unserved, match=r"could not be opened: Connection refused"):
            generator.run(("127.0.0.1", 1), Request(1, 1))
        assert generator.run(peer.address, Request(1, 10)).answered == 10


def test_a_silent_server_costs_the_deadline() -> None:
    """What is never answered ends the run when its time is over."""
    with running("silent") as (peer, generator), pytest.raises(Unserved, match=r"within 0\.2 s"):
        generator.run(peer.address, Request(3, 30, deadline=0.2))


def test_in_step_nobody_asks_again_before_all_have_their_answers() -> None:
    """With one answer missing, those who have theirs are silent; with the last one, all ask."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        early: list[socket.socket] = []

        def serve() -> None:
            served = [door.accept()[0] for _ in range(3)]
            for _ in range(4):
                for connection in served:
                    assert connection.recv(100) == b"ping?"
                for connection in served:
                    early.extend(select.select(served, (), (), 0.1)[0])
                    connection.sendall(b"pong.")
            for connection in served:
                connection.close()

        server = threading.Thread(target=serve)
        server.start()
        crowd = Crowd(door.getsockname(), turns([(b"ping?", b"pong.")], 1), "connection")
        crowd.join(3)
        for _ in range(3):
            crowd.ask(range(3))
        crowd.close()
        server.join()
    assert not early
    assert [len(stamps) for stamps in crowd.stamps()] == [4, 4, 4]


def test_in_step_connections_are_open_before_the_run_and_after_it() -> None:
    """What is asked before is in no figure; uneven shares are asked in full."""
    exchanges = [[each.send.decode(), each.expect.decode()] for each in EXCHANGES]
    with running() as (peer, _):
        host, port = peer.address
        run = Run(
            {"host": host, "port": port, "exchanges": exchanges, "connections": 4, "questions": 42}
            | {"depth": 1, "in_step": True, "deadline": 5}
        )
        ask = way_of(run)
        before = psutil.Process(peer.pid).num_fds()
        assert not run.answered
        ask()
        run.settle()
        assert (run.answered, len(run.sessions)) == (42, 4)
        assert psutil.Process(peer.pid).num_fds() == before
        run.end()
        run.close()


@pytest.mark.parametrize(
    ("manner", "kind"), [("wrong", "wrong-answer"), ("chatty", "wrong-answer"), ("hangs-up", "lost")]
)
def test_in_step_a_defect_is_found(manner: str, kind: str) -> None:
    """Before the run as well as in it; an octet too many is found with the next answer."""
    exchanges = [[each.send.decode(), each.expect.decode()] for each in EXCHANGES]
    for count in (10, 70):
        with running(manner, str(count)) as (peer, _):
            host, port = peer.address
            wanted = {"host": host, "port": port, "exchanges": exchanges, "connections": 3, "questions": 60}
            run = Run({**wanted, "in_step": True, "deadline": 5})
            with pytest.raises(Trouble, match=r"connection [012] ") as caught:
                way_of(run)()
            assert caught.value.kind == kind
            run.end()
            run.close()


def stall(pid: int) -> None:
    """Stop the process a moment after now, for 300 ms."""
    pause = threading.Event()

    def act() -> None:
        pause.wait(0.05)
        os.kill(pid, signal.SIGSTOP)
        pause.wait(STALL)
        os.kill(pid, signal.SIGCONT)

    threading.Thread(target=act).start()


def test_the_open_loop_shows_a_stall_that_the_closed_loop_hides() -> None:
    """A server stands still for 300 ms: ten questions wait in the closed loop, all that were meant to be asked in the open."""
    with running() as (peer, generator):
        closed = generator.run(peer.address, Request(10, 10_000), lambda: stall(peer.pid))
        rate = closed.rate / 4
        opened = generator.run(peer.address, Request(10, int(rate), rate=rate), lambda: stall(peer.pid))
    assert closed.latencies.max() >= STALL * 1e9 * 0.9, "the stall fell into the run"
    hidden, shown = (percentile(histogram(run.latencies), 99) / 1e6 for run in (closed, opened))
    assert hidden < STALL / 3 < shown

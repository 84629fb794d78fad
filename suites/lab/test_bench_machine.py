"""Measuring on this machine: figures of servers that are right, reasons where there are none, and nothing left behind."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from lab.bench import generator, meters
from lab.bench.control_group import a_new_one
from lab.bench.generator import Generator, Request
from lab.bench.machine import Machine
from lab.bench.network import own_network
from lab.bench.plan import BenchServer
from lab.bench.running import FIRST, RunningServer, may_go_first, pinned
from lab.bench.target import Series, Settings
from lab.bench.turns import leave_turns, take_turns
from lab.errors import LabError
from suites.lab.measured import CORE, EXCHANGES, PROGRAM, children, plan, running, server

SETTINGS = Settings(rounds=2, restarts=2, connections=(1, 4), idle=(0, 20), quick=True, seed=1)

SETTINGS_OF_ONE = Settings(rounds=1, restarts=1, connections=(1,), measures=("throughput",), quick=True)


def measure(folder: Path, *servers: BenchServer, measures: Sequence[str] = ("throughput",)) -> list[Series]:
    """All series of these servers."""
    settings = Settings(
        rounds=2, restarts=2, connections=(1, 4), idle=(0, 20), measures=measures, quick=True, seed=1
    )
    return list(Machine(folder, folder).measure(plan(*servers), servers, settings, lambda *_: None))


def test_each_measure_gives_its_series(tmp_path: Path) -> None:
    """All measures of two servers: a value for each round, in the same rounds for both."""
    seen: list[tuple[int, int]] = []
    servers = (server("one"), server("two"))
    found = list(
        Machine(tmp_path, tmp_path).measure(
            plan(*servers), servers, SETTINGS, lambda done, total, _: seen.append((done, total))
        )
    )
    assert [series.trouble for series in found if series.trouble] == []
    by_quantity = {series.quantity: series for series in found if series.server == "two"}
    assert set(by_quantity) == {
        *("throughput", "cpu", "idle-cpu", "pipelined", "sessions", "session-p99"),
        *("latency-p50", "latency-p99", "latency-p99.9", "memory", "memory-per-connection"),
    }
    assert by_quantity["throughput"].restarts == (0, 1)
    assert all(
        value > 0 for series in found for value in series.values if series.quantity != "memory-per-connection"
    )
    cells = [{series.cell for series in found if series.server == name} for name in ("one", "two")]
    assert cells[0] == cells[1]
    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert children() == set()


def test_a_server_that_dies_is_told_and_the_others_are_measured(tmp_path: Path) -> None:
    """The series says what became of it, with the end of its standard error; no process is left."""
    found = measure(tmp_path, server("good"), server("dying", "dies", "700"))
    good, dying = ([series for series in found if series.server == name] for name in ("good", "dying"))
    assert all(len(series.values) == 2 for series in good)
    assert all(series.values == () for series in dying if series.trouble)
    (trouble,) = {series.trouble for series in dying if series.connections == 4}
    assert "exit code 3" in trouble
    assert "out of answers" in trouble
    assert children() == set()


def test_a_server_that_answers_wrongly_has_no_figure(tmp_path: Path) -> None:
    """What is wrong is not fast."""
    found = measure(tmp_path, server("good"), server("lying", "wrong", "700"))
    troubles = {series.trouble for series in found if series.server == "lying" and series.connections == 4}
    assert len(troubles) == 1
    assert "is right" in troubles.pop()


def test_a_server_that_does_not_start_ends_the_measurement(tmp_path: Path) -> None:
    """The error carries what it wrote, and what was started is gone."""
    bad = BenchServer("bad", "loop", ("python", "-c", "import sys; sys.exit('no such interface')"))
    with pytest.raises(LabError, match="no such interface"):
        measure(tmp_path, server("good"), bad)
    assert children() == set()


@pytest.mark.parametrize("measures", ["latency", "throughput"])
def test_a_generator_that_is_the_limit_gives_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measures: str
) -> None:
    """Where the generator was busy for longer than it may, it would be what is measured."""
    monkeypatch.setattr(generator, "BUSIEST", 0.0)
    found = measure(tmp_path, server("one"), measures=(measures,))
    assert found
    assert all("the load generator was busy for" in series.trouble for series in found)


def test_bounded_servers_are_asked_by_no_more_connections_in_the_open_loop(tmp_path: Path) -> None:
    """One that serves three at a time is not kept waiting by a fourth, and has no cost of idle connections."""
    servers = (server("one"), server("three", concurrency=3))
    found = measure(tmp_path, *servers, measures=("latency", "idle"))
    assert {series.connections for series in found if series.server == "three"} == {3}
    assert {series.quantity for series in found if series.server == "three"} == {
        *("latency-p50", "latency-p99", "latency-p99.9"),
    }


def test_server_and_generator_have_a_network_of_their_own() -> None:
    """What listens there is not reached from here, and is from there; the keeper is gone afterwards."""
    with own_network() as entering:
        if not entering:
            pytest.skip("this user may make no network namespace")
        argv = [*entering, sys.executable, str(PROGRAM), "127.0.0.1", "0"]
        with (
            RunningServer("peer", argv, CORE, PROGRAM.parent) as peer,
            Generator(CORE, EXCHANGES, entering) as load,
        ):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(peer.address, timeout=10)
            assert load.run(peer.address, Request(2, 10)).answered == 10
    assert children() == set()


def test_server_and_generator_take_turns() -> None:
    """Neither interrupts the other: the server finds all questions, and the generator all answers, that there are."""
    questions = 5000
    with running() as (peer, load):
        processes = [psutil.Process(pid) for pid in (peer.pid, load.pid)]
        load.run(peer.address, Request(10, questions))
        before = [process.num_ctx_switches() for process in processes]
        load.run(peer.address, Request(10, questions))
        for process, switches in zip(processes, before, strict=True):
            now = process.num_ctx_switches()
            assert now.voluntary - switches.voluntary == pytest.approx(questions / 10, rel=0.1)
            assert now.involuntary - switches.involuntary < questions / 50


def test_a_command_that_cannot_take_turns_says_why() -> None:
    """What is not there is named in one line, and so is a core that this machine has not."""
    for argv, core in (["no-such-command"], CORE), (["true"], 4095):
        ran = subprocess.run(pinned(argv, core), capture_output=True, text=True, check=False)
        assert ran.returncode
        assert ran.stderr.startswith(f"{argv[0]}: [Errno "), ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_a_command_that_takes_turns_has_the_usual_signals() -> None:
    """Python ignores two signals, and who becomes another program hands that on: a server in C would not end by SIGPIPE."""
    ran = subprocess.run(
        pinned(["cat", "/proc/self/status"], CORE), capture_output=True, text=True, check=True
    )
    ignored = int(next(line for line in ran.stdout.splitlines() if line.startswith("SigIgn:")).split()[1], 16)
    assert [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if ignored >> (number - 1) & 1] == []


def test_a_task_that_leaves_turns_is_scheduled_as_before() -> None:
    """Cores, policy and the length of its turns are what they were (/proc/PID/sched)."""

    def settings(pid: int) -> tuple[set[int], int, str]:
        lines = Path(f"/proc/{pid}/sched").read_text("ascii").splitlines()
        length = next((line for line in lines if line.startswith("se.slice")), "")
        return os.sched_getaffinity(pid), os.sched_getscheduler(pid), length

    with subprocess.Popen(["sleep", "60"]) as task:
        before = settings(task.pid)
        take_turns(CORE, task.pid)
        during = settings(task.pid)
        leave_turns(before[0], task.pid)
        after = settings(task.pid)
        task.terminate()
    assert during[:2] == ({CORE}, os.SCHED_BATCH)
    assert after == before


def test_without_a_network_of_its_own_it_is_measured_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where unshare(1) is refused, as to most users, the machine's network is measured in, and said so."""
    (tmp_path / "unshare").write_text("#!/bin/sh\nexit 1\n", "ascii")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    machine = Machine(tmp_path, tmp_path)
    found = [*machine.measure(plan(server("one")), [server("one")], SETTINGS_OF_ONE, lambda *_: None)]
    assert all(series.values for series in found)
    assert machine.method().facts["network"] == "the machine's"


@pytest.mark.parametrize(("measures", "told"), [("throughput", True), ("memory", False)])
def test_the_pace_is_told_where_it_was_taken_out(tmp_path: Path, measures: str, *, told: bool) -> None:
    """The record says how much it varied; of memory alone there is nothing to say."""
    machine = Machine(tmp_path, tmp_path)
    settings = Settings(rounds=1, restarts=1, connections=(1,), idle=(0,), measures=(measures,), quick=True)
    assert [*machine.measure(plan(server("one")), [server("one")], settings, lambda *_: None)]
    assert ("pace" in machine.method().facts) is told


def test_processor_time_counts_children() -> None:
    """A child's time counts while it runs and once it was waited for."""
    program = (
        "import os, sys, time\n"
        "def burn():\n"
        "    while time.process_time() < 0.3: pass\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    burn(); os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print('listening on 127.0.0.1:1', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        used = meters.cpu_seconds(parent.pid)
        own = psutil.Process(parent.pid).cpu_times().user
        parent.communicate()
    assert used - own > 0.25


FORKING = """
import os, socket, time
door = socket.create_server(("127.0.0.1", 0))
print(f"listening on 127.0.0.1:{door.getsockname()[1]}", flush=True)
while True:
    with door.accept()[0]:
        if not os.fork():
            while time.process_time() < 0.003: pass
            os._exit(0)
        os.wait()
"""


def test_processor_time_of_short_lives_is_not_rounded(tmp_path: Path) -> None:
    """Each of ten children that lived for 3 ms, a third of a clock tick, has its time in the difference of its own."""
    if (group := a_new_one()) is None:
        pytest.skip("this user may make no control group")
    group.remove()
    with RunningServer("forking", [sys.executable, "-c", FORKING], CORE, tmp_path) as forking:
        used = [forking.cpu_seconds()]
        for _ in range(10):
            with socket.create_connection(forking.address, timeout=10) as connection:
                assert connection.recv(1) == b""
            used.append(forking.cpu_seconds())
    assert min(after - before for before, after in itertools.pairwise(used)) >= 0.003


@pytest.mark.skipif(not may_go_first(), reason="only root may put processes first")
def test_what_is_measured_goes_first() -> None:
    """Server and generator have precedence, each in its session and their sessions among all."""
    with running() as (peer, generator_):
        assert peer.address[1]
        for pid in (peer.pid, generator_.pid):
            assert psutil.Process(pid).nice() == FIRST
            group = Path(f"/proc/{pid}/autogroup")
            assert not group.exists() or group.read_text("ascii").endswith(f"nice {FIRST}\n")


def test_memory_counts_what_a_server_takes() -> None:
    """PSS is above what Python needs to start, and below the machine's memory."""
    with running() as (peer, _):
        assert peer.address[1]
        assert 1_000 < meters.pss_kib(peer.pid) < 1_000_000


def test_a_killed_runner_leaves_no_server() -> None:
    """Kill -9 of the process that measures: server and generator end by themselves."""
    program = (
        "from suites.lab.measured import running\n"
        "import sys\n"
        "with running() as (peer, generator):\n"
        "    peer.address\n"
        "    print(peer.pid, generator.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root
    ) as runner:
        assert runner.stdout is not None
        started = [psutil.Process(int(word)) for word in runner.stdout.readline().split()]
        os.kill(runner.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(started, timeout=10)
    assert len(started) == 2
    assert alive == []

"""The Lancelot daemon as a user runs it: start, status, reload, stop; what it logs, and what a crash leaves behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.judge.programs import Ran
from lab.wire.endpoint import Endpoint
from suites.lancelot.programs import ANSWER, LANCELOT, QUESTION, ask, endpoint_in
from suites.waiting import wait_until

#: One that serves in the process itself, and two with workers.
KINDS = ("epoll", "threads", "processes", "reuseport")


class Daemon:
    """One daemon, by its files in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.pid_file = folder / "lancelot.pid"
        self.log_file = folder / "lancelot.log"
        self.settings = folder / "lancelot.toml"

    def start(self, *words: str, server: str = "epoll", port: int = 0, log: bool = True) -> Ran:
        """`daemon start`, logging to the file unless told otherwise."""
        options = ["--log-file", str(self.log_file)] if log else []
        return self.tell("start", *options, *words, server, "127.0.0.1", "--port", str(port))

    def started(self, *words: str, server: str = "epoll") -> Endpoint:
        """Start it, and return where it listens."""
        return endpoint_in(self.start(*words, server=server).succeeded())

    def tell(self, command: str, *words: str) -> Ran:
        """Any command."""
        return LANCELOT.run("daemon", command, "--pid-file", str(self.pid_file), *words)

    @property
    def process(self) -> int:
        """The number in the pid file."""
        return int(self.pid_file.read_text("ascii"))

    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text("utf-8")

    def kill(self) -> int:
        """Kill it, without giving it a chance to do anything; return its number."""
        process = self.process
        os.kill(process, signal.SIGKILL)
        assert wait_until(lambda: not lives(process)), "the killed daemon lives on"
        return process


def lives(process: int) -> bool:
    """Whether a process exists that is no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(process: int) -> list[int]:
    """The processes that a process has started and that live."""
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()
    ]


def to_the_end(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that is not started yet; gone after the test."""
    it = Daemon(tmp_path)
    yield it
    if it.tell("status").status == 0:
        it.tell("stop").succeeded()


@pytest.mark.parametrize("server", KINDS)
def test_daemon_serves_and_stops(daemon: Daemon, server: str) -> None:
    """From start to stop: status tells, questions are answered, nothing is left."""
    endpoint = daemon.started(server=server)
    process = daemon.process
    workers = children(process)

    assert daemon.tell("status").succeeded() == f"running (process {process})\n"
    assert ask(endpoint) == ANSWER
    assert daemon.tell("stop").succeeded() == f"stopped (process {process})\n"

    assert not [number for number in (process, *workers) if lives(number)]
    assert not daemon.pid_file.exists()
    assert daemon.tell("status").status == 3
    assert f"listening on {endpoint}" in daemon.log()
    assert daemon.log().rstrip().endswith("stopped")


def test_daemon_is_detached(daemon: Daemon) -> None:
    """No terminal, a session of its own that it does not lead, the root as directory, nothing of its starter's open."""
    daemon.started()
    process = Path(f"/proc/{daemon.process}")

    parent, group, session, terminal = map(
        int, (process / "stat").read_text("utf-8").rpartition(")")[2].split()[1:5]
    )

    assert terminal == 0
    assert session not in (daemon.process, os.getsid(0))
    assert parent != group
    assert (process / "cwd").readlink() == Path("/")
    assert {(process / f"fd/{number}").readlink() for number in range(3)} == {Path("/dev/null")}
    pipes = [link for link in (process / "fd").iterdir() if str(link.readlink()).startswith("pipe:")]
    assert pipes == []


def test_daemon_is_not_started_twice(daemon: Daemon) -> None:
    """The second start says who has the pid file, and the first goes on."""
    endpoint = daemon.started()

    daemon.start().failed_with("already running", str(daemon.process), str(daemon.pid_file))

    assert ask(endpoint) == ANSWER


@pytest.mark.parametrize("server", KINDS)
def test_daemon_that_was_killed_leaves_a_stale_pid_file_and_no_workers(daemon: Daemon, server: str) -> None:
    """Status says so, stop refuses, and the next start takes the file over and logs that."""
    daemon.started(server=server)
    workers = children(daemon.process)
    killed = daemon.kill()

    assert daemon.process == killed
    stale = daemon.tell("status")
    assert (stale.status, "stale" in stale.output) == (1, True), stale
    daemon.tell("stop").failed_with("not running")
    assert wait_until(lambda: not any(map(lives, workers))), "workers outlive their daemon"
    endpoint = daemon.started(server=server)

    assert ask(endpoint) == ANSWER
    assert "left its pid file, which is replaced" in daemon.log()


def test_pid_file_that_names_a_stranger_is_stale(daemon: Daemon) -> None:
    """The number was given to another process since: that one is neither taken for the daemon nor stopped."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        daemon.pid_file.write_text(f"{stranger.pid}\n", "ascii")

        assert daemon.tell("status").status == 1
        daemon.tell("stop").failed_with("not running")
        daemon.started()

        assert daemon.process != stranger.pid
        assert stranger.poll() is None


@pytest.mark.parametrize("server", KINDS)
def test_sigterm_answers_what_has_come(daemon: Daemon, server: str) -> None:
    """What came while the daemon stood still, and with it SIGTERM, is answered, also where it had not accepted yet."""
    endpoint = daemon.started(server=server)
    process = daemon.process
    with endpoint.connect(5.0) as known:
        known.sendall(QUESTION)
        assert known.recv(100) == ANSWER
        everybody = [*children(process), process]
        for number in everybody:
            os.kill(number, signal.SIGSTOP)
        with endpoint.connect(5.0) as waiting:
            known.sendall(QUESTION + b"What")
            waiting.sendall(QUESTION)
            os.kill(process, signal.SIGTERM)
            for number in everybody:
                os.kill(number, signal.SIGCONT)

            answers = [to_the_end(known), to_the_end(waiting)]

    assert answers == [ANSWER, ANSWER]
    assert wait_until(lambda: not lives(process)), "the daemon does not end"
    assert not daemon.pid_file.exists()


@pytest.mark.parametrize("server", KINDS)
def test_reload_follows_a_rotated_log_and_new_settings(daemon: Daemon, server: str) -> None:
    """After `reload` the file that was moved away gets no more lines; the new one has what the new level lets through."""
    daemon.settings.write_text('level = "error"', "utf-8")
    daemon.started("--settings", str(daemon.settings), server=server)
    assert daemon.log() == ""
    moved = daemon.log_file.rename(daemon.log_file.with_suffix(".1"))
    daemon.settings.write_text('level = "info"', "utf-8")

    daemon.tell("reload").succeeded()

    assert wait_until(lambda: daemon.log_file.exists() and "reloaded" in daemon.log()), "it does not reload"
    daemon.tell("stop").succeeded()
    assert "stopped" in daemon.log()
    assert moved.read_text("utf-8") == ""


@pytest.mark.parametrize("text", ["level = 3", 'level = "loud"', "colour = 1", "level =", "\xff"])
def test_wrong_settings_change_nothing(daemon: Daemon, text: str) -> None:
    """At `reload` they are one line in the log, and the daemon goes on; at `start` they are its one line."""
    daemon.settings.write_text("", "utf-8")
    endpoint = daemon.started("--settings", str(daemon.settings))
    daemon.settings.write_text(text, "latin-1")

    daemon.tell("reload").succeeded()

    assert wait_until(lambda: "not reloaded" in daemon.log()), "the daemon does not say that it could not"
    assert ask(endpoint) == ANSWER
    daemon.tell("stop").succeeded()
    assert "Traceback" not in daemon.log()
    daemon.start("--settings", str(daemon.settings)).failed_with("lancelot.toml")
    assert not daemon.pid_file.exists()


def test_daemon_logs_to_syslog(daemon: Daemon, tmp_path: Path) -> None:
    """Each line is one datagram with the facility `daemon` (3), a severity, the name and the process (RFC 3164)."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as syslog:
        address = tmp_path / "log"
        syslog.bind(str(address))
        syslog.settimeout(5.0)
        endpoint = endpoint_in(daemon.start("--syslog", str(address), log=False).succeeded())
        process = daemon.process
        daemon.tell("stop").succeeded()

        lines = [syslog.recv(4096).decode() for _ in range(2)]

    assert lines == [
        f"<30>lancelot[{process}]: server_epoll listening on {endpoint}",
        f"<30>lancelot[{process}]: stopped",
    ]
    assert not daemon.log_file.exists()


def test_daemon_logs_to_both(daemon: Daemon, tmp_path: Path) -> None:
    """A file and syslog, over UDP here, get the same lines."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as syslog:
        syslog.bind(("127.0.0.1", 0))
        syslog.settimeout(5.0)
        daemon.started("--syslog", f"127.0.0.1:{syslog.getsockname()[1]}")
        told = syslog.recv(4096).decode()

    assert re.search(r"listening on \S+", told)
    assert told.partition(": ")[2] in daemon.log()
    assert not list(tmp_path.glob("log"))


def test_start_tells_what_is_wrong(daemon: Daemon, tmp_path: Path) -> None:
    """What only the daemon itself finds out comes back to the one who starts it, in one line, and no pid file stays."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]
        daemon.start(port=taken).failed_with(str(taken), "Address already in use")
    missing = str(tmp_path / "missing" / "file")
    daemon.start("--log-file", missing).failed_with(missing, "--log-file")
    daemon.start("--syslog", missing, log=False).failed_with(missing, "--log-file")
    daemon.start("--settings", missing).failed_with(missing)
    LANCELOT.run("daemon", "start", "--pid-file", missing, "epoll", "127.0.0.1").failed_with(
        missing, "--pid-file"
    )
    LANCELOT.run("daemon", "start", "nobody", "127.0.0.1").failed_with("nobody", status=2)
    LANCELOT.run("daemon", "start", "epoll").failed_with("INTERFACE", status=2, told_by="server_epoll")
    assert not daemon.pid_file.exists()
    daemon.tell("stop").failed_with("not running")
    daemon.tell("reload").failed_with("not running")

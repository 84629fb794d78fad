"""The Lancelot programs as a user runs them: a command line, two streams of text, an exit status, signals.

Knows how to start `python -m implementations.lancelot.<name>` with a deadline, and how a server says that it listens. Must not
know what a program is to say besides.
"""

from __future__ import annotations

import contextlib
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.wire.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for a whole program, start of the interpreter included.
DEADLINE = 30.0
QUESTION = b"What is your quest?"
ANSWER = b"To seek the Holy Grail."
#: The servers' command lines, each with what chooses its style.
SERVERS = (
    ("server_simple",),
    ("server_select",),
    ("server_poll",),
    ("server_epoll",),
    ("server_threads",),
    ("server_processes",),
    ("server_socketserver", "--style", "threading"),
    ("server_socketserver", "--style", "forking"),
    ("server_twisted",),
    ("server_asyncio", "--style", "streams"),
    ("server_asyncio", "--style", "protocol"),
    ("server_asyncio", "--style", "buffered"),
    ("server_asyncio", "--style", "buffered", "--loop", "uvloop"),
    ("server_reuseport",),
)
_LISTENING = re.compile(r"listening on (\S+):(\d+)")


@dataclass(frozen=True)
class Ran:
    """What a program left: exit status, standard output, standard error."""

    program: str
    status: int
    output: str
    complaint: str

    def failed_with(self, *words: str, status: int = 1) -> None:
        """Check that it ended with this status and one line on standard error that holds the words.

        Raises:
            AssertionError: it did not.
        """
        assert self.status == status, f"exit status {self.status}, not {status}: {self}"
        assert "Traceback" not in self.complaint + self.output, self.complaint
        assert self.complaint.count("\n") == 1, f"not one line: {self.complaint!r}"
        assert self.complaint.startswith("python -m implementations.lancelot."), self.complaint
        missing = [word for word in words if word not in self.complaint]
        assert not missing, f"{missing} not in {self.complaint!r}"

    def succeeded(self) -> str:
        """Check that it ended with status 0 and had nothing to complain of; return what it printed.

        Raises:
            AssertionError: it did not.
        """
        assert (self.status, self.complaint) == (0, ""), f"{self}"
        return self.output


def start(program: str, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
    """Start a program without a controlling terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", f"implementations.lancelot.{program}", *words],
        cwd=ROOT,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def finish(program: str, process: subprocess.Popen[str], entered: str | None = None) -> Ran:
    """Wait for a program that was started; `entered` goes to its standard input, which ends then.

    Raises:
        AssertionError: it hangs; it is ended then.
    """
    try:
        output, complaint = process.communicate(entered, timeout=DEADLINE)
    except subprocess.TimeoutExpired as error:
        process.kill()
        output, complaint = process.communicate()
        raise AssertionError(f"{program} hangs; it had said {output!r} and {complaint!r}") from error
    return Ran(program, process.returncode, output, complaint)


def run(program: str, *words: str) -> Ran:
    """Run a program to its end."""
    return finish(program, start(program, *words))


@dataclass(frozen=True)
class Running:
    """A server that listens."""

    process: subprocess.Popen[str]
    endpoint: Endpoint

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ran:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(number)
        return finish("the server", self.process)


@contextlib.contextmanager
def serving(program: str, *words: str) -> Iterator[Running]:
    """Start a server on a port of the kernel's choice; end it afterwards, however the test ends."""
    process = start(program, "127.0.0.1", "--port", "0", *words)
    try:
        yield Running(process, endpoint_in(first_line(process)))
    finally:
        if process.poll() is None:
            process.terminate()
            finish(program, process)


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a program prints.

    Raises:
        AssertionError: none came in time.
    """
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], DEADLINE)
    assert ready, "nothing was printed"
    line = process.stdout.readline()
    assert line, f"it ended: {finish('it', process)}"
    return line


def endpoint_in(line: str) -> Endpoint:
    """Where a line says that a server listens."""
    said = _LISTENING.match(line)
    assert said, f"no endpoint in {line!r}"
    return Endpoint(said[1].strip("[]"), int(said[2]))


def ask(endpoint: Endpoint) -> bytes:
    """Ask one question over a connection of its own; return all that comes."""
    with endpoint.connect(5.0) as connection:
        connection.sendall(QUESTION)
        connection.shutdown(1)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds that nothing tells of.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + DEADLINE
    pause = select.poll()
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        pause.poll(10)

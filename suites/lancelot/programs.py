"""The Lancelot programs as a user runs them: a command line, two streams of text, an exit status, signals.

Knows the servers' command lines, and how a server says that it listens. Must not know what a program is to say besides.
"""

from __future__ import annotations

import contextlib
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from lab.judge.programs import Programs, Ran
from lab.wire.endpoint import Endpoint

LANCELOT = Programs("implementations.lancelot")
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
class Running:
    """A server that listens."""

    program: str
    process: subprocess.Popen[str]
    endpoint: Endpoint

    def stop(self, number: signal.Signals = signal.SIGTERM) -> Ran:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(number)
        return LANCELOT.finish(self.program, self.process)


@contextlib.contextmanager
def serving(program: str, *words: str) -> Iterator[Running]:
    """Start a server on a port of the kernel's choice; end it afterwards, however the test ends."""
    process = LANCELOT.start(program, "127.0.0.1", "--port", "0", *words)
    try:
        yield Running(program, process, endpoint_in(first_line(process)))
    finally:
        if process.poll() is None:
            process.terminate()
            LANCELOT.finish(program, process)


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line that a program prints.

    Raises:
        AssertionError: none came in time.
    """
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], LANCELOT.deadline)
    assert ready, "nothing was printed"
    line = process.stdout.readline()
    assert line, f"it ended: {process.communicate(timeout=LANCELOT.deadline)}"
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

"""A server of ours of which a test moves the clock, and sees how much memory it takes.

Knows the service's options for that. Must not know what it answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from lab.judge.subject import START_TIMEOUT, Process
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from suites.memcached.session import Session

Driver = Literal["epoll", "asyncio"]
DRIVERS: tuple[Driver, ...] = ("epoll", "asyncio")


class ServerByHand:
    """The server; sessions are closed with it."""

    def __init__(self, process: Process, port: int, held: ExitStack) -> None:
        self._process = process
        self._held = held
        self.endpoint = Endpoint("127.0.0.1", port)

    def connect(self, *, timeout: float = 5.0) -> Session:
        """Open a session."""
        return Session(self._held.enter_context(connect(self.endpoint, timeout=timeout)))

    def advance(self, seconds: int) -> None:
        """Let time pass in the server."""
        self._process.write_line({"advance": seconds})
        answer = self._process.read_line(5.0)
        assert "seconds" in answer, f"advance was answered {answer!r}"

    def resident(self) -> int:
        """Octets of memory that the server's process takes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    def alive(self) -> bool:
        """Whether the server's process runs."""
        return self._process.alive()


@contextmanager
def server_by_hand(
    driver: Driver,
    *,
    memory_limit: int = 64 << 20,
    maximum_item: int = 8 << 20,
    maximum_connections: int = 512,
) -> Iterator[ServerByHand]:
    """Start a server; it ends with the context."""
    command = (
        sys.executable,
        "-m",
        "implementations.memcached.service",
        "--driver",
        driver,
        "--clock",
        "hand",
    )
    process = Process(command, name=f"ours-{driver}")
    try:
        process.write_line(
            {
                "host": "127.0.0.1",
                "memory_limit": memory_limit,
                "maximum_item": maximum_item,
                "maximum_connections": maximum_connections,
            }
        )
        ready = process.read_line(START_TIMEOUT)["ready"]
        assert isinstance(ready, dict)
        with ExitStack() as held:
            yield ServerByHand(process, ready["plain"], held)
    finally:
        process.stop()

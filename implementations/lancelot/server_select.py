"""Lancelot with `select`: the oldest event loop, for less than 1024 descriptors.

Knows `select.select`, and makes it look like a poller. Each turn hands all descriptors to the kernel and looks through
all of them afterwards.
"""

from __future__ import annotations

import resource
import select
import socket
import sys

from implementations.lancelot.command_line import Options, Ready, Server, main
from implementations.lancelot.event_loop import OUT, EventLoop
from implementations.lancelot.signals import Signals

#: What select's bit sets hold; descriptors with higher numbers cannot be waited for.
FD_SETSIZE = 1024


class SelectPoller:
    """`select.select` with the methods of `select.poll`; each descriptor waits to read or to write, not for both."""

    def __init__(self) -> None:
        self._reading: dict[int, int] = {}
        self._writing: dict[int, int] = {}

    def register(self, fd: int, eventmask: int, /) -> None:
        """Begin to watch for one thing."""
        (self._writing if eventmask == OUT else self._reading)[fd] = eventmask

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch for another thing."""
        self.unregister(fd)
        self.register(fd, eventmask)

    def unregister(self, fd: int, /) -> None:
        """Watch no longer."""
        self._reading.pop(fd, None)
        self._writing.pop(fd, None)

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait at most so many seconds; return what is ready, with what it was watched for."""
        readable, writable, _ = select.select(self._reading, self._writing, (), timeout)
        reading = self._reading
        ready = [(fd, reading[fd]) for fd in readable]
        return ready + [(fd, OUT) for fd in writable] if writable else ready


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft > FD_SETSIZE:
        # So that `accept` says it is full, and further clients wait, instead of descriptors that select cannot take.
        resource.setrlimit(resource.RLIMIT_NOFILE, (FD_SETSIZE, hard))
    poller = SelectPoller()
    loop = EventLoop(poller, listener, signals, wait=poller.poll, units_per_second=1, grace=options.grace)
    ready()
    loop.run()


SERVER = Server("server_select", "Serve Lancelot with one event loop on select.", serve)

if __name__ == "__main__":
    sys.exit(main(SERVER))

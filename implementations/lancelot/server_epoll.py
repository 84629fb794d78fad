"""Lancelot with `epoll`: one thread, and the kernel keeps the list of connections.

Knows `select.epoll`, level-triggered: a connection is reported as long as there is something to read.
"""

from __future__ import annotations

import select
import socket
import sys

from implementations.lancelot.command_line import Options, Ready, Server, main
from implementations.lancelot.event_loop import EventLoop, endless
from implementations.lancelot.signals import Signals


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    with select.epoll() as poller:
        loop = EventLoop(
            poller, listener, signals, wait=endless(poller), units_per_second=1, grace=options.grace
        )
        ready()
        loop.run()


SERVER = Server("server_epoll", "Serve Lancelot with one event loop on epoll.", serve)

if __name__ == "__main__":
    sys.exit(main(SERVER))

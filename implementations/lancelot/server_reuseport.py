"""Lancelot with one event loop for each core: the fastest one.

Each worker is a process with a listening socket of its own on the shared port (SO_REUSEPORT), among which the kernel
spreads the connections, and an edge-triggered epoll: a connection is reported when something comes, and costs one read and
one write. The parent holds the listening sockets too, so that nobody who waits is lost when a worker dies.
"""

from __future__ import annotations

import argparse
import select
import socket
import sys

from implementations.lancelot.command_line import (
    Options,
    Ready,
    Server,
    add_workers,
    cores,
    main,
    open_beside,
)
from implementations.lancelot.event_loop import EventLoop, endless
from implementations.lancelot.signals import Signals
from implementations.lancelot.workers import Workers

EDGES = select.EPOLLET | select.EPOLLRDHUP


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    listeners = [listener, *(open_beside(listener) for _ in range(options.workers - 1))]

    def work(number: int, own: Signals, accepting: Ready) -> None:
        with select.epoll() as poller:
            mine = listeners[number]
            for other in listeners:
                if other is not mine:
                    other.close()
            loop = EventLoop(
                poller, mine, own, wait=endless(poller), units_per_second=1, grace=options.grace, edges=EDGES
            )
            accepting()
            loop.run()

    def close() -> None:
        for each in listeners:
            each.close()

    Workers(work, signals).supervise(options.workers, options.grace, ready, close)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    add_workers(parser, cores(), "processes with an event loop each, one for each core")


SERVER = Server(
    "server_reuseport",
    "Serve Lancelot with one edge-triggered event loop for each core.",
    serve,
    add_options,
    shares_port=True,
)

if __name__ == "__main__":
    sys.exit(main(SERVER))

"""Lancelot with processes: each worker accepts a client from the one listening socket, and serves it to its end.

Knows forked workers that share a socket. As many clients as there are workers are served at a time; the others wait.
"""

from __future__ import annotations

import argparse
import socket
import sys

from implementations.lancelot import server_simple
from implementations.lancelot.command_line import Options, Ready, Server, add_patience, add_workers, main
from implementations.lancelot.signals import Signals
from implementations.lancelot.workers import Workers

WORKERS = 10


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop: each worker is a server for one client at a time."""
    listener.settimeout(0)  # before the workers share it
    workers = Workers(
        lambda _number, own, accepting: server_simple.serve(listener, own, options, accepting), signals
    )
    workers.supervise(options.workers, options.grace, ready, listener.close)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    add_workers(parser, WORKERS, "processes, and so clients that are served at a time")
    add_patience(parser)


SERVER = Server(
    "server_processes",
    "Serve Lancelot with processes that accept on one listening socket.",
    serve,
    add_options,
)

if __name__ == "__main__":
    sys.exit(main(SERVER))

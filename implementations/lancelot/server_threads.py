"""Lancelot with threads: each worker accepts a client from the one listening socket, and serves it to its end.

Knows threads. As many clients as there are workers are served at a time; the others wait.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
import threading
import time

from implementations.lancelot.blocking import Door, Visitors, attend
from implementations.lancelot.command_line import Options, Server, add_patience, add_workers, main
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")
WORKERS = 10


class Halt:
    """Tells all workers at once to stop: a pipe whose end they all see."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        self._asked = False

    def fileno(self) -> int:
        """Readable once the workers are to stop."""
        return self._reader

    def stop_asked(self) -> bool:
        """Whether the workers are to stop."""
        return self._asked

    def ask(self) -> None:
        """Tell them."""
        self._asked = True
        os.close(self._writer)


class Workers:
    """The threads. One that ends by a defect is replaced, so that it costs its client and no more."""

    def __init__(self, listener: socket.socket, signals: Signals, options: Options) -> None:
        self._listener = listener
        self._signals = signals
        self._patience = options.patience
        self._halt = Halt()
        self._threads: set[threading.Thread] = set()
        self.visitors = Visitors()

    def start(self) -> None:
        """Add a worker."""
        thread = threading.Thread(target=self._work, daemon=True)
        self._threads.add(thread)
        thread.start()

    def replace_dead(self) -> None:
        """Start a worker for each that ended."""
        dead = {thread for thread in self._threads if not thread.is_alive()}
        self._threads -= dead
        for _ in dead:
            self.start()

    def stop(self, grace: float) -> None:
        """Have what has come answered, within `grace` seconds."""
        self.visitors.hang_up()
        self._halt.ask()
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if late := len(self.visitors):
            log.warning("%d connections did not take their answers in time", late)
        self.visitors.cut()
        for thread in self._threads:
            thread.join(1)

    def _work(self) -> None:
        door = Door(self._listener, self._halt)
        try:
            while (connection := door.next()) is not None:
                attend(connection, self.visitors, self._patience)
        except Exception:
            log.exception("a worker died, another one takes its place")
        finally:
            door.close()
            self._signals.nudge()


def serve(listener: socket.socket, signals: Signals, options: Options) -> None:
    """Serve until asked to stop."""
    workers = Workers(listener, signals, options)
    for _ in range(options.workers):
        workers.start()
    while not signals.wait():
        workers.replace_dead()
    workers.stop(options.grace)
    listener.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    add_workers(parser, WORKERS, "threads, and so clients that are served at a time")
    add_patience(parser)


SERVER = Server(
    "server_threads", "Serve Lancelot with threads that accept on one listening socket.", serve, add_options
)

if __name__ == "__main__":
    sys.exit(main(SERVER))

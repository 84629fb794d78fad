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
from collections import deque

from implementations.lancelot.blocking import Door, Entrance, Visitors, attend
from implementations.lancelot.command_line import (
    Options,
    Ready,
    Server,
    add_patience,
    add_workers,
    explain,
    main,
)
from implementations.lancelot.event_loop import RETRY
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
    """The threads. One that dies of a defect is replaced, so that it costs its client and no more."""

    def __init__(self, listener: socket.socket, signals: Signals, options: Options) -> None:
        self._entrance = Entrance(listener)
        self._signals = signals
        self._patience = options.patience
        self._halt = Halt()
        self._threads: set[threading.Thread] = set()
        self._dead: deque[threading.Thread] = deque()
        self._missing = options.workers
        self._visitors = Visitors()

    def supervise(self, grace: float, ready: Ready) -> None:
        """Keep the threads running until asked to stop; then have what has come answered, within `grace` seconds."""
        self._start_missing()
        while not self._threads and not self._signals.wait(RETRY):
            self._start_missing()
        ready()
        while not self._signals.wait(RETRY if self._missing else None):
            while self._dead:
                self._threads.discard(self._dead.popleft())
                self._missing += 1
            self._start_missing()
        self._stop(grace)

    def _start_missing(self) -> None:
        while self._missing:
            try:
                door = Door(self._entrance, self._halt)
                thread = threading.Thread(target=self._work, args=(door,), daemon=True)
                thread.start()
            except (RuntimeError, OSError) as error:  # no more threads, no descriptor left
                log.warning("a worker is missing: %s", explain(error))
                return
            self._threads.add(thread)
            self._missing -= 1

    def _stop(self, grace: float) -> None:
        self._entrance.close()
        self._visitors.hang_up()
        self._halt.ask()
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        if late := len(self._visitors):
            log.warning("%d connections did not take their answers in time", late)
        self._visitors.cut()
        for thread in self._threads:
            thread.join(1)

    def _work(self, door: Door) -> None:
        try:
            while (connection := door.next()) is not None:
                attend(connection, self._visitors, self._patience)
        except Exception:
            log.exception("a worker died, another one takes its place")
            self._dead.append(threading.current_thread())
            self._signals.nudge()
        finally:
            door.close()


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    Workers(listener, signals, options).supervise(options.grace, ready)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    add_workers(parser, WORKERS, "threads, and so clients that are served at a time")
    add_patience(parser)


SERVER = Server(
    "server_threads", "Serve Lancelot with threads that accept on one listening socket.", serve, add_options
)

if __name__ == "__main__":
    sys.exit(main(SERVER))

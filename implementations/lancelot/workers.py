"""Worker processes: started, replaced when they die, told to stop, and ended.

Knows fork, waitpid and lifelines. Must not know what a worker does.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from implementations.lancelot.signals import Signals, held_back

log = logging.getLogger("lancelot")

#: Seconds that a worker has to live for the next one to follow at once; so a defect costs no endless forking.
SHORT_LIFE = 1.0
#: Seconds beyond the grace of the servers, after which a worker is killed.
MARGIN = 1.0


@dataclass(frozen=True)
class _Worker:
    number: int
    started: float
    lifeline: int


class Workers:
    """The worker processes of one server."""

    def __init__(self, work: Callable[[int, Signals, Callable[[], None]], None], signals: Signals) -> None:
        """Each worker calls `work`, and ends when that returns.

        `work` is given the worker's number, its own signals, and what it calls once it accepts.
        """
        self._work = work
        self._signals = signals
        self._running: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}
        #: Through which the first worker that accepts tells of it: both ends, until it has.
        self._news: tuple[int, int] | None = None
        self._closing = False

    def supervise(
        self, number: int, grace: float, ready: Callable[[], None], close: Callable[[], None]
    ) -> None:
        """Keep so many workers running until asked to stop; then give them `grace` seconds.

        `ready` is called when the first worker accepts. `close` ends what the parent itself has open: or the kernel would
        go on to take clients in that nobody serves.
        """
        self._signals.on_hangup.append(lambda: self._tell(signal.SIGHUP))
        self._due = dict.fromkeys(range(number), 0.0)
        self._news = os.pipe()
        while not self._signals.stopping:
            self._start_due(time.monotonic())
            if self._wait(self._until_next()):
                self._hear_no_more()
                ready()
            self._reap()
        self._hear_no_more()
        # A place that is empty just now: clients may wait at a socket that no other worker has.
        self._start_due(math.inf)
        self._closing = True
        close()
        self._tell(signal.SIGTERM)
        deadline = time.monotonic() + grace + MARGIN
        while self._running and (left := deadline - time.monotonic()) > 0:
            self._signals.wait(left)
            self._reap()
        self._tell(signal.SIGKILL)
        while self._running:
            self._signals.wait()
            self._reap()

    def _until_next(self) -> float | None:
        return max(min(self._due.values()) - time.monotonic(), 0) if self._due else None

    def _wait(self, timeout: float | None) -> bool:
        """Wait for signals, or for the news that a worker accepts; whether that came."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._news is not None:
            poll.register(self._news[0], select.POLLIN)
        found = poll.poll(None if timeout is None else timeout * 1000)
        self._signals.stop_asked()
        return self._news is not None and (self._news[0], select.POLLIN) in found

    def _hear_no_more(self) -> None:
        for end in self._news or ():
            os.close(end)
        self._news = None

    def _start_due(self, now: float) -> None:
        """Start the workers that were due by `now`."""
        for number in [number for number, when in self._due.items() if when <= now]:
            del self._due[number]
            try:
                self._start(number)
            except OSError as error:
                log.warning("worker %d could not be started: %s", number, error.strerror)
                self._due[number] = time.monotonic() + SHORT_LIFE

    def _start(self, number: int) -> None:
        reader, writer = os.pipe()
        with held_back():
            try:
                pid = os.fork()
            except OSError:
                os.close(reader)
                os.close(writer)
                raise
            if pid == 0:
                self._become_worker(number, reader, writer)
        os.close(reader)
        self._running[pid] = _Worker(number, time.monotonic(), writer)

    def _become_worker(self, number: int, reader: int, writer: int) -> None:
        """Run in the child; never return into the parent's code."""
        status = 1
        try:
            os.close(writer)
            for sibling in self._running.values():
                os.close(sibling.lifeline)
            signals = self._signals
            signals.renew()
            signals.on_hangup.pop()
            signals.hang_on(reader)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            self._work(number, signals, self._tell_news)
            status = 0
        except BaseException:
            log.exception("worker %d died", number)
        finally:
            os._exit(status)

    def _tell_news(self) -> None:
        """Run in the child: it accepts."""
        if self._news is not None:
            with contextlib.suppress(BrokenPipeError):  # another one was quicker
                os.write(self._news[1], b"!")
            self._hear_no_more()

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            worker = self._running.pop(pid, None)
            if worker is None:
                continue
            os.close(worker.lifeline)
            # Whoever was asked to stop with the server, by one signal to all of them, has answered its own clients.
            if not (self._closing or (self._signals.stopping and status == 0)):
                code = os.waitstatus_to_exitcode(status)
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                log.warning("worker %d (process %d) ended with %s and is replaced", worker.number, pid, how)
                now = time.monotonic()
                self._due[worker.number] = now if now - worker.started > SHORT_LIFE else now + SHORT_LIFE

    def _tell(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)

"""Worker processes: started, replaced when they die, told to stop, and ended.

Knows fork, waitpid and lifelines. Must not know what a worker does.
"""

from __future__ import annotations

import logging
import os
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

    def __init__(self, work: Callable[[int, Signals], None], signals: Signals) -> None:
        """Each worker calls `work` with its number and its own signals, and ends when that returns."""
        self._work = work
        self._signals = signals
        self._running: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}

    def supervise(self, number: int, grace: float, close: Callable[[], None]) -> None:
        """Keep so many workers running until asked to stop; then give them `grace` seconds.

        `close` ends what the parent itself has open: or the kernel would go on to take clients in that nobody serves.
        """
        self._signals.on_hangup.append(lambda: self._tell(signal.SIGHUP))
        self._due = dict.fromkeys(range(number), 0.0)
        while not self._signals.stopping:
            self._start_due()
            self._signals.wait(self._until_next())
            self._reap()
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

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, when in self._due.items() if when <= now]:
            del self._due[number]
            try:
                self._start(number)
            except OSError as error:
                log.warning("worker %d could not be started: %s", number, error.strerror)
                self._due[number] = now + SHORT_LIFE

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
            self._work(number, signals)
            status = 0
        except BaseException:
            log.exception("worker %d died", number)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            worker = self._running.pop(pid, None)
            if worker is None:
                continue
            os.close(worker.lifeline)
            if not self._signals.stopping:
                code = os.waitstatus_to_exitcode(status)
                how = f"signal {-code}" if code < 0 else f"exit code {code}"
                log.warning("worker %d (process %d) ended with %s and is replaced", worker.number, pid, how)
                now = time.monotonic()
                self._due[worker.number] = now if now - worker.started > SHORT_LIFE else now + SHORT_LIFE

    def _tell(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)

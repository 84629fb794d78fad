"""Clients that ask one question after the other until the connection ends, for what has to hold under load.

Knows sessions and threads. Judges nothing.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab.wire.stream import StreamError
from suites.lancelot.session import Session
from suites.lancelot.specification import ANSWERS, answer


class Asker(threading.Thread):
    """Asks until the connection ends or it is told to stop; one question is outstanding at a time.

    Attributes:
        sent: when each question had been handed to the kernel, on the monotonic clock.
        answered: the answers so far.
        wrong: the answers that are not those of their questions.
        leftover: octets after the last whole answer, once the connection has ended.
        ended: whether the connection ended.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(daemon=True)
        self._session = session
        self._enough = threading.Event()
        self.sent: list[float] = []
        self.answered: list[bytes] = []
        self.wrong: list[bytes] = []
        self.leftover = b""
        self.ended = False

    def run(self) -> None:
        """Ask."""
        for question in itertools.cycle(ANSWERS):
            if self._enough.is_set():
                return
            try:
                self._session.send(question)
                self.sent.append(time.monotonic())
                said = self._session.answer()
            except StreamError:
                self.ended = True
                self.leftover = self._session.rest()
                return
            self.answered.append(said)
            if said != answer(question):
                self.wrong.append(said)

    def stop(self) -> None:
        """Ask no more."""
        self._enough.set()

    def lost(self, moment: float) -> int:
        """How many questions had been sent before a moment and were never answered."""
        return sum(when < moment for when in self.sent[len(self.answered) :])


@contextmanager
def load(sessions: Sequence[Session]) -> Iterator[list[Asker]]:
    """Have all the sessions asked, each by a thread, until the block ends."""
    askers = [Asker(session) for session in sessions]
    for asker in askers:
        asker.start()
    try:
        yield askers
    finally:
        for asker in askers:
            asker.stop()
        for asker in askers:
            asker.join()

"""How long work tells its reader where it is. Knows no terminal, no container and no protocol.

Work is a set of subjects (an image, a server, a package), each in one state at a time. The command line draws them as a
table; a pipe gets one line for each change; tests pass a `Quiet`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol, TextIO


class Progress(Protocol):
    """Where work reports. Called from several threads."""

    def update(self, subject: str, state: str, detail: str = "") -> None:
        """Say that `subject` is now in `state` (waiting, building, done, …), with a few words of detail."""

    def confirm(self, question: str) -> bool:
        """Ask the user before something is changed on the machine; False where there is nobody to ask."""


class Quiet:
    """Tells nobody, and takes silence for a no."""

    def update(self, subject: str, state: str, detail: str = "") -> None:
        """Do nothing."""

    def confirm(self, question: str) -> bool:  # noqa: ARG002  nobody hears it
        """Return False: nobody was asked."""
        return False


class Lines:
    """One line for each change of state, with the seconds since the start, for pipes and logs."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._start = clock()
        self._last: dict[str, tuple[str, str]] = {}
        self._lock = Lock()

    def update(self, subject: str, state: str, detail: str = "") -> None:
        """Print the change; the same state twice is printed once."""
        with self._lock:
            if self._last.get(subject) == (state, detail):
                return
            self._last[subject] = (state, detail)
            words = f"{state} ({detail})" if detail else state
            print(f"[{self._clock() - self._start:6.1f}s] {subject}: {words}", file=self._stream, flush=True)

    def confirm(self, question: str) -> bool:
        """Ask on a terminal; elsewhere nobody can answer."""
        if not (self._stream.isatty() and sys.stdin.isatty()):
            return False
        print(f"{question} [y/N] ", end="", file=self._stream, flush=True)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

"""The live table of work under way, for a terminal. Knows rich; what the work is comes in as words."""

from __future__ import annotations

import time
from threading import Lock
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

STYLES = {
    "done": "green",
    "ready": "green",
    "running": "green",
    "failed": "red",
    "waiting": "dim",
    "removed": "dim",
}


class LiveTable:
    """A `lab.stack.progress.Progress` that redraws one row for each subject."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._rows: dict[str, tuple[str, str, float, float]] = {}
        self._lock = Lock()
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, subject: str, state: str, detail: str = "") -> None:
        """Show the subject's new state; seconds count from when it was first heard of."""
        now = time.monotonic()
        with self._lock:
            began = self._rows[subject][2] if subject in self._rows else now
            self._rows[subject] = (state, detail, began, now)

    def confirm(self, question: str) -> bool:
        """Ask below the table."""
        self._live.stop()
        try:
            return self._console.input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False
        finally:
            self._live.start()

    def _draw(self) -> Group:
        now = time.monotonic()
        with self._lock:
            rows = list(self._rows.items())
        width = max((len(subject) for subject, _row in rows), default=0)
        return Group(*(self._line(subject.ljust(width), row, now) for subject, row in rows))

    @staticmethod
    def _line(subject: str, row: tuple[str, str, float, float], now: float) -> Text:
        state, detail, began, changed = row
        ended = state in STYLES and state != "waiting"
        line = Text(f"{subject}  ", no_wrap=True, overflow="ellipsis")
        line.append(f"{state:10}", style=STYLES.get(state, "yellow"))
        line.append(f"{(changed if ended else now) - began:6.1f} s  {detail}")
        return line

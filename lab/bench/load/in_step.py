"""In step: all connections ask at once, and again when all have their answers.

Knows quotas. Its connections are open, and each was served a few times, before the run begins: what they cost is in no figure.
"""

from __future__ import annotations

import time

from lab.bench.load.asking import shares, turns
from lab.bench.load.run import Run

#: Questions of each connection before the run.
BEFORE = 20


class InStep:
    """The connections of one run. Raises Trouble."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._quotas = [share for share in shares(run.questions, run.connections, run.depth) if share]
        self._crowd = run.crowd(turns(run.exchanges, run.depth), "connection")
        self._crowd.join(len(self._quotas))
        for _ in range(BEFORE - 1):
            self._crowd.ask(range(len(self._quotas)))

    def ask(self) -> None:
        """Ask, until all is answered. Raises Trouble."""
        began = time.perf_counter_ns()
        for turn in range(max(self._quotas)):
            self._crowd.ask([number for number, quota in enumerate(self._quotas) if quota > turn])
        for stamps in self._crowd.stamps():
            self._run.count(began, stamps[BEFORE:])

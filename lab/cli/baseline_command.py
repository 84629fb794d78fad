"""`erle bench --target erle --renew-baseline`: writes down what servers cost on the emulated board.

Knows the words of the command. Must not know how anything is counted.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from lab.bench import baseline
from lab.bench.board import Board, Task
from lab.bench.plan import BenchPlan
from lab.cli.bench_display import progress
from lab.errors import LabError


def renew(root: Path, plans: Sequence[BenchPlan]) -> int:
    """Count all servers of these benchmarks and write their baselines anew; returns the exit code. Raises LabError."""
    for plan in plans:
        board = Board(root)
        with progress(plan.protocol) as report:
            task = Task(plan, plan.servers, [baseline.CELL], baseline.REPEATS)
            series = list(board.count(task, report))
        with contextlib.suppress(
            LabError
        ):  # there was none, or one of other versions: nothing to compare with
            changed = baseline.changes(plan, baseline.read(plan), series, board.versions)
            print(baseline.explain(changed, plan.protocol) or "nothing has changed")
        path = baseline.write(plan, series, board.versions)
        print(f"written: {os.path.relpath(path, root)}")
    return 0

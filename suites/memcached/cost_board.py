"""What a command costs our servers on the emulated board: instructions and system calls, counted by `lab.bench.board`.

Knows the load of each mix there, made of the commands of bench.toml. Must not know how anything is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from lab.bench.board import Board, Cell, Task
from lab.bench.plan import BenchPlan
from lab.errors import LabError
from suites.memcached.cost_page import Costs, name

#: Commands that are counted, by depth; each connection says a tenth of them.
COMMANDS: Final = {1: 1000, 32: 3200}
CONNECTIONS: Final = 10
#: What a connection says at most in one load: what it says first, alone, stores anything, and is not counted.
LONGEST: Final = 960


def measure(plan: BenchPlan, root: Path, costs: Costs, tell: Callable[[str], None]) -> None:
    """Count each mix at each depth, on ten connections, in one process each: processes vary by less than 0.5 %.

    Raises:
        LabError: there is no container, or a server could not be counted.
    """
    storing, fetching = plan.exchanges[:2]
    mixes = {"get": (storing, *[fetching] * (LONGEST - 1)), "set": (storing,), "90/10": plan.exchanges}
    board = Board(root)
    for mix, exchanges in mixes.items():
        for depth, commands in COMMANDS.items():
            tell(f"board: {mix}, depth {depth}")
            cells = [Cell(CONNECTIONS, depth=depth, questions=commands)]
            task = Task(replace(plan, exchanges=exchanges), plan.servers, cells, repeats=1)
            for series in board.count(task, lambda _done, _steps, _words: None):
                if series.trouble:
                    raise LabError(f"{series.server} could not be counted: {series.trouble}")
                [costs.board[name(mix, depth, series.server, series.quantity)]] = series.values
    costs.versions = {"processor": "cortex-a8", **board.versions}

"""What a command costs our servers on the emulated board: instructions and system calls, counted by `lab.bench.board`.

Knows the load of each mix there. Must not know how anything is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

from lab.bench.board import Board, Cell, Task
from lab.bench.plan import BenchPlan, Exchange
from lab.errors import LabError
from suites.memcached.cost_page import Costs, name

#: Commands that are counted; each connection says a tenth of them.
COMMANDS: Final = {1: 1000, 32: 6400}
CONNECTIONS: Final = 10
#: More than a connection says in one load: only what it says first, which is not counted, stores anything.
LONGEST: Final = 1920
#: A process varies by less than 0.5 %.
REPEATS: Final = 1


def measure(
    plan: BenchPlan,
    mixes: dict[str, Sequence[Exchange]],
    root: Path,
    costs: Costs,
    tell: Callable[[str], None],
) -> None:
    """Count each mix at each depth, on ten connections.

    Args:
        mixes: the commands of each; where they store nothing, those of "set" come first.

    Raises:
        LabError: there is no container, or a server could not be counted.
    """
    board = Board(root)
    for mix, exchanges in mixes.items():
        said = list(exchanges)
        if not any(each.send.startswith(b"set ") for each in said):
            # one is enough: a connection's first commands, as many as there are keys, would be counted in part
            said = [mixes["set"][0], *[exchanges[0]] * (LONGEST - 1)]
        for depth, commands in COMMANDS.items():
            tell(f"board: {mix}, depth {depth}")
            task = Task(
                replace(plan, exchanges=tuple(said)),
                plan.servers,
                [Cell(CONNECTIONS, depth=depth, questions=commands)],
                REPEATS,
            )
            for series in board.count(task, lambda _done, _steps, _words: None):
                if series.trouble:
                    raise LabError(f"{series.server} could not be counted: {series.trouble}")
                costs.board[name(mix, depth, series.server, series.quantity)] = median(series.values)
    costs.versions = {"processor": "cortex-a8", **board.versions}

"""The matrix on the terminal: whatever its width, each implementation is there with its verdicts."""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from lab.cli.console import matrix_tables
from lab.judge.matrix import Cell, Matrix
from lab.judge.verdict import Verdict

NAMES = [f"implementation-{number:02}" for number in range(30)]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_each_implementation_is_shown_in_a_table_that_fits(width: int) -> None:
    """Thirty implementations: each name once, each cell, and no line beyond the terminal's width."""
    columns = tuple(("server", name) for name in NAMES)
    cells = {("closing", column): Cell(Counter({Verdict.PASS: 7})) for column in columns}
    console = Console(file=StringIO(), width=width)

    for table in matrix_tables(console, "server", Matrix(("closing",), columns, cells)):
        console.print(table)

    assert isinstance(console.file, StringIO)
    shown = console.file.getvalue()
    assert [shown.count(name) for name in NAMES] == [1] * len(NAMES)
    assert shown.count("✓ 7") == 2 * len(NAMES)  # the group, and all groups together
    assert max(map(len, shown.splitlines())) <= width

"""The matrix of a run in numbers: implementations × clause groups.

Knows verdict rows. Must not know how it is shown.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.judge.rows import Row
from lab.judge.verdict import Verdict, worst

Column = tuple[str, str]
"""Role and name of an implementation."""


@dataclass(frozen=True)
class Cell:
    """One implementation on one group: how many clauses came to each verdict (the worst of their cases)."""

    counts: Counter[Verdict]

    @property
    def decided(self) -> int:
        """Clauses that were asked and answered."""
        return sum(self.counts.values()) - self.counts[Verdict.UNSUPPORTED] - self.counts[Verdict.BLOCKED]

    @property
    def worst(self) -> Verdict:
        """The verdict that stands for the cell."""
        return worst([verdict for verdict, count in self.counts.items() if count])


@dataclass(frozen=True)
class Matrix:
    """Groups by implementations."""

    groups: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[str, Column], Cell]

    def totals(self, column: Column) -> Cell:
        """All groups of one implementation together."""
        whole: Counter[Verdict] = Counter()
        for group in self.groups:
            if (cell := self.cells.get((group, column))) is not None:
                whole.update(cell.counts)
        return Cell(whole)


def build_matrix(rows: Sequence[Row], group_of: Mapping[str, str], groups: Sequence[str]) -> Matrix:
    """Count verdict rows.

    Args:
        rows: the verdicts of one protocol.
        group_of: clause id → group.
        groups: the order of the groups.
    """
    seen: defaultdict[tuple[Column, str], list[Verdict]] = defaultdict(list)
    columns: dict[Column, None] = {}
    for row in rows:
        column = (row["role"], row["implementation"])
        columns[column] = None
        for clause in row["clauses"]:
            seen[column, clause].append(Verdict(row["verdict"]))
    cells: defaultdict[tuple[str, Column], Counter[Verdict]] = defaultdict(Counter)
    for (column, clause), verdicts in seen.items():
        cells[group_of[clause], column][worst(verdicts)] += 1
    present = {group for group, _ in cells}
    return Matrix(
        tuple(group for group in groups if group in present),
        tuple(sorted(columns)),
        {key: Cell(counts) for key, counts in cells.items()},
    )

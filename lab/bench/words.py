"""How figures are written for people: numbers with a sensible number of digits, cells in words.

Knows series' cells. Must not know terminals or pages.
"""

from __future__ import annotations

from lab.bench.target import Cell


def number(value: float) -> str:
    """Three digits that mean something: 0.42, 7.3, 54, 85 012 (with a thin space)."""
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{value:.2f}" if size < 10 else f"{value:.1f}"  # noqa: PLR2004 - as above


def percent(share: float, digits: int = 0) -> str:
    """A share as people write it: 5 %."""
    return f"{100 * share:.{digits}f} %"


def cell_words(cell: Cell) -> str:
    """What distinguishes one figure of a quantity from another."""
    _, connections, depth, idle, load = cell
    words = [f"{connections} connection{'s' if connections != 1 else ''}"]
    if depth > 1:
        words.append(f"depth {depth}")
    if idle:
        words.append(f"{idle} idle")
    if load is not None:
        words.append(f"{percent(load)} load")
    return ", ".join(words)

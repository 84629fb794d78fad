"""A measurement on the terminal: progress while it goes, a table and what to look at when it has ended.

Knows rich and figures. Must not know how anything is measured.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lab.bench.figures import Figure, figures_of
from lab.bench.quantities import QUANTITIES
from lab.bench.record import Measurement, ProtocolRecord
from lab.bench.target import Report
from lab.bench.words import cell_words, number

#: Seconds between lines of progress where there is no terminal.
LINE_INTERVAL = 10.0
#: Columns of the table that fit a terminal; the report has all.
MOST_COLUMNS = 7


@contextmanager
def progress(protocol: str) -> Iterator[Report]:
    """A bar on a terminal, a line now and then elsewhere; both on standard error."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(protocol).report
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(protocol, total=None)

        def report(done: int, total: int, words: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{protocol}: {escape(words)}")

        yield report


class _Lines:
    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._began = time.monotonic()
        self._printed = 0.0

    def report(self, done: int, total: int, words: str) -> None:
        now = time.monotonic()
        if now - self._printed > LINE_INTERVAL or done == total:
            self._printed = now
            print(
                f"[{now - self._began:6.1f}s] {self._protocol}: {done}/{total} {words}",
                file=sys.stderr,
                flush=True,
            )


def show(console: Console, record: ProtocolRecord, measurement: Measurement) -> bool:
    """Print the table; returns whether each figure has a verdict."""
    figures = figures_of(measurement.series, record.reference)
    cells = list(dict.fromkeys(figure.series.cell for figure in figures))
    shown = [
        cell for cell in cells if cell[0] in {"throughput", "cpu", "instructions", "system-cpu"}
    ] or cells
    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"{record.protocol} on {measurement.method.target}"
    )
    table.add_column("server", no_wrap=True)
    for cell in shown[:MOST_COLUMNS]:
        quantity = QUANTITIES[cell[0]]
        table.add_column(f"{quantity.short}, {quantity.unit}\n{cell_words(cell)}", justify="right")
    by_key = {(figure.series.server, figure.series.cell): figure for figure in figures}
    for server in record.servers:
        if any(name == server.name for name, _ in by_key):
            table.add_row(
                server.name, *(_cell(by_key.get((server.name, cell))) for cell in shown[:MOST_COLUMNS])
            )
    console.print(table)
    console.print(
        f"In brackets the ratio to {record.reference}, median of the rounds; ~ stands where the ratio varies too much for a "
        "verdict.",
        style="dim",
        highlight=False,
    )
    return _show_trouble(console, record, figures)


def _cell(figure: Figure | None) -> Text:
    if figure is None:
        return Text("")
    if figure.summary is None:
        return Text("–", style="red")
    ratio = f" [{figure.ratio.median:.2f}]" if figure.ratio is not None else ""
    if figure.refused:
        return Text(f"{number(figure.summary.median)}{ratio} ~", style="yellow")
    return Text(f"{number(figure.summary.median)}{ratio}")


def _show_trouble(console: Console, record: ProtocolRecord, figures: list[Figure]) -> bool:
    for server in record.servers:
        if server.left_out:
            console.print(f"not measured: {escape(server.name)}: {escape(server.left_out)}", style="yellow")
    failed: dict[tuple[str, str], Figure] = {}
    for figure in figures:
        if figure.summary is None:
            failed.setdefault((figure.series.server, figure.refused), figure)
    for (server_name, reason), figure in failed.items():
        console.print(
            f"no figure: {escape(server_name)}, {cell_words(figure.series.cell)}: {escape(reason)}",
            style="yellow",
        )
    noisy = sum(figure.summary is not None and bool(figure.refused) for figure in figures)
    if noisy:
        console.print(f"no verdict on {noisy} of {len(figures)} figures: too noisy", style="yellow")
    return not failed and not noisy and not any(server.left_out for server in record.servers)

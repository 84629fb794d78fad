"""A measurement on the terminal: progress while it goes, a table and what to look at when it has ended.

Knows rich and figures. Must not know how anything is measured.
"""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from lab.bench.figures import Figure, figures_of
from lab.bench.record import Measurement, ProtocolRecord
from lab.bench.report.verdict import answer
from lab.bench.target import Report
from lab.bench.words import cell_words

#: Seconds between lines of progress where there is no terminal.
LINE_INTERVAL = 10.0
#: Characters for a column of the table.
COLUMN = 20


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
    """Print the table of one target, and what to look at; returns whether each figure has a verdict."""
    name = measurement.method.target
    found = answer(replace(record, targets={name: measurement}))
    first = max((len(row.server.name) for row in found.rows), default=6)
    fitting = max((console.width - first) // COLUMN, 1)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{record.protocol} on {name}")
    table.add_column("server", no_wrap=True)
    for column in found.columns[:fitting]:
        unit = f", {column.unit}" if column.unit else ""
        heading = "\n".join(textwrap.wrap(f"{column.heading}{unit}", COLUMN - 4))
        table.add_column(heading, justify="right", no_wrap=True)
    for row in found.rows:
        table.add_row(row.server.name, *(_cell(*cell) for cell in row.cells[:fitting]))
    console.print(table)
    left = len(found.columns) - fitting
    more = f" {left} more columns: a wider terminal, or the report." if left > 0 else ""
    console.print(
        f"In brackets the ratio to {record.reference}, median of the rounds' ratios; ~ where it varies too much.{more}",
        style="dim",
        highlight=False,
    )
    return _show_trouble(console, record, figures_of(measurement.series, record.reference))


def _cell(text: str, sure: bool) -> Text:
    return Text(text) if sure else Text(f"{text} ~", style="yellow")


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

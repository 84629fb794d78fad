"""A run on the terminal: progress while it goes, the matrix and what to look at when it has ended.

Knows rich and verdict rows. Must not know pytest or any protocol.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lab.judge.ledger import Clause
from lab.judge.matrix import Cell, Column, Matrix, build_matrix
from lab.judge.report.words import BY_NAME
from lab.judge.rows import Row
from lab.judge.suite import Suite
from lab.judge.verdict import Verdict

#: In the order of the legend.
STYLE: dict[Verdict, str] = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.LENIENT: "yellow",
    Verdict.UNSUPPORTED: "dim",
    Verdict.DISPUTED: "magenta",
    Verdict.BLOCKED: "bold yellow",
    Verdict.FLAKY: "bold magenta",
}
EXCERPT_LINES = 14
#: Seconds between lines of progress where there is no terminal.
LINE_INTERVAL = 5.0
#: Findings, or known failures, shown in full; where there are more, they are counted, and the report has them all.
SHOWN = 12


class Progress:
    """One line that says how far the run is; plain lines now and then where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._counts: Counter[str] = Counter()
        self._expected = 0
        self._latest = ""
        self._started = time.monotonic()
        self._printed = 0.0
        self._live = (
            Live(console=console, refresh_per_second=8, transient=True) if console.is_terminal else None
        )

    def start(self, total: int) -> None:
        """The cases have been counted, by each worker once."""
        if self._expected:
            return
        self._expected = total
        self._started = time.monotonic()
        if self._live is not None:
            self._live.start()

    def take(self, row: Row) -> None:
        """A verdict has come."""
        self._counts[row["verdict"]] += 1
        self._latest = f"{row['implementation']}: {row['case']}"
        if self._live is not None:
            self._live.update(self._line())
        elif time.monotonic() - self._printed > LINE_INTERVAL:
            self._printed = time.monotonic()
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def stop(self) -> None:
        """The run has ended."""
        if self._live is not None:
            self._live.stop()

    def _line(self) -> Text:
        done = sum(self._counts.values())
        seconds = time.monotonic() - self._started
        words = ", ".join(f"{count} {name}" for name, count in sorted(self._counts.items()))
        total = f"/{self._expected}" if self._expected else ""
        return Text(
            f"{done}{total} verdicts in {seconds:.0f} s ({words})  {self._latest}",
            no_wrap=True,
            overflow="ellipsis",
        )


def show_run(
    console: Console, directory: Path, rows: Sequence[Row], suites: Sequence[Suite], *, report: str
) -> None:
    """Print the matrix of each protocol, then what is known, and last, where it stays on the screen, what to look at.

    Args:
        report: the command that makes a report of this run.
    """
    ledgers = {suite.protocol: suite.ledger.by_id() for suite in suites}
    for suite in suites:
        mine = [row for row in rows if row["protocol"] == suite.protocol]
        if not mine:
            continue
        groups = {name: clause.group for name, clause in ledgers[suite.protocol].items()}
        console.print(f"\n{suite.title}", style="bold")
        for role in ("client", "server"):
            judged = [row for row in mine if row["role"] == role]
            if judged:
                matrix = build_matrix(judged, groups, list(suite.ledger.groups))
                for table in matrix_tables(console, role, matrix):
                    console.print(table)
    console.print(_legend(), style="dim")
    _show_known(console, rows, report)
    findings = [row for row in rows if not row["expected"]]
    _show_findings(console, directory, findings, ledgers, report)


def matrix_tables(console: Console, role: str, matrix: Matrix) -> Iterator[Table]:
    """The matrix, in as many tables below each other as it takes for each to be no wider than the terminal."""
    width, unbounded = console.width, console.options.update_width(10_000)
    columns: list[Column] = []
    for column in matrix.columns:
        wider = [*columns, column]
        if columns and console.measure(_matrix_table(role, matrix, wider), options=unbounded).maximum > width:
            yield _matrix_table(role, matrix, columns)
            wider = [column]
        columns = wider
    yield _matrix_table(role, matrix, columns)


def _matrix_table(role: str, matrix: Matrix, columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"{role}s: clauses on", no_wrap=True)
    for _, name in columns:
        table.add_column(name, justify="right", overflow="fold")
    for group in matrix.groups:
        cells = [_cell(matrix.cells.get((group, column))) for column in columns]
        table.add_row(group, *cells)
    table.add_section()
    table.add_row("all", *(_cell(matrix.totals(column)) for column in columns))
    return table


def _legend() -> str:
    words = ", ".join(f"{BY_NAME[verdict].symbol} {verdict}" for verdict in STYLE)
    return f"Clauses passed, or passed/decided. {words}."


def _cell(cell: Cell | None) -> Text:
    if cell is None:
        return Text("")
    if not cell.decided:
        return Text(BY_NAME[cell.worst].symbol, style=STYLE[cell.worst])
    passed = cell.counts[Verdict.PASS]
    shown = f"{passed}" if passed == cell.decided else f"{passed}/{cell.decided}"
    return Text(f"{BY_NAME[cell.worst].symbol} {shown}", style=STYLE[cell.worst])


def _show_findings(
    console: Console,
    directory: Path,
    findings: Sequence[Row],
    ledgers: Mapping[str, Mapping[str, Clause]],
    report: str,
) -> None:
    """Print each unexpected verdict once: the same case under other cuts is only counted."""
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in findings:
        grouped.setdefault((row["implementation"], row["case"], row["verdict"]), []).append(row)
    for same in list(grouped.values())[:SHOWN]:
        _show_finding(console, directory, same, ledgers[same[0]["protocol"]])
    if len(grouped) > SHOWN:
        said = f"\n… and {len(grouped) - SHOWN} more to look at; `{report}` shows all of them."
        console.print(said, markup=False, soft_wrap=True)


def _show_finding(
    console: Console, directory: Path, same: Sequence[Row], clauses: Mapping[str, Clause]
) -> None:
    row = same[0]
    verdict = Verdict(row["verdict"])
    cuts = ", ".join(other["cut"] for other in same)
    console.print()
    console.print(
        f"[{STYLE[verdict]}]{BY_NAME[verdict].symbol} {verdict}[/] [bold]{escape(row['implementation'])}[/] "
        f"{escape(row['case'])} (stream cut: {cuts})",
        soft_wrap=True,
        highlight=False,
    )
    for name in row["clauses"]:
        clause = clauses[name]
        console.print(f"  {clause.level} {escape(name)} ({clause.citation})", highlight=False, soft_wrap=True)
        console.print(f"  {escape(clause.text)}", style="italic", highlight=False)
    console.print(f"  {escape(row['reason'])}", highlight=False)
    for name in row["transcripts"][:1]:
        for line in excerpt(directory / name):
            console.print(
                f"    {escape(line)}", style="dim", highlight=False, no_wrap=True, overflow="ellipsis"
            )
    console.print(f"  again: {escape(row['reproduce'])}", highlight=False, soft_wrap=True)


def excerpt(path: Path, lines: int = EXCERPT_LINES) -> list[str]:
    """The last lines of a transcript file, ``C:`` and ``S:`` before what client and server said."""
    turns: list[tuple[str, str]] = []
    with path.open(encoding="utf-8") as file:
        next(file)
        for raw in file:
            event = json.loads(raw)
            mark = {"client": "C:", "server": "S:"}.get(event["from"], "--")
            if event["kind"] != "data":
                turns.append((mark, f"<{event['kind']}> {event['data']}".rstrip()))
            elif turns and turns[-1][0] == mark and not turns[-1][1].startswith("<"):
                # segments of one turn read as one
                turns[-1] = (mark, turns[-1][1] + event["data"])
            else:
                turns.append((mark, event["data"]))
    shown = [f"{mark} {ascii(line)[1:-1]}" for mark, said in turns for line in said.splitlines(keepends=True)]
    if len(shown) > lines:
        return [f"… {len(shown) - lines} lines before", *shown[-lines:]]
    return shown


def _show_known(console: Console, rows: Sequence[Row], report: str) -> None:
    """Print the known failures that are met: a few with their reasons, many as a count for each implementation."""
    known: dict[str, tuple[str, str]] = {}
    for row in rows:
        note = row["known"]
        if note is not None:
            known[note["id"]] = (row["implementation"], note["reason"])
    if not known:
        return
    if len(known) <= SHOWN:
        console.print("\nKnown failures:")
        for name, (implementation, reason) in sorted(known.items()):
            console.print(f"  {escape(implementation)} {escape(name)}: {escape(reason)}", highlight=False)
        return
    counts = Counter(implementation for implementation, _ in known.values())
    words = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    said = f"\n{len(known)} known failures ({words}): `{report}` lists them with their reasons."
    console.print(said, markup=False, soft_wrap=True)

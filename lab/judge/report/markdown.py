"""Markdown for a pull request: knows what a reviewer needs on one screen.

It must not know files. Whatever came over the wire stands in a code span, where it is neither markup, nor a link, nor a mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lab.judge.compare import Change, Comparison, Direction
from lab.judge.report import visible, words
from lab.judge.report.changes import gather, said
from lab.judge.report.lines import Line, lines
from lab.judge.report.model import Model, Subject, coverage, tally
from lab.judge.runs import Run

_FINDINGS: Final = 15
_CHANGES: Final = 20
_LONGEST: Final = 300
_VERSION: Final = 24


def code(value: str, longest: int = _LONGEST) -> str:
    """Any text as a code span: on one line, shortened, and fenced by more backticks than it holds (CommonMark 6.1)."""
    line = visible.text(" ".join(value.split()))
    if len(line) > longest:
        line = f"{line[:longest]}…"
    runs = [len(run) for run in re.findall("`+", line)]
    fence = "`" * (max(runs, default=0) + 1)
    pad = " " if not line or line[0] in "` " or line[-1] in "` " else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else "–"


def cell(value: str, longest: int = _LONGEST) -> str:
    """A code span that may stand in a table: there, a bar ends the cell even within a span."""
    return code(value, longest).replace("|", "\\|")


def markdown(run: Run, comparison: Comparison | None = None) -> str:
    """The run, and what changed since a base run where there is one, as GitHub-flavoured Markdown."""
    model = Model(run)
    parts = [*_head(model), *_table(model), *_findings(model)]
    if comparison is not None:
        parts += _changes(comparison)
    parts += [*_coverage(model), *_rest(model)]
    return "\n".join(parts) + "\n"


def _head(model: Model) -> Iterator[str]:
    run = model.run
    yield f"## Conformance: {', '.join(code(name) for name in sorted(run.suites)) or 'nothing'}"
    yield ""
    if not run.verdicts:
        yield "**Nothing ran.** The run holds no verdict."
    elif model.unexpected:
        yield f"**{len(model.unexpected)} of {len(run.verdicts)} verdicts to look at.**"
    else:
        yield f"All {len(run.verdicts)} verdicts are as expected."
    for control in run.controls:
        if not control.held:
            yield f"**Control not held:** {code(control.name)}: {code(control.detail)}. No verdict here can be trusted."
    if run.interrupted:
        yield "**The run was interrupted.**"
    for name in run.lost:
        yield f"**No verdict:** {code(name)}. A worker process ended in the middle of it."
    for note in run.stale_notes:
        yield f"**Known failure that no longer fails:** {code(note)}. Remove the note."
    yield ""


def _table(model: Model) -> Iterator[str]:
    seen = [entry for entry in words.WORDS if any(row.verdict == entry.word for row in model.run.verdicts)]
    if not seen:
        return
    yield f"| implementation | version | {' | '.join(f'{one.symbol} {one.word}' for one in seen)} | clauses passed |"
    yield f"|---|---|{'--:|' * len(seen)}--:|"
    for section in model.sections:
        for subject in section.subjects:
            rows = model.by_subject[subject]
            if not rows:
                continue
            counts = tally(rows).counts
            clauses = model.clauses_tally(subject, section.clauses)
            numbers = " | ".join(str(counts.get(one.word, 0) or "") for one in seen)
            yield (
                f"| {cell(subject.name)} {subject.role} | {cell(model.version(subject), _VERSION)} | {numbers} "
                f"| {clauses.passed} of {clauses.answered} |"
            )
    yield ""


def _findings(model: Model) -> Iterator[str]:
    found = lines(model.unexpected)
    if not found:
        return
    yield "### To look at"
    yield ""
    for line in found[:_FINDINGS]:
        yield from _finding(line)
    if len(found) > _FINDINGS:
        yield f"- and {len(found) - _FINDINGS} more in the full report"
    yield ""


def _finding(line: Line) -> Iterator[str]:
    row = line.first
    attempts = f" {code(row.attempts)}" if row.attempts else ""
    yield (
        f"- **{row.verdict}**{attempts} {code(line.subject.name)} ({row.role}) {code(row.title or row.case)} "
        f"with {code(row.peer)}, cut {', '.join(code(cut) for cut in line.cuts)}"
    )
    if row.reason:
        yield f"  - {code(row.reason)}"
    if row.clauses:
        yield f"  - clauses: {', '.join(code(clause) for clause in row.clauses)}"
    if row.reproduce:
        yield f"  - reproduce: {code(row.reproduce)}"


def _changes(comparison: Comparison) -> Iterator[str]:
    yield f"### Since {code(comparison.before.id)}"
    yield ""
    if not comparison.changes:
        yield f"No verdict changed ({comparison.same} compared)."
    for direction in Direction:
        chosen = [change for change in comparison.changes if change.direction is direction]
        if chosen:
            yield f"**{len(chosen)} {_HEADINGS[direction]}**"
            yield ""
            yield from _listed(chosen)
            yield ""
    for line in comparison.moved:
        yield f"- {code(line)}"
    yield ""


_HEADINGS: Final = {
    Direction.WORSE: "got worse",
    Direction.BETTER: "got better",
    Direction.NEITHER: "otherwise changed",
}


def _listed(changes: list[Change]) -> Iterator[str]:
    gathered = gather(changes)
    for change, cuts in gathered[:_CHANGES]:
        yield f"- {code(change.row.implementation)} {code(change.row.case)}: {said(change)} ({', '.join(map(code, cuts))})"
    if len(gathered) > _CHANGES:
        yield f"- and {len(gathered) - _CHANGES} more"


def _coverage(model: Model) -> Iterator[str]:
    if not model.run.suites:
        return
    yield "| clauses | level | decided | undecidable | gap | not asked |"
    yield "|---|---|--:|--:|--:|--:|"
    for name, suite in sorted(model.run.suites.items()):
        for row in coverage(suite.clauses):
            numbers = f"{row.decided} of {row.total} | {row.undecidable} | {row.gap} | {row.unasked}"
            yield f"| {cell(name)} | {cell(row.level)} | {numbers} |"
    yield ""


def _rest(model: Model) -> Iterator[str]:
    if model.known:
        yield f"<details><summary>{len(model.known)} known failures</summary>"
        yield ""
        for id_, reason, rows in model.known:
            names = sorted({Subject(row.protocol, row.role, row.implementation).name for row in rows})
            yield f"- {code(id_)} ({', '.join(map(code, names))}): {code(reason)}"
        yield ""
        yield "</details>"
        yield ""
    for line in model.run.left_out:
        yield f"- left out: {code(line)}"
    if model.run.left_out:
        yield ""
    yield f"Run {code(model.run.id)}, Erle Lab {code(model.run.version)}."

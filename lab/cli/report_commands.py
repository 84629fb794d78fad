"""`erle report`, `erle diff`, `erle explain`: reading results.

Knows how a run is named on the command line and where a report goes. Must not know what a report says; that is
`lab.judge.report`, `lab.judge.compare` and `lab.judge.explain`.
"""

from __future__ import annotations

import json
import sys
import textwrap
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lab.judge.compare import Comparison
    from lab.judge.explain import Explanation
    from lab.judge.runs import Run

ROOT = Path(__file__).resolve().parents[2]
RESULTS = Annotated[
    Path | None,
    typer.Option(
        "--results", metavar="FOLDER", help="Where runs are kept (default: results of the checkout)."
    ),
]


class Format(StrEnum):
    """What `erle report` writes."""

    HTML = "html"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    BADGES = "badges"


def register(app: typer.Typer) -> None:
    """Add `report`, `diff` and `explain`."""
    app.command("report")(report)
    app.command("diff")(diff)
    app.command("explain")(explain)


def _load(results: Path | None, name: str) -> Run:
    from lab.judge.runs import find_run, read_run

    run = read_run(find_run(results or ROOT / "results", name))
    for warning in run.warnings:
        typer.echo(f"erle: {run.directory}: {warning}", err=True)
    return run


def report(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run's id or its beginning, its folder, or 'latest'.")
    ] = "latest",
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where to (default: beside the results); '-' prints Markdown or JUnit."
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(metavar="RUN", help="Tell what changed since this run (Markdown).")
    ] = None,
    results: RESULTS = None,
) -> None:
    """Write a report of a run from its results alone; the default is one HTML folder that needs no network.

    erle report

    erle report --format markdown --against BASE -o -

    erle report 20261122 --format junit -o junit.xml

    erle report --format badges -o docs/badges
    """
    if against is not None and form is not Format.MARKDOWN:
        raise typer.BadParameter("--against goes with --format markdown")
    to_screen = output == Path("-")
    if to_screen and form not in {Format.MARKDOWN, Format.JUNIT}:
        raise typer.BadParameter(f"{form} is a folder of files: it cannot be printed", param_hint="--output")
    read = _load(results, run)
    names = {
        Format.HTML: "report",
        Format.MARKDOWN: "report.md",
        Format.JUNIT: "junit.xml",
        Format.BADGES: "badges",
    }
    target = output or read.directory / names[form]
    if form is Format.HTML:
        from lab.judge.report.html import write_html

        written = write_html(read, target)
        size = (
            f"{written.octets / 1e6:.1f} MB, of it {written.octets_of_transcripts / 1e6:.1f} MB transcripts"
        )
        typer.echo(f"{target / 'index.html'}  ({written.pages} pages, {size})")
        return
    if form is Format.BADGES:
        from lab.judge.report.badges import write_badges

        typer.echo(f"{target}  ({write_badges(read, target)} badges)")
        return
    data = _document(read, form, None if against is None else _load(results, against))
    if to_screen:
        sys.stdout.buffer.write(data)
        return
    from lab.judge.report.output import replace_file

    replace_file(target, data)
    typer.echo(str(target))


def _document(run: Run, form: Format, base: Run | None) -> bytes:
    if form is Format.JUNIT:
        from lab.judge.report.junit import junit

        return junit(run)
    from lab.judge.compare import compare
    from lab.judge.report.markdown import markdown

    return markdown(run, None if base is None else compare(base, run)).encode("utf-8", "backslashreplace")


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="The run before: id, its beginning, or folder.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run after.")] = "latest",
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as one JSON object.")] = False,
    results: RESULTS = None,
) -> int:
    """Tell what changed between two runs, and whether the suite, the implementation, the peer or nothing else changed.

    A verdict that is gone is worse when it passed; a new one when it asks for a look.

    erle diff 20261121 latest

    Exit codes: 0 nothing got worse, 1 something did, 2 usage, 3 a run cannot be read.
    """
    from lab.judge.compare import compare

    comparison = compare(_load(results, before), _load(results, after))
    if as_json:
        typer.echo(json.dumps(comparison.as_json()))
    else:
        _print_comparison(comparison)
    return 1 if comparison.worse else 0


def _print_comparison(comparison: Comparison) -> None:
    from lab.judge.compare import Direction
    from lab.judge.report.changes import gather, said
    from lab.judge.report.visible import text

    typer.echo(text(f"{comparison.before.id} → {comparison.after.id}"))
    for line in comparison.moved or ("nothing but verdicts",):
        typer.echo(text(f"  {line}"))
    headings = {Direction.WORSE: "worse", Direction.BETTER: "better", Direction.NEITHER: "otherwise changed"}
    for direction, heading in headings.items():
        chosen = [change for change in comparison.changes if change.direction is direction]
        if not chosen:
            continue
        typer.echo(f"\n{heading}: {len(chosen)}")
        for change, cuts in gather(chosen):
            row = change.row
            typer.echo(text(f"  {row.implementation}  {row.case}  {said(change)}"))
            typer.echo(text(f"      {row.peer}, {', '.join(cuts)}{f': {row.reason}' if row.reason else ''}"))
    typer.echo(f"\n{comparison.same} verdicts are the same, {len(comparison.worse)} got worse")


def explain(
    name: Annotated[str, typer.Argument(metavar="ID", help="A clause's or a case's id.")],
    results: RESULTS = None,
) -> None:
    """Show a clause, the cases that decide it, and the latest verdict of each implementation; or the same of a case.

    erle explain rfc5321-4.5.2-leading-dot-doubled

    erle explain smtp.client.leading-dot-is-doubled
    """
    from lab.judge.explain import explain as look_up

    _print_explanation(look_up(ROOT, results or ROOT / "results", name))


def _print_explanation(found: Explanation) -> None:
    from lab.judge.report.visible import text

    for clause in found.clauses:
        typer.echo(text(clause.id))
        where = f"{clause.spec}, section {clause.section}; {clause.level}; binds the {clause.party}; group {clause.group}"
        typer.echo(text(f"  {where}"))
        typer.echo(textwrap.fill(text(clause.text), 100, initial_indent="  ", subsequent_indent="  "))
        for state, reason in (("undecidable on the wire", clause.undecidable), ("gap", clause.gap)):
            if reason is not None:
                typer.echo(
                    textwrap.fill(
                        f"{state}: {text(reason)}", 100, initial_indent="  ", subsequent_indent="  "
                    )
                )
        typer.echo()
    typer.echo("cases" if found.cases else "no case decides it")
    for case in found.cases:
        typer.echo(text(f"  {case.id}"))
        typer.echo(text(f"      {case.title or 'no title'}  ({case.place})"))
    typer.echo()
    typer.echo("latest verdicts" if found.latest else "no verdict in the runs that are kept")
    for latest in found.latest:
        from lab.judge.report.lines import lines

        typer.echo(text(f"  {latest.implementation} ({latest.role}), run {latest.run}"))
        for line in lines(latest.rows):
            row = line.first
            known = f" (known: {row.known.id})" if row.known else ""
            reason = f": {' '.join(row.reason.split())}" if row.reason else ""
            typer.echo(
                text(f"      {row.verdict}{known}  {row.case}  {row.peer}, {', '.join(line.cuts)}{reason}")
            )
    for warning in found.warnings:
        typer.echo(text(f"erle: {warning}"), err=True)

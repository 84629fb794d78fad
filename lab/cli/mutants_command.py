"""``erle mutants``: tries a suite's cases on implementations that are broken on purpose.

Knows how to show what became of them. Must not know any protocol, nor how a mutant is judged.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import workers

if TYPE_CHECKING:
    from lab.judge.mutation import Outcome
    from lab.judge.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
EPILOG = """Examples:

  erle mutants                          every mutant of every suite

  erle mutants smtp --mutant keeps-dots  one of them

Exit codes: 0 every mutant is killed and the exemplars pass, 1 one survives or an exemplar fails, 2 usage, 3 the lab
could not run."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mutants", epilog=EPILOG)(mutants)


def mutants(
    protocols: Annotated[
        list[str] | None, typer.Argument(metavar="[PROTOCOL]…", help="default: all with mutants")
    ] = None,
    mutant: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this one (again for more).")
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            min=0,
            max=31,
            help="Processes side by side (0: two a CPU, as they wait most of the time).",
        ),
    ] = 0,
) -> int:
    """Try the cases on broken implementations: each must be caught by a case of the clause it breaks."""
    from lab.judge.suite import choose, find_suites

    suites = choose(find_suites(ROOT), protocols or [])
    if not protocols:
        suites = tuple(suite for suite in suites if (suite.directory / "mutants.py").exists())
    good = True
    for suite in suites:
        good = _try(suite, mutant or [], jobs or workers.enough()) and good
    return 0 if good else 1


def _try(suite: Suite, names: list[str], processes: int) -> bool:
    from lab.judge.mutation import Trial, write_outcome

    outcome = Trial(suite, ROOT, processes=processes, say=lambda line: print(line, file=sys.stderr)).run(
        names
    )
    _show(suite, outcome)
    if not names:
        print(f"Written: {write_outcome(outcome, suite.protocol, ROOT).relative_to(ROOT)}")
    return outcome.good


def _show(suite: Suite, outcome: Outcome) -> None:
    for fate in outcome.exemplars:
        mark = "✗" if fate.killed else "✓"
        print(f"{mark} the exemplar {fate.candidate.role} {fate.reason}")
        for case in fate.by:
            print(f"    {case}")
    for fate in outcome.survivors:
        print(f"✗ survived: {fate.candidate.name} ({fate.candidate.role}): {fate.candidate.description}")
        print(f"    {fate.candidate.clause}: {fate.reason}")
    if len(outcome.mutants) == 1 and outcome.mutants[0].killed:
        fate = outcome.mutants[0]
        print(f"✓ killed: {fate.candidate.name}: {fate.candidate.description}")
        print(f"    {fate.candidate.clause}: {fate.reason}")
        for case in fate.by:
            print(f"    {case}")
    if outcome.untried:
        print(
            f"{len(outcome.untried)} clauses of {suite.protocol} have no mutant: {', '.join(outcome.untried)}"
        )
    killed = len(outcome.mutants) - len(outcome.survivors)
    print(f"{suite.protocol}: {killed} of {len(outcome.mutants)} mutants killed")

"""`erle status`: shows what the lab covers.

Knows how the figures are laid out. Must not know how they are found; that is `lab.survey`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parents[2]


def register(app: typer.Typer) -> None:
    """Add `status`."""
    app.command("status")(status)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Show what the lab covers: listings, servers, and for each protocol clauses, cases, mutants and implementations.

    Servers are those of compose.yaml with the Erle board, without the doubles that the lab's own tests use. A case is
    a test function that names a clause, times the parameters written out in its source; implementations and cuts do
    not multiply it. Killed mutants are those of the last run of the mutants, as long as the suite is still the same.

      erle status

      erle status --json | python3 -m json.tool
    """
    from lab.survey import survey

    found = survey(ROOT)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
        return

    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    console.print(f"listings  {found.present} of {found.listings} present")
    console.print(f"servers   {len(found.servers)}: {', '.join(found.servers)}")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("protocol", no_wrap=True)
    for heading in ("clauses", "decided", "undecidable", "gap", "cases", "killed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in found.protocols.items():
        figures = (row.clauses, row.decided, row.undecidable, row.gap, row.cases)
        table.add_row(name, *map(str, figures), f"{row.killed} of {row.mutants}")
    console.print()
    console.print(table)
    for name, row in found.protocols.items():
        console.print(f"\n{name} clients  {', '.join(row.clients) or 'none'}")
        console.print(f"{name} servers  {', '.join(row.servers) or 'none'}")

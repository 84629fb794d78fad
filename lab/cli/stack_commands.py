"""`erle up | down | ps | logs | gc | doctor`: the lab's servers, seen from the command line.

Knows arguments, tables and exit codes. Must not hold how a server is built, started or asked; that is `lab.stack`'s.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.stack.doctor import Finding
    from lab.stack.progress import Progress
    from lab.stack.project import Lab
    from lab.stack.service import Service

ROOT = Path(__file__).resolve().parents[2]

Engine = Annotated[
    str | None, typer.Option("--engine", help="The container engine, e.g. unix:///run/docker.sock.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Put right what this machine lacks without asking.")]
Servers = Annotated[list[str] | None, typer.Argument(help="Servers of compose.yaml; all, if none is named.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("down")(down)
    app.command("ps")(ps)
    app.command("logs")(logs)
    app.command("gc")(gc)
    app.command("doctor")(doctor)


def may_act(*, yes: bool) -> bool:
    """Say whether remedies may be applied unasked: by --yes, or because nobody can be asked in CI."""
    return yes or os.environ.get("CI", "").lower() in {"1", "true"}


def _lab(engine: str | None) -> Lab:
    from lab.stack.project import Lab

    return Lab.here(ROOT, engine)


@contextmanager
def progress() -> Iterator[Progress]:
    """Give a live table on a terminal, and plain lines elsewhere."""
    from lab.stack.progress import Lines

    if not sys.stderr.isatty():
        yield Lines()
        return
    from lab.cli.table import LiveTable

    with LiveTable() as table:
        yield table


def up(servers: Servers = None, yes: Yes = False, engine: Engine = None) -> None:
    """Start reference servers and wait until each has answered in its own protocol.

    Builds what is missing, reuses what runs. They run until `erle down`.

      erle up                    all reference servers

      erle up postfix            postfix, and dovecot, which it asks about passwords

      erle up erle               the Erle board (armv7 under qemu)
    """
    from lab.stack import leases

    lab = _lab(engine)
    with progress() as shown:
        leases.tidy(lab, progress=shown)
        found = leases.up_to_stay(lab, servers or None, progress=shown, yes=may_act(yes=yes))
    # the engine's own view of a server's health comes seconds later
    _show((service, "ready") for service in found.values())


def down(
    servers: Servers = None,
    force: Annotated[bool, typer.Option("--force", help="Also what a run is using at this moment.")] = False,
    engine: Engine = None,
) -> None:
    """Stop and remove servers, with their mail and files; images stay."""
    from lab.stack import leases

    lab = _lab(engine)
    with progress() as shown:
        removed = leases.release(lab, servers or None, force=force, progress=shown)
    print(f"removed: {', '.join(removed)}" if removed else "nothing was running")


def ps(as_json: AsJson = False, engine: Engine = None) -> None:
    """Show the lab's servers: state, version, ports on this machine."""
    from lab.stack import leases, lifecycle

    lab = _lab(engine)
    leases.tidy(lab)
    found = list(lifecycle.services(lab).values())
    if as_json:
        print(json.dumps([_as_json(service) for service in found], indent=2))
        return
    if not found:
        print("nothing is running; erle up starts the reference servers")
        return
    _show((service, service.health or service.state) for service in found)


def logs(
    servers: Servers = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many lines of each server.")] = 50,
    engine: Engine = None,
) -> None:
    """Show the last lines that servers have logged."""
    from lab.stack import leases, lifecycle

    lab = _lab(engine)
    leases.tidy(lab)
    found = lifecycle.services(lab)
    wanted = [lab.chosen([name])[-1].name for name in servers] if servers else list(found)
    for name in wanted:
        if name not in found:
            raise LabError(f"{name} is not running", remedy=f"erle up {name}")
        for line in found[name].tail(lines).splitlines():
            print(f"{name} | {line}" if len(wanted) > 1 else line)


def gc(
    with_images: Annotated[bool, typer.Option("--images", help="Old images of the lab too.")] = False,
    engine: Engine = None,
) -> None:
    """Remove what dead runs and deleted checkouts left on the engine, and show what it was."""
    from lab.stack.sweep import sweep

    gone = sweep(_lab(engine), with_images=with_images)
    for thing in gone:
        print(f"removed {thing.kind} {thing.name}: {thing.why}")
    if not gone:
        print("nothing was left over")


def doctor(
    as_json: AsJson = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Put right what is missing (Debian and Ubuntu).")
    ] = False,
    engine: Engine = None,
) -> int:
    """Examine this machine: the engine and how it was found, its plugins, armv7, disk; and the remedy for what is missing.

    Exit codes: 0 the lab can run, 3 something is missing.
    """
    from lab.stack import doctor as examination
    from lab.stack import remedy

    findings = examination.examine(engine)
    if fix:
        with progress() as shown:
            findings = remedy.apply(remedy.wanted(findings, arm=True), shown, engine)
    if as_json:
        print(json.dumps([finding.as_json() for finding in findings], indent=2))
    else:
        _show_findings(findings)
    return 3 if any(finding.state is examination.State.MISSING for finding in findings) else 0


def _show_findings(findings: list[Finding]) -> None:
    for finding in findings:
        print(f"{finding.state:8} {finding.name:10} {finding.chosen}")
        if finding.remedy:
            print(f"{'':8} {'':10} remedy: {finding.remedy}")


def _as_json(service: Service) -> dict[str, object]:
    return {
        "name": service.name,
        "state": service.state,
        "health": service.health,
        "version": service.version,
        "image": service.image,
        "container": service.container,
        "ports": {
            f"{port}/{kind}": f"{host}:{at}" for (port, kind), (host, at) in sorted(service.ports.items())
        },
    }


def _show(services: Iterable[tuple[Service, str]]) -> None:
    """Print one row for each service and its state; a range of ports that is published one to one is shown as a range."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column in ("server", "state", "version", "ports on 127.0.0.1"):
        table.add_column(column, overflow="fold")
    for service, state in services:
        table.add_row(service.name, state, service.version, _ports(service))
    Console().print(table)


def _ports(service: Service) -> str:
    same = sorted(port for (port, _kind), (_host, at) in service.ports.items() if port == at)
    other = sorted((port, kind, at) for (port, kind), (_host, at) in service.ports.items() if port != at)
    shown = [f"{port}{'/udp' if kind == 'udp' else ''}→{at}" for port, kind, at in other]
    return " ".join([*shown, f"{same[0]}-{same[-1]}"] if same else shown)

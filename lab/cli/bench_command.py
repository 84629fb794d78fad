"""`erle bench`: measures servers that are correct, and makes pages of what was measured.

Knows the words of the command and where results go. Must not know how anything is measured or drawn.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.bench.targets import TargetName
from lab.cli.hints import to_type
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.bench.campaign import Campaign
    from lab.bench.plan import BenchPlan
    from lab.bench.record import Benchmarks
    from lab.bench.target import Settings, Target

ROOT = Path(__file__).resolve().parents[2]
INTERRUPTED = 130
EPILOG = """Examples:

  erle bench lancelot --quick                      does it work, in a minute; no figure to keep

  erle bench lancelot                              all servers on this machine, about half an hour

  erle bench lancelot --servers epoll,asyncio-protocol --connections 10 --measure throughput

  erle bench lancelot --target erle --into latest  the board too, added to the latest run

  erle bench --report                              pages, plots and tables of the latest run

  erle bench --page -o docs/which-server.md        its answer in a table and a few sentences

Exit codes: 0 measured, 1 a server could not be measured or its figures are too noisy for a verdict, 2 usage, 3 the lab
could not run."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", epilog=EPILOG)(bench)


def bench(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROTOCOL|RUN]", help="Default: all protocols; with --report, the latest run."
        ),
    ] = None,
    target: Annotated[TargetName, typer.Option(help="Where to measure.")] = TargetName.NATIVE,
    servers: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these, with commas; the reference is always measured.")
    ] = "",
    connections: Annotated[
        str, typer.Option(metavar="NUMBERS", help="How many connections ask at a time, with commas.")
    ] = "1,10,100,1000",
    idle: Annotated[
        str, typer.Option(metavar="NUMBERS", help="How many silent connections stand beside one that asks.")
    ] = "0,100,500,1000",
    measure: Annotated[
        str,
        typer.Option(
            metavar="WORDS",
            help="Only these of throughput, latency, idle, pipelining, sessions, memory (native).",
        ),
    ] = "",
    rounds: Annotated[int, typer.Option(min=1, help="How often everything is measured.")] = 10,
    restarts: Annotated[int, typer.Option(min=1, help="In how many processes of each server.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Two short rounds, to see that all works.")] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the order of servers and the times of questions.")
    ] = None,
    unjudged: Annotated[
        bool, typer.Option("--unjudged", help="Do not ask the suite first; the record says so.")
    ] = False,
    into: Annotated[
        str | None, typer.Option(metavar="RUN", help="Add to a run's benchmarks instead of beginning one.")
    ] = None,
    renew_baseline: Annotated[
        bool,
        typer.Option(
            "--renew-baseline", help="Write down what all servers cost on the board (with --target erle)."
        ),
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Measure nothing: make pages, plots and tables of a run.")
    ] = False,
    page: Annotated[
        bool, typer.Option("--page", help="Measure nothing: write which server to take, as Markdown.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Where the report's folder or the page goes (default: beside the results)."
        ),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Where the run's folder is made (default: results/).")
    ] = None,
) -> int:
    """Measure what servers cost: requests a second, processor time, latency, idle connections, memory.

    A server that fails its protocol's suite is not measured. Figures that vary too much give no verdict.
    """
    where = results or ROOT / "results"
    if report:
        return _report(where, what or "latest", output)
    if page:
        return _page(where, what or "latest", output)
    from lab.bench.plan import find_plans
    from lab.bench.target import MEASURES, Settings
    from lab.judge.catalogue import unknown

    plans = find_plans(ROOT)
    if what is not None and what not in plans:
        raise unknown("benchmark (suites/<protocol>/bench.toml)", what, sorted(plans))
    if renew_baseline:
        if target is not TargetName.ERLE:
            raise typer.BadParameter("goes with --target erle", param_hint="--renew-baseline")
        from lab.cli.baseline_command import renew

        return renew(ROOT, [plans[what]] if what else list(plans.values()))
    words = [word for word in measure.split(",") if word]
    for word in words:
        if word not in MEASURES:
            raise unknown("measure", word, list(MEASURES))
    settings = Settings(
        rounds=min(rounds, 2) if quick else rounds,
        restarts=min(restarts, 2) if quick else restarts,
        connections=_numbers(connections, "--connections", least=1),
        idle=_numbers(idle, "--idle", least=0),
        measures=words or MEASURES,
        quick=quick,
        seed=secrets.randbelow(1 << 32) if seed is None else seed,
    )
    front = _Front(where, target, settings, servers=servers, unjudged=unjudged, into=into)
    return front.run([plans[what]] if what else list(plans.values()))


def _numbers(text: str, option: str, least: int) -> list[int]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdigit() and int(word) >= least for word in words):
        raise typer.BadParameter(f"numbers from {least} with commas, such as 1,10,100", param_hint=option)
    return sorted({int(word) for word in words})


def _report(results: Path, name: str, output: Path | None) -> int:
    from lab.bench.record import find, read
    from lab.bench.report.pages import write_report

    directory = find(results, name)
    target = output or directory / "benchmarks"
    written = write_report(read(directory), target)
    typer.echo(f"{target / 'index.html'}  ({written} plots, each as SVG and CSV beside it)")
    return 0


def _page(results: Path, name: str, output: Path | None) -> int:
    from lab.bench.record import find, read
    from lab.bench.report.document import which_server
    from lab.judge.report.output import replace_file

    directory = find(results, name)
    target = output or directory / "which-server.md"
    replace_file(target, which_server(read(directory)).encode())
    typer.echo(str(target))
    return 0


@dataclass
class _Front:
    """One run of the command: measures one protocol after the other, and keeps what was measured, also when interrupted."""

    results: Path
    target: TargetName
    settings: Settings
    servers: str
    unjudged: bool
    into: str | None

    def run(self, plans: list[BenchPlan]) -> int:
        from lab.bench.targets import find_target

        benchmarks, directory = self._begin()
        # What cannot be measured here, or is misspelt, is told before anything is started.
        target = find_target(self.target, ROOT)
        names = [name.strip() for name in self.servers.split(",") if name.strip()]
        chosen = [(plan, plan.select(names)) for plan in plans]
        print(f"seed {self.settings.seed}", file=sys.stderr)
        from lab.bench.campaign import Campaign

        good = True
        for plan, servers in chosen:
            campaign = Campaign(
                *(ROOT, self.results, plan, servers, self.settings, self.unjudged),
                say=lambda line: print(line, file=sys.stderr),
            )
            interrupted = self._measure(campaign, target)
            if campaign.series:
                benchmarks = self._keep(campaign, target, benchmarks, directory)
            if interrupted:
                kept = directory if campaign.series else "nothing was measured yet"
                print(f"erle: interrupted; kept: {kept}", file=sys.stderr)
                return INTERRUPTED
            if not campaign.series or benchmarks is None:
                raise LabError(f"{plan.protocol}: nothing was measured", "./erle run, to see why not")
            good = _show(benchmarks, plan.protocol, self.target) and good
        pages = to_type(f"./erle bench --report {directory.name}", self.results, ROOT)
        print(
            f"\nResults: {os.path.relpath(directory / 'benchmarks.json', ROOT)} ({pages} makes pages of them)"
        )
        return 0 if good else 1

    def _begin(self) -> tuple[Benchmarks | None, Path]:
        from lab.bench.record import find, read
        from lab.judge.results import new_run_id

        if self.into is None:
            return None, self.results / new_run_id()
        directory = find(self.results, self.into)
        return read(directory), directory

    def _measure(self, campaign: Campaign, target: Target) -> bool:
        """Measure; returns whether the user broke it off."""
        from lab.cli.bench_display import progress

        with ExitStack() as stack:
            stack.enter_context(_terminated_as_interrupted())
            try:
                campaign.run(target, stack.enter_context(progress(campaign.plan.protocol)))
            except KeyboardInterrupt:
                return True
        return False

    def _keep(
        self, campaign: Campaign, target: Target, before: Benchmarks | None, directory: Path
    ) -> Benchmarks:
        from lab.bench.record import FILE, merged, read, write

        new = campaign.record(directory.name, ["./erle", *sys.argv[1:]], target)
        # read again: what was measured beside this, on another target, may have been added meanwhile
        before = read(directory) if (directory / FILE).exists() else before
        whole = new if before is None else merged(before, new)
        write(whole, directory)
        return whole


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM ends a measurement as Ctrl-C does: what was measured is kept, and what was started is gone."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(benchmarks: Benchmarks, protocol: str, target: TargetName) -> bool:
    """Print the table; returns whether every server that was asked for has figures that say something."""
    from rich.console import Console

    from lab.cli.bench_display import show

    record = benchmarks.protocols[protocol]
    return show(Console(), record, record.targets[str(target)])

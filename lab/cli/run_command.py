"""``erle run``: brings up what is needed, lets pytest judge, shows the matrix.

Knows pytest as the engine and the stack as what stands opposite. Must not know any protocol.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from concurrent import futures
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import workers
from lab.cli.hints import to_type
from lab.errors import LabError

if TYPE_CHECKING:
    import pytest

    from lab.cli.console import Progress
    from lab.judge.recorder import Recorder
    from lab.judge.rows import Row
    from lab.judge.suite import Suite

ROOT = Path(__file__).resolve().parents[2]
#: pytest without its own terminal, whose options in pyproject.toml it would then not know, and without what costs time
#: in each of thousands of cases that log nothing, print nothing and are not asked for by `--last-failed`.
QUIETLY = (
    *("-p", "no:terminal", "-p", "no:logging", "-p", "no:cacheprovider", "--capture=sys"),
    *("-o", "addopts=--strict-markers --strict-config --import-mode=importlib"),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("run", epilog=EPILOG)(run)


EPILOG = """Examples:

  erle run smtp                                      everything the catalogue has

  erle run smtp --implementation aiosmtpd            one of them

  erle run smtp --clause rfc5321-4.5.2-…             the cases that decide one clause

  erle run smtp --server 127.0.0.1:2525 --features starttls,size,8bitmime

  erle run lancelot --on erle                        servers here and on the board: the same verdicts?

  erle run smtp --client mypackage.mymodule:MyClient

  erle run smtp --client-command "python3 my_client.py"

Exit codes: 0 as expected, 1 verdicts to look at, 2 usage, 3 the lab could not run."""


def run(  # noqa: PLR0913, PLR0917 - one parameter for each option of the command
    protocols: Annotated[list[str] | None, typer.Argument(metavar="[PROTOCOL]…", help="default: all")] = None,
    implementation: Annotated[
        list[str] | None, typer.Option(help="Judge only this one (again for more).")
    ] = None,
    clause: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only cases that decide this clause.")
    ] = None,
    case: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this case.")] = None,
    cut: Annotated[
        list[str] | None, typer.Option(help="Only this segmentation: whole, octets or lines.")
    ] = None,
    peers: Annotated[str, typer.Option(help="reference: real servers; embedded: no Docker.")] = "reference",
    client: Annotated[
        str | None, typer.Option(metavar="MODULE:CLASS", help="Judge a client of your own.")
    ] = None,
    client_command: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Judge a command that speaks JSON lines.")
    ] = None,
    server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Judge a server that is running.")
    ] = None,
    features: Annotated[
        str, typer.Option(metavar="WORDS", help="What your client or server declares to offer.")
    ] = "",
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="PLACE",
            help="Judge servers here and on this board (erle), and fail where verdicts differ.",
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "-j",
            "--jobs",
            min=0,
            max=31,
            help="Workers side by side (0: two a CPU, as cases wait most of the time; "
            "one with --case, --clause or --server).",
        ),
    ] = 0,
    profile: Annotated[str, typer.Option(help="quick or deep (for the night).")] = "quick",
    results: Annotated[
        Path | None, typer.Option(help="Where the run's folder is made (default: results/).")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Install and start what the engine lacks, unasked.")
    ] = False,
) -> int:
    """Judge implementations by the clauses of their protocol, against real servers."""
    from lab.judge.selection import Request, select
    from lab.judge.suite import choose, find_suites
    from lab.judge.visitors import Doors, make_contact

    suites = choose(find_suites(ROOT), protocols or [])
    if on:
        suites = tuple(suite for suite in suites if suite.places)
        if not suites:
            raise LabError(f"nothing that was asked for can be started on {on}", remedy="erle run --help")
    doors = Doors(client, client_command, server, features)
    # pytest is told the same and checks it again; here it costs no server its start
    select(
        ROOT,
        Request(
            protocols=[suite.protocol for suite in suites],
            names=implementation or (),
            clauses=clause or (),
            cuts=cut or (),
            peers=peers,
            on=on,
            doors=doors,
            profile=profile,
        ),
    )
    make_contact(doors, ROOT)
    words = [str(suite.directory.relative_to(ROOT)) for suite in suites]
    for name, values in (
        ("implementation", implementation),
        ("clause", clause),
        ("case", case),
        ("cut", cut),
    ):
        for value in values or []:
            words += [f"--{name}", value]
    for option, given in (
        ("--client", client),
        ("--client-command", client_command),
        ("--server", server),
        ("--features", features),
        ("--on", on),
        ("--results", str(results.resolve()) if results else None),
    ):
        if given:
            words.append(f"{option}={given}")
    words += [f"--profile={profile}", "--only-cases"]
    if profile == "deep":
        seed = secrets.randbelow(2**32)
        print(f"the properties' seed is {seed}")
        words.append(f"--hypothesis-seed={seed}")
    # a few cases are over before more workers have collected them, and a server of somebody's need not be asked by several
    jobs = jobs or (1 if case or clause or server else workers.enough())
    if jobs > 1:
        words += ["-n", str(jobs), "--dist", "worksteal"]
    return _Front(
        suites, words, peers=peers, place=on, jobs=jobs, yes=yes or bool(os.environ.get("CI"))
    ).run()


class _Front:
    """One run from the command line."""

    def __init__(
        self,
        suites: tuple[Suite, ...],
        words: list[str],
        *,
        peers: str,
        place: str | None,
        jobs: int,
        yes: bool,
    ) -> None:
        from rich.console import Console

        self._suites = suites
        self._words = words
        self._peers = peers
        self._place = place
        self._jobs = jobs
        self._yes = yes
        self._servers: futures.Future[object] | None = None
        self._left_out: list[str] = []
        self._console = Console(highlight=False)
        self._progress: Progress | None = None
        self._trouble: LabError | None = None
        self.recorder: Recorder | None = None

    def run(self) -> int:
        with contextlib.ExitStack() as stack:
            if self._wanted():
                self._bring_up(stack)
            return self._judge()

    def _wanted(self) -> list[str]:
        """The servers that the run needs."""
        references = self._suites if self._peers == "reference" else ()
        names = {name for suite in references for name in suite.services}
        return sorted(names | ({self._place} if self._place else set()))

    def _bring_up(self, stack: contextlib.ExitStack) -> None:
        """Begin to bring up the servers: that goes on while pytest collects the cases."""
        from lab.stack.engine import EngineMissing
        from lab.stack.leases import Lease
        from lab.stack.progress import Lines
        from lab.stack.project import Lab

        lab = Lab.here(ROOT)
        wanted = self._wanted()
        lease = Lease(lab, wanted, progress=Lines(), yes=self._yes)
        try:
            lab.engine()
        except EngineMissing:
            # asks, or installs unasked with --yes; nothing is judged before that has an end
            try:
                stack.enter_context(lease)
            except LabError as error:
                self._do_without_engine(error, wanted)
            return
        bringing = futures.ThreadPoolExecutor(1, thread_name_prefix="bring-up")
        stack.callback(bringing.shutdown)
        self._servers = bringing.submit(stack.enter_context, lease)

    def _do_without_engine(self, error: LabError, wanted: list[str]) -> None:
        if self._place:
            raise error
        self._peers = "embedded"
        self._left_out.append(f"verdicts against reference servers ({', '.join(wanted)}): {error}")
        self._console.print(f"{error}\n  do: {error.remedy}", style="yellow", markup=False, soft_wrap=True)
        self._console.print(
            "Carrying on with embedded peers: without reference servers no verdict can be disputed, and cases that "
            "only a reference server can answer are left out.",
            style="yellow",
        )

    def _judge(self) -> int:
        import pytest

        from lab.cli.console import Progress, show_run

        self._progress = Progress(self._console)
        os.chdir(ROOT)
        words = [*self._words, f"--peers={self._peers}", *QUIETLY, "--rootdir", str(ROOT)]
        try:
            code = int(pytest.main(words, plugins=[self]))
        finally:
            self._progress.stop()
        trouble = self._trouble or (self.recorder.trouble if self.recorder is not None else None)
        if trouble is not None:
            raise trouble
        if self.recorder is None or not self.recorder.rows:
            return self._nothing_ran(code)
        rows = self.recorder.rows
        report = to_type("./erle report", self.recorder.directory.parent, ROOT)
        show_run(self._console, self.recorder.directory, rows, self._suites, report=report)
        self._closing_lines(report)
        return code

    def _nothing_ran(self, code: int) -> int:
        if code == pytest_exit("USAGE_ERROR"):
            return 2
        if code == pytest_exit("NO_TESTS_COLLECTED") or code == 0:
            print("erle: no case matches what was asked for; nothing ran", file=sys.stderr)
            return 2
        raise LabError("no verdict was reached; run pytest on the suite by hand to see why")

    def _closing_lines(self, report: str) -> None:
        recorder = self.recorder
        if recorder is None:
            return
        for control in recorder.controls:
            if not control["held"]:
                self._console.print(
                    f"The {control['when']} control {control['name']} did not hold, so this run's verdicts cannot be "
                    f"relied on: {control['detail']}",
                    style="bold red",
                    markup=False,
                    soft_wrap=True,
                )
        if recorder.lost:
            self._console.print(
                "\nNo verdict, because a worker process ended in the middle of the case: "
                f"{'; '.join(recorder.lost)}",
                style="bold red",
                markup=False,
                soft_wrap=True,
            )
        if recorder.differing:
            names = sorted({f"{row['implementation']} {row['case']}" for row in recorder.differing})
            self._console.print(
                f"\nVerdicts differ between this machine and {self._place}: {'; '.join(names)}",
                style="bold red",
                markup=False,
                soft_wrap=True,
            )
        for note in recorder.stale:
            self._console.print(
                f"The known failure {note.id} ({note.implementation}) passes now: remove its note.",
                style="bold yellow",
            )
        for left in recorder.left_out:
            self._console.print(f"Left out: {left}", style="yellow", soft_wrap=True)
        unexpected = sum(not row["expected"] for row in recorder.rows)
        shown = os.path.relpath(recorder.directory, ROOT)
        self._console.print(
            f"\n{len(recorder.rows)} verdicts, {unexpected} to look at. Results: {shown} "
            f"({report} makes a page of them)",
            markup=False,
            soft_wrap=True,
        )

    # pytest's hooks

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Listen to the recorder."""
        from lab.judge.plugin import RECORDER

        recorder = session.config.stash[RECORDER]
        recorder.left_out += self._left_out
        recorder.command = ["./erle", *sys.argv[1:]]
        if self._progress is not None:
            recorder.listeners.append(self._take)
        self.recorder = recorder

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The number of cases is known, and the servers are needed now (with workers, see the next hook)."""
        if self._jobs > 1:
            return
        if trouble := self._waited_for_servers():
            session.shouldstop = trouble
        elif self._progress is not None:
            self._progress.start(len(session.items))

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Workers, who all collect the same cases, get their first ones when all have: the servers are needed now."""
        if trouble := self._waited_for_servers():
            import pytest

            pytest.exit(trouble)
        if self._progress is not None:
            self._progress.start(len(ids))

    def _waited_for_servers(self) -> str | None:
        """Wait until the servers are up; why they cannot be."""
        if self._servers is not None:
            try:
                self._servers.result()
            except LabError as error:
                self._trouble = error
                return str(error)
        return None

    def _take(self, row: Row) -> None:
        if self._progress is not None:
            self._progress.take(row)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A suite that cannot be collected is said at once."""
        if report.failed:
            print(report.longreprtext, file=sys.stderr)


def pytest_exit(name: str) -> int:
    """The number of one of pytest's exit codes."""
    import pytest

    return int(pytest.ExitCode[name])

"""The recorder of a run: it gathers rows and controls and writes the run's folder.

Lives in pytest's controller only. Knows results; must not know any protocol.
"""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.judge.catalogue import Implementation
from lab.judge.known import KnownFailure
from lab.judge.results import RunWriter
from lab.judge.rows import Row, differ_by_place, dispute, merge_attempts, settle_expectations, stale_notes
from lab.judge.selection import Selection
from lab.judge.verdict import Verdict

AS_EXPECTED, LOOK, COULD_NOT_RUN = 0, 1, 3
#: The name under which facts on the engine stand among those on peers.
ENGINE = "engine"
Listener = Callable[[Row], None]


class Recorder:
    """Gathers what a run says and writes it down."""

    def __init__(
        self, directory: Path, selection: Selection, command: Sequence[object], *, seed: int
    ) -> None:
        self._writer = RunWriter(directory)
        self._selection = selection
        #: The words the user typed.
        self.command = [str(word) for word in command]
        self._seed = seed
        self._attempts: defaultdict[str, list[Row]] = defaultdict(list)
        self._order: list[str] = []
        self.rows: list[Row] = []
        self.controls: list[dict[str, object]] = []
        self.peers: dict[str, dict[str, str]] = {}
        self.engine: dict[str, str] | None = None
        self.left_out: list[str] = list(selection.left_out)
        self.stale: list[KnownFailure] = []
        #: Verdicts of another place that are not those of this machine.
        self.differing: list[Row] = []
        #: Cases that took their worker down with them and so have no verdict, by pytest's name.
        self.lost: list[str] = []
        self.interrupted = False
        #: Why the run had to be given up, when it had to.
        self.trouble: LabError | None = None
        self.listeners: list[Listener] = []

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self._writer.directory

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a verdict or a control from a report."""
        row: Row | None = getattr(report, "erle_row", None)
        if row is not None:
            self._take(report, row)
        when: str | None = getattr(report, "erle_control", None)
        if when is not None and (report.when == "call" or report.failed):
            self.controls.append(
                {
                    "name": report.nodeid.rpartition("::")[2],
                    "when": when,
                    "held": report.passed,
                    "detail": "" if report.passed else _cause(report),
                }
            )

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that the run did not end by itself."""
        self.interrupted = True

    # xdist's hooks: without xdist (`-p no:xdist`) nobody knows them
    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Remember a case whose worker ended in the middle of it."""
        self.lost.append(crashitem)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object) -> None:
        """Take over what a worker learned of the peers."""
        output: dict[str, object] = getattr(node, "workeroutput", {})
        notes = output.get("erle_peers")
        if isinstance(notes, dict):
            self.note_peers(notes)

    def note_peers(self, notes: Mapping[str, dict[str, str]]) -> None:
        """Take facts on peers, by name; those of the engine are under ``ENGINE``."""
        self.peers.update({name: facts for name, facts in notes.items() if name != ENGINE})
        self.engine = notes.get(ENGINE, self.engine)

    def _take(self, report: pytest.TestReport, row: Row) -> None:
        earlier = self._attempts[row["nodeid"]]
        if report.when == "teardown" and earlier:
            # the clean-up of a case broke: what the case said is not to be trusted
            earlier[-1]["verdict"] = Verdict.BLOCKED
            earlier[-1]["reason"] = row["reason"]
            return
        if not earlier:
            self._order.append(row["nodeid"])
        earlier.append(row)
        if str(report.outcome) == "rerun":
            return
        final = merge_attempts(earlier)
        self.rows.append(final)
        try:
            self._writer.add(dict(final))
        except LabError as error:
            self.trouble = error
            pytest.exit(str(error), returncode=COULD_NOT_RUN)
        for listener in self.listeners:
            listener(final)

    def finish(self, exitstatus: int) -> int:
        """Settle all verdicts and write them with ``run.json``; returns the exit code."""
        self.rows = [merge_attempts(self._attempts[nodeid]) for nodeid in self._order]
        references = frozenset(
            suite.reference.name for suite in self._selection.suites.values() if suite.reference is not None
        )
        dispute(self.rows, references)
        settle_expectations(self.rows)
        self.differing = differ_by_place(self.rows)
        protocols = sorted({row["protocol"] for row in self.rows})
        if not self._selection.narrowed and not self.interrupted:
            notes = [note for name in protocols for note in self._selection.suites[name].known]
            self.stale = stale_notes(self.rows, notes)
        code = self._exit_code(exitstatus)
        try:
            self._writer.replace_verdicts([dict(row) for row in self.rows])
            self._writer.finish(self._record(protocols, code))
        except LabError as error:
            self.trouble = error
            return COULD_NOT_RUN
        return code

    def _exit_code(self, exitstatus: int) -> int:
        if self.lost or any(not control["held"] for control in self.controls):
            return COULD_NOT_RUN
        if any(not row["expected"] for row in self.rows) or self.stale:
            return LOOK
        if self.interrupted or exitstatus in {pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR}:
            return COULD_NOT_RUN
        # failed known cases are reported as xfailed: a failure pytest counts beside them is another test's
        return LOOK if exitstatus == pytest.ExitCode.TESTS_FAILED and self._other_failures else AS_EXPECTED

    #: Set by the front of a run when tests that are no cases failed as well.
    _other_failures = False

    def _record(self, protocols: list[str], code: int) -> dict[str, object]:
        cases: defaultdict[str, set[str]] = defaultdict(set)
        for row in self.rows:
            for name in row["clauses"]:
                cases[name].add(row["case"])
        suites = {}
        for protocol in protocols:
            suite = self._selection.suites[protocol]
            suites[protocol] = {
                "digest": suite.digest(),
                "groups": suite.ledger.groups,
                "clauses": [
                    {
                        "id": entry.id,
                        "spec": entry.spec,
                        "section": entry.section,
                        "level": entry.level,
                        "party": entry.party,
                        "group": entry.group,
                        "text": entry.text,
                        "undecidable": entry.undecidable,
                        "gap": entry.gap,
                        "cases": sorted(cases[entry.id]),
                    }
                    for entry in suite.ledger.clauses
                ],
            }
        judged = {(row["protocol"], row["role"], row["implementation"]) for row in self.rows}
        rows = [row for row in self._selection.rows if (row.protocol, row.role, row.name) in judged]
        return {
            "command": self.command,
            "version": importlib.metadata.version("erle-lab"),
            "exit": code,
            "interrupted": self.interrupted,
            "seed": self._seed,
            "profile": self._selection.profile,
            "engine": self.engine,
            "suites": suites,
            "implementations": {
                f"{row.protocol}.{row.role}.{row.name}": self._implementation(row) for row in rows
            },
            "peers": self.peers,
            "controls": self.controls,
            "left_out": self.left_out,
            "lost": self.lost,
            "stale_notes": [note.id for note in self.stale],
        }

    def _implementation(self, row: Implementation) -> dict[str, object]:
        reference = self.peers.get(row.name)
        version = reference["version"] if row.reference and reference is not None else row.version()
        if row.place:
            version = (
                self.peers.get(row.place, {}).get("version", "unknown") if row.library == "python" else ""
            )
        return {
            "name": row.name,
            "protocol": row.protocol,
            "role": row.role,
            "library": row.library,
            "version": version,
            "entry": row.entry or " ".join(row.command) or str(row.endpoint or row.library),
            "features": sorted(row.features),
            "digest": row.digest(),
        }


def _cause(report: pytest.TestReport) -> str:
    """The last thing pytest said of a failure, without the way there."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longreprtext))[-2000:]

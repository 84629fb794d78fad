"""The pytest plugin: it binds cases to implementations and turns outcomes into verdicts.

Knows pytest's hooks and the lab's words. Must not know any protocol. Loaded by the
top-level ``conftest.py``, so that pytest by hand gives the verdicts of ``erle run``.
"""

from __future__ import annotations

import gc
import socket
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from pytest_rerunfailures import StatusDB  # type: ignore[import-untyped]  # it ships no types

from lab.errors import LabError
from lab.judge import selection as options
from lab.judge.bare_reports import BareReports
from lab.judge.cases import Case, case_of, parametrize, wanted
from lab.judge.evidence import Evidence
from lab.judge.ledger import Clause
from lab.judge.recorder import COULD_NOT_RUN, Recorder
from lab.judge.results import new_run_id
from lab.judge.rows import Row
from lab.judge.selection import Selection
from lab.judge.suite import Suite
from lab.judge.verdict import Blocked, Unsupported, Verdict

SELECTION = pytest.StashKey[Selection]()
RUN_DIRECTORY = pytest.StashKey[Path]()
RECORDER = pytest.StashKey[Recorder]()
CASE = pytest.StashKey[Case | None]()
EVIDENCE = pytest.StashKey[Evidence]()
#: The protocols whose servers this run needs.
ASKED = pytest.StashKey[frozenset[str]]()
#: The fixture (lab/judge/fixtures.py) through which a test that is no case asks for its suite's servers.
SERVICES_FIXTURE = "reference_services"
#: What fixtures learn of the peers, by name, and of the engine (under ``ENGINE``).
PEER_NOTES = pytest.StashKey[dict[str, dict[str, str]]]()

#: Where a report carries its row from a worker to the controller.
ROW_ATTRIBUTE = "erle_row"
#: Says of a report that it is a control's, and which one's.
CONTROL_ATTRIBUTE = "erle_control"
REASON_LIMIT = 2000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a conformance run."""
    options.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the selection; the controller makes the run's recorder, workers take its folder over."""
    try:
        config.stash[SELECTION] = options.read_selection(config)
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    if config.getoption("--only-cases"):
        config.pluginmanager.register(BareReports(), "erle-bare-reports")
    handed_over = getattr(config, "workerinput", {}).get("erle_run")
    if handed_over is not None:
        config.stash[RUN_DIRECTORY] = Path(handed_over)
        return
    base = Path(config.getoption("--results") or config.rootpath / "results")
    config.stash[RUN_DIRECTORY] = base / new_run_id()
    config.stash[RECORDER] = Recorder(
        config.stash[RUN_DIRECTORY],
        config.stash[SELECTION],
        config.invocation_params.args,
        seed=_seed(config),
    )
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_HandOver(config.stash[RUN_DIRECTORY]), "erle-hand-over")


def _seed(config: pytest.Config) -> int:
    """The properties' seed; 0 where each search is the same in every run."""
    return int(config.getoption("hypothesis_seed", default=None) or 0)


class _HandOver:
    """Tells each xdist worker which run it belongs to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Called for each worker before it starts."""
        workerinput: dict[str, object] = node.workerinput  # type: ignore[attr-defined]  # xdist ships no types
        workerinput["erle_run"] = str(self._directory)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give cases their implementations and cuts, before their own parameters."""
    parametrize(metafunc, metafunc.config.stash[SELECTION])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the cases that were asked for; controls go first and last; failures are asked twice."""
    selection = config.stash[SELECTION]
    only_cases = config.getoption("--only-cases")
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    try:
        for item in items:
            case = case_of(item, selection)
            item.stash[CASE] = case
            unasked = case is None and (
                item.get_closest_marker("role") is not None
                or (only_cases and item.get_closest_marker("control") is None)
            )
            if unasked or (case is not None and not wanted(case, selection)):
                dropped.append(item)
                continue
            if case is not None and not case.known and not selection.asked_once:
                item.add_marker(pytest.mark.flaky(reruns=1))
            kept.append(item)
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    if not any(item.stash[CASE] for item in kept):
        # controls vouch for the oracle of a run; without cases there is nothing to vouch for
        dropped += [item for item in kept if item.get_closest_marker("control") is not None]
        kept = [item for item in kept if item.get_closest_marker("control") is None]
    config.stash[ASKED] = frozenset(suite.protocol for item in kept if (suite := _asking(item, selection)))
    config.hook.pytest_deselected(items=dropped)
    items[:] = sorted(kept, key=_control_order)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays to the end: the garbage collector need not walk through it, now or ever."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def _asking(item: pytest.Item, selection: Selection) -> Suite | None:
    """The suite whose servers an item needs: that of a case, or of another test that asks for them by a fixture."""
    if (case := item.stash[CASE]) is not None:
        return case.suite
    asks = SERVICES_FIXTURE in getattr(item, "fixturenames", ())
    return selection.suite_of(item.path) if asks else None


def _control_order(item: pytest.Item) -> int:
    mark = item.get_closest_marker("control")
    if mark is None:
        return 0
    return -1 if mark.args[0] == "opening" else 1


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Iterator[Evidence]:
    """The transcripts and secrets of this case."""
    gathered = Evidence()
    request.node.stash[EVIDENCE] = gathered
    yield gathered
    gathered.close()


@pytest.fixture(scope="session")
def selection(pytestconfig: pytest.Config) -> Selection:
    """What this run was asked to judge."""
    return pytestconfig.stash[SELECTION]


@pytest.fixture(autouse=True)
def _features(request: pytest.FixtureRequest) -> None:
    """A case asks nothing of an implementation that declares to lack what it needs."""
    case = request.node.stash.get(CASE, None)
    if case is not None and (missing := case.missing_features()):
        message = f"{case.implementation.name} declares no {', '.join(missing)}"
        raise Unsupported(message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the outcome of a case into its verdict."""
    report = yield
    case = item.stash.get(CASE, None)
    if case is None:
        if (mark := item.get_closest_marker("control")) is not None and call.when != "teardown":
            setattr(report, CONTROL_ATTRIBUTE, mark.args[0])
        return report
    error = call.excinfo.value if call.excinfo is not None else None
    if error is None and call.when != "call":
        return report
    verdict, reason = _judge(case, error, item.stash.get(EVIDENCE, None), in_call=call.when == "call")
    _show(report, case, verdict, reason)
    if call.when != "teardown":
        row = _row(item, case, verdict, reason, call.duration, getattr(item, "execution_count", 1))
        setattr(report, ROW_ATTRIBUTE, row)
    else:
        setattr(report, ROW_ATTRIBUTE, _row(item, case, Verdict.BLOCKED, reason, call.duration, 1))
    return report


def _judge(
    case: Case, error: BaseException | None, evidence: Evidence | None, *, in_call: bool
) -> tuple[Verdict, str]:
    if error is None:
        return Verdict.PASS, ""
    reason = _reason(error)
    if isinstance(error, Unsupported):
        return Verdict.UNSUPPORTED, reason
    if not in_call or isinstance(error, (Blocked, LabError, pytest.skip.Exception)):
        return Verdict.BLOCKED, reason
    trouble = evidence.peer_trouble() if evidence is not None and evidence.peer_trouble is not None else None
    if trouble is not None:
        return Verdict.BLOCKED, f"{trouble} (seen as: {reason})"
    return (Verdict.FAIL if _binding(case.clauses) else Verdict.LENIENT), reason


def _binding(clauses: tuple[Clause, ...]) -> bool:
    return any(entry.level == "MUST" for entry in clauses)


def _reason(error: BaseException) -> str:
    # pytest adds how it evaluated the assertion; the case's own message says what was seen
    text = str(error).partition("\nassert ")[0].strip()
    if not isinstance(error, (AssertionError, Blocked, Unsupported, LabError)):
        text = f"{type(error).__name__}: {text}"
    return text[:REASON_LIMIT] or type(error).__name__


def _show(report: pytest.TestReport, case: Case, verdict: Verdict, reason: str) -> None:
    """Say the verdict in pytest's own terms, so that pytest by hand shows the same."""
    cause = f"{verdict}: {reason}"
    if verdict is Verdict.UNSUPPORTED:
        report.outcome = "skipped"
        report.longrepr = (str(case.suite.directory), 0, f"Skipped: {cause}")
    elif verdict is Verdict.LENIENT or (verdict is Verdict.FAIL and case.known):
        report.outcome = "skipped"
        report.wasxfail = f"known: {case.known[0].id}" if case.known else cause
    elif verdict is not Verdict.PASS:
        report.outcome = "failed"


def _row(item: pytest.Item, case: Case, verdict: Verdict, reason: str, seconds: float, attempt: int) -> Row:
    evidence = item.stash.get(EVIDENCE, None)
    directory = item.config.stash[RUN_DIRECTORY]
    transcripts: list[str] = []
    if evidence is not None:
        try:
            transcripts = evidence.write(directory, case.id, f"{item.nodeid} {attempt}")
        except OSError as error:
            # the verdict stands without them; the recorder meets the same disk and ends the run
            reason = f"{reason} (the transcripts could not be written: {error})".strip()
    note = case.known[0] if case.known and verdict is Verdict.FAIL else None
    return {
        "case": case.id,
        "nodeid": item.nodeid,
        "title": case.title,
        "protocol": case.suite.protocol,
        "role": case.role,
        "clauses": list(case.clause_ids),
        "implementation": case.implementation.name,
        "place": case.implementation.place,
        "peer": evidence.peer if evidence is not None else "-",
        "peer_kind": evidence.peer_kind
        if evidence is not None and evidence.peer_kind != "-"
        else case.peer_kind,
        "cut": case.cut,
        "verdict": verdict.value,
        "reason": reason,
        "attempts": None,
        "seconds": round(seconds, 4),
        "transcripts": transcripts,
        "reproduce": case.reproduce(),
        "known": {"id": note.id, "reason": note.reason} if note is not None else None,
        "expected": True,
    }


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """The recorder listens to reports in the controller only."""
    recorder = session.config.stash.get(RECORDER, None)
    if recorder is not None:
        session.config.pluginmanager.register(recorder, "erle-recorder")
    # rerunfailures would ask the controller over TCP before each case how often it took a worker down with it: a
    # case that does so is lost (recorder), so there is nothing to ask
    if "workerinput" in vars(session.config):
        asking = getattr(session.config, "failures_db", None)
        if isinstance(sock := getattr(asking, "sock", None), socket.socket):
            sock.close()
            session.config.failures_db = StatusDB()  # type: ignore[attr-defined]  # the plugin's own attribute


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the run's record; a run is as expected or it is not, whatever pytest counted."""
    recorder = session.config.stash.get(RECORDER, None)
    if recorder is None:
        workeroutput = getattr(session.config, "workeroutput", None)
        if workeroutput is not None:
            workeroutput["erle_peers"] = session.config.stash.get(PEER_NOTES, {})
        return
    notes = session.config.stash.get(PEER_NOTES, None)
    if notes is not None:
        recorder.note_peers(notes)
    if recorder.trouble is not None:
        session.exitstatus = COULD_NOT_RUN
    elif recorder.rows:
        session.exitstatus = recorder.finish(int(exitstatus))

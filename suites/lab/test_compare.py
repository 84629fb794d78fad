"""Comparing two runs: what is new, gone or changed, which way, and what may have changed it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from lab.judge.compare import Direction, Kind, compare
from lab.judge.runs import Peer, Run, VerdictRow, read_run
from suites.lab.synthetic_runs import Plan, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run to start from."""
    return read_run(write_run(tmp_path_factory.mktemp("compare"), Plan(transcripts=False)))


def with_verdicts(run: Run, rows: Sequence[VerdictRow]) -> Run:
    """The same run with other verdicts."""
    return dataclasses.replace(run, id="20261123T080000Z-ffffff", verdicts=tuple(rows))


def changed(run: Run, was: str, now: str, *, expected: bool = True) -> tuple[Run, Run]:
    """Two runs that differ in the verdict of one row alone."""
    row = next(row for row in run.verdicts if row.verdict == "pass")
    before = [dataclasses.replace(row, verdict=was)]
    return with_verdicts(run, before), with_verdicts(
        run, [dataclasses.replace(row, verdict=now, expected=expected)]
    )


def test_a_run_compared_with_itself_shows_nothing(run: Run) -> None:
    """No change, nothing moved."""
    comparison = compare(run, run)
    assert comparison.changes == ()
    assert comparison.moved == ()
    assert comparison.same == len(run.verdicts)


@pytest.mark.parametrize(
    ("was", "now", "direction"),
    [
        ("pass", "fail", "worse"),
        ("pass", "lenient", "worse"),
        ("pass", "flaky", "worse"),
        ("pass", "unsupported", "worse"),
        ("pass", "disputed", "worse"),
        ("pass", "blocked", "worse"),
        ("lenient", "fail", "worse"),
        ("lenient", "pass", "better"),
        ("fail", "pass", "better"),
        ("fail", "lenient", "better"),
        ("fail", "unsupported", "neither"),
        ("fail", "blocked", "worse"),
        ("unsupported", "pass", "better"),
        ("unsupported", "fail", "worse"),
        ("blocked", "fail", "worse"),
        ("blocked", "pass", "better"),
        ("disputed", "unsupported", "neither"),
    ],
)
def test_which_way_a_verdict_went(run: Run, was: str, now: str, direction: str) -> None:
    """A verdict that decides less than a pass did is worse: a failure may not hide as `unsupported`."""
    (change,) = compare(*changed(run, was, now)).changes
    assert (change.kind, str(change.direction)) == (Kind.CHANGED, direction)


def test_the_same_verdict_that_is_no_longer_expected_is_worse(run: Run) -> None:
    """A note that was removed while the failure stays."""
    (change,) = compare(*changed(run, "fail", "fail", expected=False)).changes
    assert change.direction is Direction.WORSE
    (change,) = compare(*reversed(changed(run, "fail", "fail", expected=False))).changes
    assert change.direction is Direction.BETTER


def test_a_pass_that_is_gone_is_worse_and_a_failure_that_is_gone_is_not_better(run: Run) -> None:
    """What no longer runs proves nothing."""
    passing = [row for row in run.verdicts if row.verdict == "pass"][:1]
    failing = [row for row in run.verdicts if row.verdict == "fail"][:1]
    empty = with_verdicts(run, [])
    assert [(c.kind, c.direction) for c in compare(with_verdicts(run, passing), empty).changes] == [
        ("gone", "worse")
    ]
    assert [(c.kind, c.direction) for c in compare(with_verdicts(run, failing), empty).changes] == [
        ("gone", "neither")
    ]


def test_a_new_verdict_is_worse_when_it_asks_for_a_look(run: Run) -> None:
    """A new case that passes, or whose failure is known, is no step back."""
    row = run.verdicts[0]
    for verdict, expected, direction in (
        ("pass", True, "neither"),
        ("fail", True, "neither"),
        ("fail", False, "worse"),
    ):
        new = with_verdicts(run, [dataclasses.replace(row, verdict=verdict, expected=expected)])
        (change,) = compare(with_verdicts(run, []), new).changes
        assert (change.kind, change.direction) == ("new", direction)


def test_cuts_and_peers_are_compared_each_with_its_own(run: Run) -> None:
    """The same case with another cut, or against another peer, is another verdict."""
    row = dataclasses.replace(next(row for row in run.verdicts if row.verdict == "pass"), cut="whole")
    for other in (dataclasses.replace(row, cut="lines"), dataclasses.replace(row, peer="embedded")):
        kinds = {
            change.kind for change in compare(with_verdicts(run, [row]), with_verdicts(run, [other])).changes
        }
        assert kinds == {Kind.NEW, Kind.GONE}


def causes(before: Run, after: Run) -> tuple[str, ...]:
    """What may have caused the one change between two runs."""
    (change,) = compare(before, after).changes
    return change.causes


def test_a_change_of_nothing_recorded_is_possible_flakiness(run: Run) -> None:
    """Same suite, implementation, peer, lab and Python: the verdict itself does not hold still."""
    (change,) = compare(*changed(run, "pass", "fail")).changes
    assert change.causes == ()
    assert change.as_json()["possible_flakiness"] is True


def test_the_cause_is_told(run: Run) -> None:
    """Suite, implementation, peer, lab and Python are each told, and only for the verdicts that they touch."""
    before, after = changed(run, "pass", "fail")
    row = before.verdicts[0]
    suite = dataclasses.replace(after.suites["smtp"], digest="6" * 64)
    assert causes(before, dataclasses.replace(after, suites={"smtp": suite})) == ("suite",)

    def moved(name: str, role: str) -> Run:
        rows = tuple(
            dataclasses.replace(one, version="9.9") if (one.name, one.role) == (name, role) else one
            for one in after.implementations
        )
        return dataclasses.replace(after, implementations=rows)

    assert causes(before, moved(row.implementation, row.role)) == ("implementation",)
    assert causes(before, moved(row.implementation, "server")) == ()
    peer = Peer(row.peer, "reference", "3.8", "sha256:" + "b" * 64)
    assert causes(before, dataclasses.replace(after, peers={**after.peers, row.peer: peer})) == ("peer",)
    assert causes(before, dataclasses.replace(after, version="0.2.0")) == ("lab",)
    assert causes(before, dataclasses.replace(after, host={**after.host, "python": "3.12.0"})) == ("python",)


def test_what_moved_is_told_once(run: Run) -> None:
    """One line for each thing that differs between the runs, whether or not a verdict changed."""
    suite = dataclasses.replace(run.suites["smtp"], digest="6" * 64)
    postfix = dataclasses.replace(run.peers["postfix"], image="sha256:" + "b" * 64)
    rows = (dataclasses.replace(run.implementations[0], version="9.9"), *run.implementations[2:])
    after = dataclasses.replace(
        run, suites={"smtp": suite}, peers={**run.peers, "postfix": postfix}, implementations=rows
    )
    moved = "\n".join(compare(run, after).moved)
    for line in (
        "suite smtp: 555555555555 → 666666666666",
        "smtplib (smtp client): 1.4.6 → 9.9",
        "aiosmtplib (smtp client): only in",
        "peer postfix: 3.7.11, image aaaaaaaaaaaa → bbbbbbbbbbbb",
    ):
        assert moved.count(line) == 1


def test_what_got_worse_comes_first(run: Run) -> None:
    """A reader sees the bad news first, whatever the names."""
    rows = sorted((row for row in run.verdicts if row.verdict == "pass"), key=lambda row: row.key)[:3]
    before = with_verdicts(run, [dataclasses.replace(rows[0], verdict="fail"), rows[1], rows[2]])
    after = with_verdicts(run, [rows[0], rows[1], dataclasses.replace(rows[2], verdict="fail")])
    assert [change.direction for change in compare(before, after).changes] == [
        Direction.WORSE,
        Direction.BETTER,
    ]

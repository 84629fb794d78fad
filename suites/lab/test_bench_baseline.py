"""The gate: what servers cost on the emulated board, beside what is written down; and its logic on figures made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab.bench import baseline
from lab.bench.baseline import CELL, DECISIVE, Change, Outdated
from lab.bench.board import Board, Task
from lab.bench.plan import BenchPlan, BenchServer, find_plans
from lab.bench.target import Series
from lab.errors import LabError
from lab.stack.engine import EngineMissing
from suites.lab.measured import plan, server

ROOT = Path(__file__).parents[2]
VERSIONS = dict.fromkeys(DECISIVE, "1.0")
GATED = {
    name: found for name, found in find_plans(ROOT).items() if (found.directory / baseline.FILE).exists()
}
#: How many servers the gate of every test run counts.
SMALL = 4


def figures(name: str, instructions: float, system_calls: float = 2.0) -> list[Series]:
    """Three processes' figures."""
    return [
        Series("instructions", name, (instructions - 1, instructions, instructions + 5), connections=10),
        Series("system-calls", name, (system_calls,) * 3, connections=10),
    ]


def written(folder: Path, *servers: BenchServer) -> BenchPlan:
    """A plan of these servers with a baseline of 1000 instructions each."""
    found = plan(*servers, folder=folder)
    baseline.write(found, [one for each in servers for one in figures(each.name, 1000)], VERSIONS)
    return found


LOOP = server("one")
THREADS = replace(server("many"), architecture="threads", varies=5)


def explained(folder: Path, series: Sequence[Series]) -> str:
    """What the gate says of these figures."""
    found = written(folder, LOOP, THREADS)
    changed = baseline.changes(found, baseline.read(found), series, VERSIONS)
    return baseline.explain(changed, found.protocol)


def test_what_is_within_its_tolerance_is_no_change(tmp_path: Path) -> None:
    """1 % of a server, or as many as the plan allows it."""
    assert explained(tmp_path, [*figures("one", 1009), *figures("many", 1049)]) == ""


@pytest.mark.parametrize(
    ("name", "instructions", "said"), [("one", 1011, "+1.10%"), ("many", 1051, "+5.10%")]
)
def test_what_is_worse_is_told_with_the_difference(
    tmp_path: Path, name: str, instructions: float, said: str
) -> None:
    """Before, after, share, and what is allowed."""
    text = explained(tmp_path, figures(name, instructions))
    assert text.startswith("worse than the baseline:")
    assert f"{name}: 1,000.00 → {instructions:,.2f} instructions per request ({said}, allowed" in text


def test_more_system_calls_are_worse_too(tmp_path: Path) -> None:
    """Instructions of the kernel are not counted; calls are what shows them."""
    assert "one: 2.00 → 3.00 system calls per request" in explained(tmp_path, figures("one", 1000, 3))


def test_what_is_better_asks_for_a_new_baseline(tmp_path: Path) -> None:
    """Or it would be lost unseen."""
    text = explained(tmp_path, figures("one", 900))
    assert text.startswith("better than the baseline")
    assert "./erle bench chat --target erle --renew-baseline" in text
    assert "1,000.00 → 900.00" in text


def test_other_versions_are_no_regression(tmp_path: Path) -> None:
    """They are named, with the remedy, and nothing is compared."""
    found = written(tmp_path, LOOP)
    other = VERSIONS | {"python3.11": "1.1"}
    with pytest.raises(Outdated, match=r"counted with other versions: python3\.11 1\.0 → 1\.1") as caught:
        baseline.changes(found, baseline.read(found), figures("one", 5000), other)
    assert caught.value.remedy == "./erle bench chat --target erle --renew-baseline"


def test_a_server_without_a_baseline_is_told(tmp_path: Path) -> None:
    """A new server has to be written down before it is gated."""
    found = written(tmp_path, LOOP)
    with pytest.raises(Outdated, match="has no many"):
        baseline.changes(found, baseline.read(found), figures("many", 1), VERSIONS)


def test_a_server_that_cannot_be_counted_is_no_pass(tmp_path: Path) -> None:
    """Neither when gating nor when writing."""
    found = written(tmp_path, LOOP)
    bad = [Series("instructions", "one", (), trouble="it ended with 1")]
    with pytest.raises(LabError, match="one could not be counted: it ended with 1"):
        baseline.changes(found, baseline.read(found), bad, VERSIONS)
    with pytest.raises(LabError, match="could not be counted"):
        baseline.write(found, bad, VERSIONS)
    assert baseline.read(found).servers["one"]["instructions"] == 1000


@pytest.mark.parametrize(
    "content", ["", "[]", '{"versions": {}, "servers": {"one": {"instructions": "few"}}}']
)
def test_a_baseline_that_cannot_be_read_is_one_clear_error(tmp_path: Path, content: str) -> None:
    """It names the file."""
    found = plan(LOOP, folder=tmp_path)
    (tmp_path / baseline.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(LabError, match=r"baseline\.json"):
        baseline.read(found)


def test_no_baseline_names_the_remedy(tmp_path: Path) -> None:
    """The command that writes one."""
    with pytest.raises(LabError) as caught:
        baseline.read(plan(LOOP, folder=tmp_path))
    assert caught.value.remedy == "./erle bench chat --target erle --renew-baseline"


@pytest.mark.parametrize("protocol", GATED)
def test_every_baseline_is_of_the_servers_there_are(protocol: str) -> None:
    """None is forgotten when a server goes, and the file says how it was counted."""
    found = GATED[protocol]
    assert baseline.forgotten(found, baseline.read(found)) == []
    assert (
        json.loads((found.directory / baseline.FILE).read_bytes())["cell"]["connections"] == CELL.connections
    )


def small(found: BenchPlan) -> list[BenchServer]:
    """The limit, and the first server of each architecture."""
    chosen: dict[str, BenchServer] = {}
    for one in found.servers:
        if one.name != found.limit and one.needs is None:
            chosen.setdefault(one.architecture, one)
    limit = [found.server(found.limit)] if found.limit else []
    return [*limit, *chosen.values()][:SMALL]


def counted(found: BenchPlan, servers: Sequence[BenchServer], repeats: int) -> list[Change]:
    """Count these servers, and compare. Fails where there is nothing to compare with."""
    board = Board(ROOT)
    try:
        series = list(board.count(Task(found, servers, [CELL], repeats), lambda *_: None))
    except EngineMissing as error:
        pytest.skip(f"no container engine: {error}")
    try:
        changed = baseline.changes(found, baseline.read(found), series, board.versions)
    except LabError as error:
        pytest.fail(f"{error}\n{error.remedy}")
    assert {one.server for one in changed} == {one.name for one in servers} - set(board.left_out)
    return changed


def gate(found: BenchPlan, servers: Sequence[BenchServer]) -> None:
    """Fail with what has changed. What seems to have changed is counted again, in as many processes as the baseline."""
    suspects = {one.server for one in counted(found, servers, 1) if one.worse or one.better}
    if suspects:
        again = counted(found, [found.server(name) for name in sorted(suspects)], baseline.REPEATS)
        said = baseline.explain(again, found.protocol)
        if said:
            pytest.fail(said)


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", GATED)
def test_some_servers_cost_what_is_written_down(protocol: str) -> None:
    """One of each kind: the gate of every test run."""
    gate(GATED[protocol], small(GATED[protocol]))


@pytest.mark.arm
@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", GATED)
def test_all_servers_cost_what_is_written_down(protocol: str) -> None:
    """Every server of the benchmark."""
    gate(GATED[protocol], GATED[protocol].servers)

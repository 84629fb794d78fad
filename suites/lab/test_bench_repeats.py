"""Emulated measurement repeats, and shows what it is there to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.bench.board import Board, Cell, Task
from lab.bench.plan import find_plans
from lab.bench.system import System
from lab.bench.target import Settings

ROOT = Path(__file__).parents[2]


@pytest.mark.arm
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_the_whole_system_repeats() -> None:
    """Processor time in the guest, of fresh processes in one boot: within 1 %."""
    for plan in find_plans(ROOT).values():
        settings = Settings(rounds=3, connections=(1, 10), idle=())
        found = list(
            System(ROOT).measure(plan, plan.select([plan.limit or plan.reference]), settings, lambda *_: None)
        )
        assert found
        for series in found:
            assert not series.trouble
            assert max(series.values) / min(series.values) < 1.01, f"{series.server}: {series.values}"


@pytest.mark.arm
@pytest.mark.docker
@pytest.mark.timeout(600)
def test_silent_connections_cost_next_to_nothing() -> None:
    """Beside 500 silent connections the server with the least cost executes at most 5 % more for each question."""
    for plan in find_plans(ROOT).values():
        if plan.limit is None:
            continue
        cells = [Cell(1, questions=500), Cell(1, 500, questions=500)]
        task = Task(plan, [plan.server(plan.limit)], cells, 1)
        found = [one for one in Board(ROOT).count(task, lambda *_: None) if one.quantity == "instructions"]
        alone, among = (one.values[0] for one in found)
        assert among / alone < 1.05

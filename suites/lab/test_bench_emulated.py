"""Emulated measurement: the plugin counts right, the guest measures and repeats, and what hangs costs a deadline."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from lab.bench.board import Board, Cell, Collected, Task
from lab.bench.emulated import counters
from lab.bench.emulated.booting import Silent, console
from lab.bench.emulated.container import Container
from lab.bench.emulated.counters import Counters, NotCounting
from lab.bench.emulated.serving import load_of
from lab.bench.plan import find_plans
from lab.bench.system import System
from lab.bench.target import Series, Settings, Target
from lab.errors import LabError
from lab.stack.engine import EngineMissing

ROOT = Path(__file__).parents[2]
LOOP = 3_000_000  # instructions of 1,000,000 turns of counted.c's loop
#: Runs counted.c on the board, once for each list of arguments, and prints what was counted.
COUNT = """
import json, subprocess, sys, tempfile
from pathlib import Path
from lab.bench.emulated.counters import Counters
from lab.bench.emulated.counting import cross, emulated, plugin
with tempfile.TemporaryDirectory(dir="/work") as name:
    folder = Path(name)
    source = folder / "counted.c"
    source.write_text(sys.argv[1])
    program, found = cross(source, folder), []
    for number, words in enumerate(json.loads(sys.argv[2])):
        path = folder / f"counters{number}"
        subprocess.run(emulated([str(program), *words], plugin(folder), path), check=True)
        with Counters(path) as counters:
            counts = counters.read()
        found.append([counts.instructions, counts.system_calls])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def container() -> Iterator[Container]:
    """The container that measures; skips where there is no engine."""
    try:
        with Container(ROOT) as found:
            yield found
    except EngineMissing as error:
        pytest.skip(f"no container engine: {error}")


def more(container: Container, what: str, few: int, many: int) -> tuple[int, int]:
    """How many more instructions and system calls `counted WHAT MANY` takes than `counted WHAT FEW`."""
    source = (Path(__file__).parent / "counted.c").read_text(encoding="utf-8")
    runs = json.dumps([[what, str(few)], [what, str(many)]])
    printed = container.output(["python3", "-c", COUNT, source, runs])
    first, second = json.loads(printed)
    return second[0] - first[0], second[1] - first[1]


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_instructions_are_counted_to_the_last_one(container: Container) -> None:
    """A thousand turns more of a loop of three instructions."""
    assert more(container, "turns", 1000, 2000) == (3000, 0)


@pytest.mark.docker
@pytest.mark.timeout(600)
@pytest.mark.parametrize("what", ["forks", "threads"])
def test_children_and_threads_are_counted(container: Container, what: str) -> None:
    """Each executes its loop, and little else."""
    instructions, calls = more(container, what, 2, 4)

    assert 2 * LOOP <= instructions < 2.1 * LOOP
    assert calls > 0


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_system_calls_are_counted(container: Container) -> None:
    """A thousand more, and not one of another kind."""
    assert more(container, "calls", 1000, 2000)[1] == 1000


def test_a_file_that_is_no_counter_is_refused(tmp_path: Path) -> None:
    """An empty file, and one of something else."""
    for content in (b"", b"x" * 128):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(NotCounting):
            Counters(tmp_path / "file")


def test_a_server_that_never_rests_is_told(tmp_path: Path) -> None:
    """What is counted goes up at each look: no figure comes of that."""
    path = tmp_path / "counters"
    path.write_bytes(counters.MAGIC.to_bytes(8, "little") + (2).to_bytes(8, "little") + bytes(112))
    now = iter(range(1000))

    def work(_seconds: float) -> None:
        with path.open("r+b") as file:
            file.seek(counters.SLOT)
            file.write((next(now) + 1).to_bytes(8, "little"))

    with Counters(path) as counting, pytest.raises(NotCounting, match="has not come to rest within 5 s"):
        counting.at_rest(0, 5, clock=lambda: float(next(now)), pause=work)


def test_no_more_ask_in_step_than_are_served_at_a_time() -> None:
    """Others would wait for ever; a server without a bound is asked by all."""
    cell = {"connections": 10, "idle": 0, "depth": 1, "questions": 1000}
    assert load_of(cell, None) == {**cell, "in_step": True}
    assert load_of(cell, 40)["connections"] == 10
    assert load_of(cell, 3)["connections"] == 3


def test_trouble_in_one_cell_leaves_the_others_their_figures() -> None:
    """A server that fails beside many connections has figures with few; one that does not start has none."""
    plan = find_plans(ROOT)["lancelot"]
    collected = Collected([Cell(1), Cell(1, 500)], ("instructions",))
    collected.add({"server": "poll", "cell": 0, "instructions": 3250.0})
    collected.add({"server": "poll", "cell": 1, "trouble": "lost"})
    collected.add({"server": "epoll", "cell": 0, "instructions": 3390.0})
    collected.add({"server": "epoll", "trouble": "it ended with 3"})
    found = [
        (one.server, one.idle, one.values, one.trouble) for one in collected.series(plan.select(["epoll"]))
    ]
    assert sorted(found) == [
        ("epoll", 0, (), "it ended with 3"),
        ("epoll", 500, (), "it ended with 3"),
        ("poll", 0, (3250.0,), ""),
        ("poll", 500, (), "lost"),
    ]


def test_a_guest_that_says_nothing_costs_its_deadline() -> None:
    """The error ends with its last lines; the guest is gone."""
    program = "import threading; print('Kernel panic: no init'); print('half', end='', flush=True); threading.Event().wait()"
    with pytest.raises(
        Silent, match=r"said nothing for 0\.5 s; its last lines: Kernel panic: no init \| half"
    ):
        list(console([sys.executable, "-c", program], 0.5))


def test_a_guest_that_goes_on_talking_is_waited_for() -> None:
    """The deadline is of each line, not of all."""
    program = "import time\nfor number in range(8):\n print(number, flush=True)\n time.sleep(0.2)"
    assert list(console([sys.executable, "-c", program], 1)) == [str(number) for number in range(8)]


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_a_real_guest_that_is_too_slow_is_ended(container: Container) -> None:
    """Booting takes longer than it may: one clear error, and no guest is left running."""
    task = {"exchanges": [], "servers": [], "cells": [], "repeats": 0, "seconds": 0.2}
    with pytest.raises(LabError, match=r"the guest said nothing for 0\.2 s"):
        list(container.run("booting", task))
    left = container.output(["bash", "-c", "cat /proc/[0-9]*/comm"])
    assert "qemu" not in left


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_a_broken_off_measurement_leaves_no_server(container: Container) -> None:
    """The iteration ends after the first figure, as at Ctrl-C: what ran in the container is gone."""
    plan = next(iter(find_plans(ROOT).values()))
    task = Task(plan, [plan.server(plan.reference)], [Cell(1, questions=50)] * 50, 1)
    found = container.run("counting", task.as_json(ROOT))
    assert next(found)["instructions"] > 0
    found.close()  # type: ignore[attr-defined]  # it is a generator

    assert "qemu" not in container.output(["bash", "-c", "cat /proc/[0-9]*/comm"])


class BrokenOff:
    """A container in which one figure is found before the user has enough."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def versions(self) -> dict[str, str]:
        """None."""
        return {}

    def run(self, *_: object) -> Iterator[dict[str, object]]:
        """One figure, then Ctrl-C."""
        found = {"server": "c-epoll", "cell": 0, "instructions": 300, "system-calls": 2, "system-cpu": 26}
        yield found
        raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["board", "system"])
def test_what_was_measured_until_it_was_broken_off_is_kept(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interruption goes on to whoever asked, after the figures."""
    monkeypatch.setattr(f"lab.bench.{name}.Container", BrokenOff)
    plan = find_plans(ROOT)["lancelot"]
    target: Target = Board(ROOT) if name == "board" else System(ROOT)
    kept: list[Series] = []

    def measure() -> None:
        # one by one: what came before the exception is what is looked at
        kept.extend(target.measure(plan, plan.select(["c-epoll"]), Settings(), lambda *_: None))

    with pytest.raises(KeyboardInterrupt):
        measure()
    assert {series.server for series in kept} == {"c-epoll"}

"""The target `erle`: instructions and system calls per request on the emulated board.

Knows which cells are counted and how the figures are put together. Must not know how they are counted, nor a protocol.

What is counted does not depend on the machine, nor on what else it does: the same server gives the same figure tomorrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lab.bench.emulated.container import Container
from lab.bench.plan import BenchPlan, BenchServer
from lab.bench.target import Method, Report, Series, Settings

QUESTIONS: Final = 1000
#: Threads and processes take much memory under emulation; beyond this, the figures differ no more.
MOST_CONNECTIONS: Final = 100
MOST_REPEATS: Final = 2
QUANTITIES: Final = ("instructions", "system-calls")
TEXT: Final = (
    "Instructions in user mode and system calls of the server with all its threads and processes, counted by a QEMU plugin on "
    "an emulated Cortex-A8, per question, of connections that are open and ask in step: all at once, and again when all have "
    "their answers. A server that serves fewer at a time is asked by so many. Instructions of the kernel are not counted."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One load: who asks, who is silent, how many questions are counted."""

    connections: int
    idle: int = 0
    depth: int = 1
    questions: int = QUESTIONS


def cells_of(settings: Settings) -> list[Cell]:
    """The cells that the settings ask for: connections that ask, and one that asks beside silent ones."""
    questions = QUESTIONS // 4 if settings.quick else QUESTIONS
    asking = [Cell(count, questions=questions) for count in settings.connections if count <= MOST_CONNECTIONS]
    silent = [Cell(1, count, questions=questions // 5) for count in settings.idle if count]
    return asking + silent


@dataclass(frozen=True, slots=True)
class Task:
    """What a program in the container is told.

    Attributes:
        repeats: in how many processes each server is measured.
    """

    plan: BenchPlan
    servers: Sequence[BenchServer]
    cells: Sequence[Cell]
    repeats: int

    def cells_for(self, server: BenchServer) -> list[int]:
        """Which cells: silent connections would starve those that ask where only so many are served at a time."""
        bounded = server.concurrency is not None
        return [number for number, cell in enumerate(self.cells) if not (cell.idle and bounded)]

    @property
    def steps(self) -> int:
        """How many figures there will be, if all goes well."""
        return self.repeats * sum(len(self.cells_for(server)) for server in self.servers)

    def as_json(self, root: Path) -> dict[str, object]:
        """As `lab.bench.emulated.counting` and `booting` take it; `root` is the checkout."""
        return {
            "exchanges": [
                [each.send.decode("latin-1"), each.expect.decode("latin-1")] for each in self.plan.exchanges
            ],
            "servers": [
                {
                    "name": server.name,
                    "argv": server.argv("127.0.0.1", self.plan.port, python="{python}", binary="{binary}"),
                    "source": server.source and server.source.relative_to(root).as_posix(),
                    "needs": server.needs,
                    "concurrency": server.concurrency,
                    "cells": self.cells_for(server),
                }
                for server in self.servers
            ],
            "cells": [asdict(cell) for cell in self.cells],
            "repeats": self.repeats,
        }


def lacking(left_out: Mapping[str, str]) -> dict[str, str]:
    """What is to be told beside the figures of servers that cannot run here."""
    words = ", ".join(f"{server} (no {module})" for server, module in left_out.items())
    return {"left out": words} if words else {}


@dataclass
class Collected:
    """What programs in the container found.

    Attributes:
        values: by server, cell and quantity, as they come.
        troubles: by server and cell, or by server and None for all of its cells, why there is no figure.
        left_out: by server, the module without which it cannot run here.
    """

    cells: Sequence[Cell]
    quantities: Sequence[str]
    values: dict[tuple[str, int, str], list[float]] = field(default_factory=dict)
    troubles: dict[tuple[str, int | None], str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, found: Mapping[str, Any]) -> str:  # Any: JSON
        """Take a line that a program in the container printed; return the server it is about."""
        server = str(found["server"])
        if "lacks" in found:
            self.left_out[server] = str(found["lacks"])
        elif "trouble" in found:
            self.troubles[server, found.get("cell")] = str(found["trouble"])
        else:
            for quantity in self.quantities:
                key = server, int(found["cell"]), quantity
                self.values.setdefault(key, []).append(float(found[quantity]))
        return server

    def series(self, servers: Sequence[BenchServer]) -> Iterator[Series]:
        """One series for each server, cell and quantity that was measured or should have been."""
        for server in servers:
            every = self.troubles.get((server.name, None), "")
            for number, cell in enumerate(self.cells):
                trouble = self.troubles.get((server.name, number), every)
                for quantity in self.quantities:
                    values = tuple(self.values.get((server.name, number, quantity), ()))
                    if trouble or values:
                        yield Series(
                            quantity,
                            server.name,
                            () if trouble else values,
                            restarts=() if trouble else tuple(range(len(values))),
                            connections=cell.connections,
                            depth=cell.depth,
                            idle=cell.idle,
                            trouble=trouble,
                        )


class Board:
    """The emulated board as a target for the checkout at `root`.

    Attributes:
        versions: of the packages that the last figures depend on.
        left_out: servers that could not run, each with the module that the board does not have.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.versions: dict[str, str] = {}
        self.left_out: dict[str, str] = {}

    def method(self) -> Method:
        """How it measures, with the versions that the figures depend on."""
        return Method(
            target="erle",
            text=TEXT,
            facts={"processor": "cortex-a8", **self.versions, **lacking(self.left_out)},
        )

    def measure(
        self, plan: BenchPlan, servers: Sequence[BenchServer], settings: Settings, report: Report
    ) -> Iterator[Series]:
        """Measure the servers. Raises LabError: there is no container, or it broke down."""
        task = Task(plan, servers, cells_of(settings), min(settings.rounds, MOST_REPEATS))
        yield from self.count(task, report)

    def count(self, task: Task, report: Report) -> Iterator[Series]:
        """Count what the servers of the task execute. Raises LabError: there is no container, or it broke down."""
        collected = Collected(task.cells, QUANTITIES)
        try:
            with Container(self._root, lambda words: report(0, task.steps, words)) as container:
                self.versions = container.versions()
                for done, found in enumerate(container.run("counting", task.as_json(self._root)), start=1):
                    report(min(done, task.steps), task.steps, f"counted: {collected.add(found)}")
        except KeyboardInterrupt:
            # What was counted until the user broke it off is as good as ever.
            yield from collected.series(task.servers)
            raise
        self.left_out = collected.left_out
        yield from collected.series(task.servers)


def target(root: Path) -> Board:
    """The emulated board as a target for the checkout at `root`."""
    return Board(root)

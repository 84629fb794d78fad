"""The target `native`: wall clock and processor time on this machine, server and load on one core.

Knows what is measured, in which order, and with how much load. Must not know a protocol, nor what the figures mean.

Server and generator share one core: on two, the wake-up of the other core is what is measured, and it varies. Servers are kept
alive over rounds, so that a round differs from the next by its order alone, and are started anew now and then, so that what
one process has by luck (its addresses, its memory) is seen as such. The generator is a process of its own in the server's
network namespace, and talks to 127.0.0.1.
"""

from __future__ import annotations

import os
import platform
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from lab.bench import generator, meters
from lab.bench.build import build, compiler_version
from lab.bench.cells import USUAL, Cell, Phase, phases_of
from lab.bench.generator import Generator, Outcome, Request, Unserved, WrongAnswer
from lab.bench.plan import BenchPlan, BenchServer
from lab.bench.running import FIRST, RunningServer, may_go_first
from lab.bench.target import Method, Report, Series, Settings
from lab.bench.words import percent

RESTARTS_FOR_MEMORY: Final = 2


@dataclass
class _Measured:
    """The values of one cell of one server, as they come."""

    values: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    processes: list[int] = field(default_factory=list)
    trouble: str = ""


class Machine:
    """This machine as a target. `root` is the checkout; programs are built into `programs`."""

    def __init__(self, root: Path, programs: Path) -> None:
        self._root = root
        self._programs = programs
        self._core = max(os.sched_getaffinity(0))

    def method(self) -> Method:
        """How it measures."""
        return Method(
            target="native",
            text="Server and load generator on one core of this machine, servers kept alive over shuffled rounds and "
            "started anew between groups of rounds. Ratios are medians of each round's ratio to the reference, with a 95 % "
            "bootstrap interval; absolute figures are context.",
            facts={
                "core": str(self._core),
                "priority": f"nice {FIRST}" if may_go_first() else "as others",
                "processor": _processor(),
                "kernel": platform.release(),
                "python": platform.python_version(),
                "compiler": compiler_version(),
            },
        )

    def measure(
        self, plan: BenchPlan, servers: Sequence[BenchServer], settings: Settings, report: Report
    ) -> Iterator[Series]:
        """Measure the servers. Raises LabError: one cannot be built or started, or the generator ended."""
        programs = {
            server.name: str(build(server.source, self._programs))
            for server in servers
            if server.source is not None
        }
        with Generator(self._core, plan.exchanges) as load:
            bench = _Bench(self, load, settings, report, programs)
            try:
                yield from bench.all(servers)
            finally:
                bench.stop()

    def start(self, server: BenchServer, binary: str | None) -> RunningServer:
        """Start a server on the core that is measured."""
        return RunningServer(server.name, server.argv("127.0.0.1", 0, binary=binary), self._core, self._root)


def target(root: Path) -> Machine:
    """This machine as a target for the checkout at `root`."""
    return Machine(root, root / ".erle" / "programs")


class _Bench:
    def __init__(
        self,
        machine: Machine,
        load: Generator,
        settings: Settings,
        report: Report,
        programs: dict[str, str],
    ) -> None:
        self._machine = machine
        self._generator = load
        self._settings = settings
        self._report = report
        self._programs = programs
        self._random = random.Random(settings.seed)
        self._running: dict[str, RunningServer] = {}
        self._capacity: dict[str, float] = {}
        self._done = 0
        self._steps = 0

    def all(self, servers: Sequence[BenchServer]) -> Iterator[Series]:
        """All that was asked for."""
        phases = phases_of(self._settings, servers)
        self._steps = sum(phase.steps for phase in phases)
        memory = "memory" in self._settings.measures
        if memory:
            self._steps += len(servers) * RESTARTS_FOR_MEMORY
        for phase in phases:
            for series in self._rounds(phase):
                self._remember(series)
                if phase.kept:
                    yield series
        if memory:
            yield from self._memory(servers, [0, *filter(None, self._settings.idle)])

    def _remember(self, series: Series) -> None:
        """The capacity of a server is what it did with the usual number of connections, or else with the first number."""
        usual = series.connections == USUAL or series.server not in self._capacity
        if series.quantity == "throughput" and series.values and usual:
            self._capacity[series.server] = float(np.median(series.values))

    # the rounds

    def _rounds(self, phase: Phase) -> Iterator[Series]:
        servers, cells, rounds = phase.servers, phase.cells, phase.rounds
        restarts = min(self._settings.restarts, rounds)
        taken = {(server.name, number): _Measured() for server in servers for number in range(len(cells))}
        process = -1
        for turn in range(rounds):
            if turn * restarts // rounds != process:
                process = turn * restarts // rounds
                self._restart(servers)
            for number, cell in enumerate(cells):
                for server in self._random.sample(servers, len(servers)):
                    self._done += 1
                    self._report(
                        self._done, self._steps, f"{phase.name}: {server.name}, round {turn + 1} of {rounds}"
                    )
                    measured = taken[server.name, number]
                    if not measured.trouble:
                        self._take(server, cell, measured, process, turn)
        for server in servers:
            for number, cell in enumerate(cells):
                capacity = self._capacity.get(server.name)
                yield from _series(server, cell.request(server, capacity), cell, taken[server.name, number])

    def _take(self, server: BenchServer, cell: Cell, measured: _Measured, process: int, turn: int) -> None:
        try:
            request = cell.request(server, self._capacity.get(server.name))
            if request.rate == 0:
                raise Unserved("its capacity could not be measured")
            request = replace(request, seed=self._settings.seed + turn)
            outcome, cpu = self._run(server, request)
        except (Unserved, WrongAnswer) as error:
            running = self._running[server.name]
            ended = "" if running.alive() else f"; {running.complaint()}"
            measured.trouble = f"{error}{ended}"
            return
        if cell.timed and outcome.limited:
            measured.trouble = (
                f"the load generator was busy for {percent(outcome.busy)} of the time (at most {percent(generator.BUSIEST)}): it, and not "
                "the server, would have been measured"
            )
            return
        for quantity, value in cell.figures(outcome, cpu).items():
            measured.values[quantity].append(value)
        measured.processes.append(process)

    def _run(self, server: BenchServer, request: Request) -> tuple[Outcome, float]:
        """One run of load; the server's processor time in seconds from when the load begins."""
        running = self._alive(server)
        readings: list[float] = []

        def read() -> None:
            readings.append(running.cpu_seconds())

        outcome = self._generator.run(running.address, request, read, read)
        return outcome, readings[1] - readings[0]

    # the servers

    def _alive(self, server: BenchServer) -> RunningServer:
        running = self._running.get(server.name)
        if running is not None and running.alive():
            return running
        if running is not None:
            running.stop()
        self._running[server.name] = self._machine.start(server, self._programs.get(server.name))
        return self._running[server.name]

    def _restart(self, servers: Sequence[BenchServer]) -> None:
        """New processes of all servers, started side by side and warmed up."""
        self.stop()
        for server in servers:
            self._alive(server)
        for server in servers:
            connections = min(USUAL, server.concurrency or USUAL)
            try:
                self._run(server, Request(connections, 200 if self._settings.quick else 2000))
            except (Unserved, WrongAnswer):
                # the cells find it out again, and keep the reason
                continue

    def stop(self) -> None:
        """End all servers."""
        for running in self._running.values():
            running.stop()
        self._running.clear()

    # memory

    def _memory(self, servers: Sequence[BenchServer], idle: Sequence[int]) -> Iterator[Series]:
        """Memory of a fresh process with more and more silent connections; with none, of a server that serves but some."""
        for server in servers:
            counts = idle if server.concurrency is None else idle[:1]
            taken: dict[int, list[float]] = {count: [] for count in counts}
            trouble = ""
            for _ in range(RESTARTS_FOR_MEMORY):
                self._done += 1
                self._report(self._done, self._steps, f"memory: {server.name}")
                self.stop()
                try:
                    for count in counts:
                        taken[count].append(self._pss(server, count))
                except (Unserved, WrongAnswer) as error:
                    trouble = str(error)
            self.stop()
            for count in counts:
                values = () if trouble else tuple(taken[count])
                yield Series("memory", server.name, values, idle=count, trouble=trouble)
            if len(counts) > 1 and not trouble:
                most = counts[-1]
                each = [(high - low) / most for low, high in zip(taken[0], taken[most], strict=True)]
                yield Series("memory-per-connection", server.name, tuple(each), idle=most)

    def _pss(self, server: BenchServer, idle: int) -> float:
        running = self._alive(server)
        found: list[float] = []
        self._generator.run(
            running.address,
            Request(1, 10, idle=idle),
            lambda: found.append(meters.pss_kib(running.pid)),
        )
        return found[0]


def _series(server: BenchServer, request: Request, cell: Cell, measured: _Measured) -> Iterator[Series]:
    quantities: dict[str, list[float]] = {quantity: [] for quantity in cell.quantities} | measured.values
    for quantity, values in quantities.items():
        yield Series(
            quantity,
            server.name,
            () if measured.trouble else tuple(values),
            restarts=() if measured.trouble else tuple(measured.processes),
            connections=request.connections,
            depth=request.depth,
            idle=request.idle,
            load=cell.share,
            trouble=measured.trouble,
        )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return f"{value.strip()}, {os.cpu_count()} cores"
    return f"{platform.machine()}, {os.cpu_count()} cores"

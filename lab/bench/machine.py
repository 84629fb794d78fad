"""The target `native`: wall clock and processor time on this machine, server and load on one core.

Knows what is measured, in which order, and with how much load. Must not know a protocol, nor what the figures mean.

Server and generator share one core, in turns: on two, the wake-up of the other core is what is measured, and it varies. Each piece of a
server's load is next to one of the reference's: what the machine does meanwhile, it does to both; and the pieces of all servers
take turns, so that a bad minute is no server's own. Servers are kept alive over rounds, and are started anew now and then, so
that what one process has by luck (its addresses, its memory) is seen as such. The generator is a process of its own in the
servers' network namespace, where nobody else is, and talks to 127.0.0.1.
"""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from lab.bench import generator, meters
from lab.bench.build import build, compiler_version
from lab.bench.cells import USUAL, Cell, Phase, phases_of
from lab.bench.generator import Generator, Outcome, Request, Unserved, WrongAnswer
from lab.bench.network import own_network
from lab.bench.pieces import Piece, Rounds
from lab.bench.plan import BenchPlan, BenchServer
from lab.bench.running import FIRST, RunningServer, may_go_first
from lab.bench.statistics import variation
from lab.bench.target import Method, Report, Series, Settings
from lab.bench.words import percent
from lab.stack.project import PROGRAMS, Lab, make_state

RESTARTS_FOR_MEMORY: Final = 2


@dataclass
class _Measured:
    """One cell of one server: its own pieces, the reference's beside them, and the process of each round."""

    own: Rounds
    beside: Rounds
    processes: list[int] = field(default_factory=list)
    trouble: str = ""

    @classmethod
    def of(cls, cell: Cell) -> _Measured:
        """Nothing yet."""
        return cls(Rounds(paced=cell.paced), Rounds(paced=cell.paced))

    def end_round(self, cell: Cell, process: int) -> None:
        """All pieces of a round are there, of the server's process of this number, or there is trouble."""
        if cell.timed and not self.trouble and self.own.limited():
            self.trouble = (
                f"the load generator was busy for {percent(self.own.busy())} of the time (at most {percent(generator.BUSIEST)}): "
                "it, and not the server, would have been measured"
            )
        self.own.end_round()
        self.beside.end_round()
        self.processes.append(process)


class Machine:
    """This machine as a target. `root` is the checkout; programs are built into `programs`."""

    def __init__(self, root: Path, programs: Path) -> None:
        self._root = root
        self._programs = programs
        self._core = max(os.sched_getaffinity(0))
        #: What a command has to begin with to run in the network that is measured in.
        self._entering: Sequence[str] = ()
        #: How fast it was in each piece whose pace was taken out, 1 at its usual pace.
        self.paces: list[float] = []

    def method(self) -> Method:
        """How it measures."""
        return Method(
            target="native",
            text="Server and load generator take turns on one core of this machine, where neither interrupts the other. Servers "
            "are kept alive over shuffled rounds and started anew between groups of rounds. A round of a server is some short "
            "pieces of load, each next to one of the reference's and spread over the round; the ratio of their middles (means of "
            "the middle half) is the round's. Except for latencies all is put at the machine's usual pace, which the "
            "generator's own processor time for a question tells of each piece. Ratios "
            "are medians of the rounds', with a 95 % bootstrap interval; absolute figures are context.",
            facts={
                "core": str(self._core),
                "network": "a namespace of its own" if self._entering else "the machine's",
                **self._pace(),
                "scheduling": "in turns (SCHED_BATCH)",
                "priority": f"nice {FIRST}" if may_go_first() else "as others",
                "processor": _processor(),
                "kernel": platform.release(),
                "python": platform.python_version(),
                "compiler": compiler_version(),
            },
        )

    def _pace(self) -> dict[str, str]:
        """How much the pace that was taken out varied; nothing where none was."""
        if not self.paces:
            return {}
        return {"pace": f"varied by {percent(variation(self.paces), 1)} from piece to piece (CV)"}

    def measure(
        self, plan: BenchPlan, servers: Sequence[BenchServer], settings: Settings, report: Report
    ) -> Iterator[Series]:
        """Measure the servers. Raises LabError: one cannot be built or started, or the generator ended."""
        programs = {
            server.name: str(build(server.source, self._programs))
            for server in servers
            if server.source is not None
        }
        with own_network() as self._entering, Generator(self._core, plan.exchanges, self._entering) as load:
            bench = _Bench(self, load, plan.server(plan.reference), settings, report, programs)
            try:
                yield from bench.all(servers)
            finally:
                bench.stop()

    def start(self, server: BenchServer, binary: str | None) -> RunningServer:
        """Start a server on the core that is measured."""
        argv = [*self._entering, *server.argv("127.0.0.1", 0, binary=binary)]
        return RunningServer(server.name, argv, self._core, self._root)


def target(root: Path) -> Machine:
    """This machine as a target for the checkout at `root`."""
    return Machine(root, make_state(Lab.here(root)) / PROGRAMS)


class _Bench:
    def __init__(
        self,
        machine: Machine,
        load: Generator,
        reference: BenchServer,
        settings: Settings,
        report: Report,
        programs: dict[str, str],
    ) -> None:
        self._machine = machine
        self._generator = load
        self._reference = reference
        self._settings = settings
        self._report = report
        self._programs = programs
        self._random = random.Random(settings.seed)
        self._running: dict[str, RunningServer] = {}
        self._capacity: dict[str, float] = {}
        self._process = -1
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
        """All rounds; broken off by the user, those that are whole."""
        taken = {
            (server.name, number): _Measured.of(cell)
            for server in phase.servers
            for number, cell in enumerate(phase.cells)
        }
        whole, self._process = 0, -1
        try:
            warming = {(name, number): _Measured.of(phase.cells[number]) for name, number in taken}
            self._round(phase, 0, warming, "warms up")
            for turn in range(phase.rounds):
                self._round(phase, turn, taken, f"round {turn + 1} of {phase.rounds}")
                whole += 1
        except KeyboardInterrupt:
            yield from self._found(phase, taken, whole)
            raise
        yield from self._found(phase, taken, whole)

    def _found(self, phase: Phase, taken: dict[tuple[str, int], _Measured], whole: int) -> Iterator[Series]:
        for server in phase.servers if whole else ():
            for number, cell in enumerate(phase.cells):
                request = cell.request(server, self._capacity.get(server.name))
                measured = taken[server.name, number]
                if cell.paced:
                    self._machine.paces += measured.own.paces()
                yield from _series(server, request, cell, measured, whole)

    def _round(self, phase: Phase, turn: int, taken: dict[tuple[str, int], _Measured], words: str) -> None:
        restarts = min(self._settings.restarts, phase.rounds)
        process = turn * restarts // phase.rounds
        if process != self._process:
            self._process = process
            self._restart(phase.servers)
        for number, cell in enumerate(phase.cells):
            measured = {server.name: taken[server.name, number] for server in phase.servers}
            for piece in range(cell.pieces):
                for server in self._random.sample(phase.servers, len(phase.servers)):
                    self._done += 1
                    self._report(self._done, self._steps, f"{phase.name}: {server.name}, {words}")
                    if not measured[server.name].trouble:
                        self._take(server, cell, measured[server.name], turn * cell.pieces + piece)
            for one in measured.values():
                one.end_round(cell, process)

    def _take(self, server: BenchServer, cell: Cell, measured: _Measured, moment: int) -> None:
        """One piece of a server's load next to one of the reference's, now this one first and now that."""
        pair = [(server, measured.own)]
        if server != self._reference:
            pair.append((self._reference, measured.beside))
        for one, rounds in pair if moment % 2 else reversed(pair):
            try:
                request = cell.request(one, self._capacity.get(one.name))
                if request.rate == 0:
                    raise Unserved("its capacity could not be measured")
                # both are asked at the same times
                outcome, cpu = self._run(one, replace(request, seed=self._settings.seed + moment))
            except (Unserved, WrongAnswer) as error:
                running = self._running[one.name]
                ended = "" if running.alive() else f"; {running.complaint()}"
                whose = "" if one == server else f"{one.name}, beside it: "
                measured.trouble = f"{whose}{error}{ended}"
                return
            rounds.add(Piece.of(outcome, cell.figures(outcome, cpu)))

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


def _series(
    server: BenchServer, request: Request, cell: Cell, measured: _Measured, whole: int
) -> Iterator[Series]:
    for quantity in cell.quantities:
        yield Series(
            quantity,
            server.name,
            () if measured.trouble else measured.own.values(quantity)[:whole],
            beside=() if measured.trouble else measured.beside.values(quantity)[:whole],
            restarts=() if measured.trouble else tuple(measured.processes[:whole]),
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

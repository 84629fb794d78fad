"""Where servers are measured: this machine, the Erle board, a whole system under emulation.

Knows what a target is asked and what it gives back. Must not know how a target measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from lab.bench.plan import BenchPlan, BenchServer

#: Tells the user where the measurement is: how many steps are done, of how many, and what is measured now.
Report = Callable[[int, int, str], None]
CONNECTIONS: Final = (1, 10, 100, 1000)
IDLE: Final = (0, 100, 500, 1000)
#: What this machine can be asked to measure.
MEASURES: Final = ("throughput", "latency", "idle", "pipelining", "sessions", "memory")


#: Quantity, connections, depth, idle, load: what two servers' series must have in common to be compared.
Cell = tuple[str, int, int, int, float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """What repeated measurements of one quantity of one server gave.

    Attributes:
        quantity: what was measured, one of `lab.bench.quantities.QUANTITIES`.
        connections: how many asked at a time.
        depth: questions sent at a time on one connection.
        idle: connections that were open and silent meanwhile.
        load: share of the server's capacity that was asked, or None where it was asked as fast as it answered.
        values: one for each round, in the unit of the quantity; values of two servers with the same index were measured
            in the same round, so that their ratio means something.
        beside: what the reference gave, measured in turns with each value, where it was; ratios are to these.
        restarts: the number of the server's process for each value: equal numbers, the same process.
        trouble: why there is no figure, or "".
    """

    quantity: str
    server: str
    values: tuple[float, ...]
    beside: tuple[float, ...] = ()
    restarts: tuple[int, ...] = ()
    connections: int = 1
    depth: int = 1
    idle: int = 0
    load: float | None = None
    trouble: str = ""

    @property
    def cell(self) -> Cell:
        """What two servers' series must have in common to be compared."""
        return (self.quantity, self.connections, self.depth, self.idle, self.load)


@dataclass(frozen=True, slots=True)
class Settings:
    """How much is measured.

    Attributes:
        rounds: how often each cell is measured, at least; servers are shuffled in each.
        restarts: processes each server is measured in.
        connections: numbers of connections that ask.
        idle: numbers of silent connections beside one that asks.
        measures: words of MEASURES, where a target can measure them one by one.
        quick: less of everything, to see that it works: no figure to keep.
        seed: of the order of servers and of the times of questions.
    """

    rounds: int = 10
    restarts: int = 5
    connections: Sequence[int] = CONNECTIONS
    idle: Sequence[int] = IDLE
    measures: Sequence[str] = MEASURES
    quick: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """How a target measures, for whoever reads the figures.

    Attributes:
        target: its name on the command line.
        text: in one or two sentences.
        facts: versions and settings, each a name and a value.
    """

    target: str
    text: str
    facts: dict[str, str] = field(default_factory=dict)


class Target(Protocol):
    """A place to measure in. `measure` may raise LabError; whatever it started is gone when it ends, however it ends."""

    def method(self) -> Method:
        """How it measures; asked after the measurement."""

    def measure(
        self, plan: BenchPlan, servers: Sequence[BenchServer], settings: Settings, report: Report
    ) -> Iterator[Series]:
        """Measure the servers, and yield each series once it is complete."""

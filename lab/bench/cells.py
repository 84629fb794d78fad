"""What is measured natively: for each quantity the load that shows it, and how much of it.

Knows loads and figures. Must not know processes, servers by name, or a protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lab.bench.generator import Outcome, Request
from lab.bench.plan import BenchServer
from lab.bench.statistics import histogram, percentile
from lab.bench.target import Settings

LOADS: Final = (0.25, 0.5, 0.75)
DEPTHS: Final = (1, 8, 32, 100)
#: Connections of all cells but those of the throughput.
USUAL: Final = 10
SESSIONS: Final = 100
QUESTIONS_A_SESSION: Final = 10
SECONDS_OF_OPEN_LOOP: Final = 0.2
#: Short pieces, as the machine changes: none is longer than some tenths of a second.
PIECES: Final = 3
PIECES_OF_THROUGHPUT: Final = 5
#: From so many connections on, one piece differs more from the next.
MANY: Final = 100
PIECES_OF_MANY: Final = 9
#: Quick measurements are so many times shorter.
QUICKER: Final = 5
LATENCIES: Final = {"latency-p50": 50.0, "latency-p99": 99.0, "latency-p99.9": 99.9}


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to measure of each server.

    Attributes:
        quantities: what `figures` gives.
        request: the load for a server, whose capacity in questions a second is known or None.
        figures: the quantities' values, from what came and the server's processor time in seconds.
        pieces: how many of these loads make a round, each next to one of the reference's.
        share: of the capacity that is asked for, or None.
        timed: the generator must not be what limits it.
        paced: its figures are put at the machine's usual pace.
    """

    quantities: tuple[str, ...]
    request: Callable[[BenchServer, float | None], Request]
    figures: Callable[[Outcome, float], dict[str, float]]
    pieces: int = PIECES
    share: float | None = None
    timed: bool = False
    paced: bool = True


@dataclass(frozen=True, slots=True)
class Phase:
    """Cells that are measured together, round by round; `kept` unless it only serves a later one."""

    name: str
    servers: Sequence[BenchServer]
    cells: Sequence[Cell]
    rounds: int
    kept: bool = True

    @property
    def steps(self) -> int:
        """How many pieces it takes, with the round that warms up; each next to one of the reference's."""
        return len(self.servers) * sum(cell.pieces for cell in self.cells) * (self.rounds + 1)


def phases_of(settings: Settings, servers: Sequence[BenchServer]) -> list[Phase]:
    """What to measure of the servers, in order. Capacities are needed for latencies, and come from the throughput."""
    measures, rounds = settings.measures, settings.rounds
    some = max(rounds // 2, 1)
    shorter = QUICKER if settings.quick else 1
    unbounded = [server for server in servers if server.concurrency is None]
    silent = [0, *filter(None, settings.idle)]
    throughput = Phase(
        "throughput", servers, [_throughput(count, shorter) for count in settings.connections], rounds
    )
    # whatever limits it, that much can be asked for
    rough = replace(_throughput(USUAL, shorter), timed=False)
    capacity = Phase("capacity", servers, [rough], 1, kept=False)
    phases = {
        "throughput": throughput,
        "capacity": capacity,
        "latency": Phase("latency", servers, [_open_loop(load, shorter) for load in LOADS], some),
        "idle": Phase("idle", unbounded, [_idle(count, shorter) for count in silent], some),
        "pipelining": Phase("pipelining", servers, [_pipelined(depth, shorter) for depth in DEPTHS], some),
        "sessions": Phase("sessions", servers, [_sessions()], some),
    }
    needed = {*measures} | ({"capacity"} if "latency" in measures and "throughput" not in measures else set())
    return [phase for name, phase in phases.items() if name in needed]


def _throughput(connections: int, shorter: int) -> Cell:
    # with fewer for each connection, opening it is what is measured
    questions = max(min(500 * connections + 500, 5000) // shorter, 10 * connections)
    return Cell(
        ("throughput", "cpu"),
        lambda _server, _capacity: Request(connections, questions),
        lambda outcome, cpu: {"throughput": outcome.rate, "cpu": cpu / outcome.answered * 1e6},
        pieces=PIECES_OF_THROUGHPUT if connections < MANY else PIECES_OF_MANY,
        timed=True,
    )


def _open_loop(load: float, shorter: int) -> Cell:
    def request(server: BenchServer, capacity: float | None) -> Request:
        rate = load * (capacity or 0)
        connections = min(USUAL, server.concurrency or USUAL)
        return Request(connections, max(int(rate * SECONDS_OF_OPEN_LOOP / shorter), 10), rate=rate)

    def figures(outcome: Outcome, _cpu: float) -> dict[str, float]:
        made = histogram(outcome.latencies)
        return {quantity: percentile(made, percent) for quantity, percent in LATENCIES.items()}

    return Cell(tuple(LATENCIES), request, figures, share=load, timed=True, paced=False)


def _idle(count: int, shorter: int) -> Cell:
    return Cell(
        ("idle-cpu",),
        lambda _server, _capacity: Request(1, 500 // shorter, idle=count),
        lambda outcome, cpu: {"idle-cpu": cpu / outcome.answered * 1e6},
    )


def _pipelined(depth: int, shorter: int) -> Cell:
    questions = 3000 * min(depth, 20) // shorter
    return Cell(
        ("pipelined",),
        lambda _server, _capacity: Request(USUAL, questions, depth=depth),
        lambda outcome, cpu: {"pipelined": outcome.answered / max(cpu, 1e-9)},
    )


def _sessions() -> Cell:
    return Cell(
        ("sessions", "session-p99"),
        lambda _server, _capacity: Request(SESSIONS, SESSIONS * QUESTIONS_A_SESSION),
        lambda outcome, _cpu: {
            "sessions": outcome.seconds * 1e3,
            "session-p99": percentile(histogram(outcome.sessions), 99) / 1e3,
        },
    )

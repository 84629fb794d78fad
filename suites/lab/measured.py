"""What tests of the benchmarks share: a plan with servers of the tests' own, series and records made up.

Knows the forms of plans and records. Judges nothing.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.bench.generator import Generator
from lab.bench.plan import BenchPlan, BenchServer, Exchange
from lab.bench.record import Benchmarks, Measurement, ProtocolRecord, ServerRecord
from lab.bench.running import RunningServer
from lab.bench.target import Method, Series

PROGRAM = Path(__file__).parent / "measured_server.py"
EXCHANGES = (Exchange(b"ping?", b"pong."), Exchange(b"more?", b"again."))
CORE = max(os.sched_getaffinity(0))


def server(name: str, *manner: str, concurrency: int | None = None) -> BenchServer:
    """A server of this manner."""
    command = ("python", str(PROGRAM), "{host}", "{port}", *manner)
    return BenchServer(name, "loop", command, concurrency=concurrency, implementation=name)


def plan(*servers: BenchServer, folder: Path = PROGRAM.parent) -> BenchPlan:
    """A plan with these servers; the first is the reference."""
    return BenchPlan("chat", folder, 4000, servers[0].name, None, EXCHANGES, servers)


@contextmanager
def running(*manner: str) -> Iterator[tuple[RunningServer, Generator]]:
    """A server of this manner and a generator, gone afterwards."""
    argv = [sys.executable, str(PROGRAM), "127.0.0.1", "0", *manner]
    with (
        RunningServer("peer", argv, CORE, PROGRAM.parent) as peer,
        Generator(CORE, EXCHANGES) as generator,
    ):
        yield peer, generator


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(word) for word in (task / "children").read_text("ascii").split()}
    return found


def series(
    name: str,
    values: Sequence[float],
    quantity: str = "throughput",
    *,
    connections: int = 10,
    idle: int = 0,
    load: float | None = None,
    trouble: str = "",
) -> Series:
    """A series; each two values are of one process."""
    processes = tuple(number // 2 for number in range(len(values)))
    return Series(
        quantity,
        name,
        tuple(values),
        restarts=processes,
        connections=connections,
        idle=idle,
        load=load,
        trouble=trouble,
    )


def record(*given: Series, target: str = "native", left_out: str = "") -> Benchmarks:
    """Benchmarks of a protocol `chat` with these series; `poll` is the reference, `c` the limit."""
    names = list(dict.fromkeys(["poll", *(one.server for one in given)]))
    kinds = {"workers": "threads", "c": "loop"}
    measurement = Measurement(
        method=Method(target, "On one core.", {"core": "1", "processor": "a & b <c>"}),
        started="2026-11-26T12:00:00+00:00",
        finished="2026-11-26T12:10:00+00:00",
        seed=7,
        settings={"rounds": "10"},
        series=given,
    )
    servers = [
        ServerRecord(name, kinds.get(name, "loop"), f"python -m {name}", "12 pass (run 1)") for name in names
    ]
    if left_out:
        servers.append(ServerRecord("bad", "blocking", "bad", "1 fail (run 1)", left_out))
    protocol = ProtocolRecord("chat", "poll", "c", tuple(servers), {target: measurement})
    return Benchmarks(
        "20261126T120000Z-aaaaaa",
        "0.1.0",
        ("./erle", "bench"),
        {"system": "Linux", "python": "3.11.7"},
        {"chat": protocol},
    )

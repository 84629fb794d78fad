"""How near the servers come to one in C, and to one in Python that does nothing else: questions for each second of the server's processor time.

    ./erle test -s bench -- suites/lancelot/test_benchmark_limits.py

The ratio of Python to C differs from machine to machine. What the barest server in Python reaches (suites/lancelot/barest_server.py)
tells about how much of the distance to C is the interpreter's on this one. Whether a server is right is for the other tests.
"""

from __future__ import annotations

import json
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.bench.build import build
from lab.bench.generator import Generator, Request
from lab.bench.plan import load_plan
from lab.bench.running import RunningServer
from suites.measuring import CORE, ROOT, ROUNDS

pytestmark = pytest.mark.benchmark_lab
PLAN = load_plan(Path(__file__).parent)
CONNECTIONS = 10
SEGMENTS = 20_000
#: Of these the best is taken.
SERVERS = ("poll", "epoll", "reuseport")
BAREST, LIMIT = "barest", str(PLAN.limit)


def argvs(depth: int, folder: Path) -> dict[str, list[str]]:
    """The commands of all servers by their names."""
    found = {}
    for name in (LIMIT, *SERVERS):
        server = PLAN.server(name)
        binary = str(build(server.source, folder)) if server.source else None
        found[name] = server.argv("127.0.0.1", 0, binary=binary)
    exchanges = json.dumps(
        [[each.send.decode("ascii"), each.expect.decode("ascii")] for each in PLAN.exchanges]
    )
    found[BAREST] = [sys.executable, "-m", "suites.lancelot.barest_server", str(depth), exchanges]
    return found


@pytest.mark.benchmark(group="limits")
@pytest.mark.parametrize("depth", [1, 8, 32])
def test_pipelining(benchmark: BenchmarkFixture, tmp_path: Path, depth: int) -> None:
    """Ten connections, so many questions in a segment; each server's ratio to C is the median of ten rounds'."""
    ratios: dict[str, list[float]] = {name: [] for name in (*SERVERS, BAREST)}
    with ExitStack() as held:
        generator = held.enter_context(Generator(CORE, PLAN.exchanges))
        servers = {
            name: held.enter_context(RunningServer(name, argv, CORE, ROOT))
            for name, argv in argvs(depth, tmp_path).items()
        }

        def cost(server: RunningServer) -> float:
            before = server.cpu_seconds()
            outcome = generator.run(server.address, Request(CONNECTIONS, SEGMENTS * depth, depth=depth))
            return (server.cpu_seconds() - before) / outcome.answered

        def one_round() -> None:
            costs = {name: cost(server) for name, server in servers.items()}
            for name, found in ratios.items():
                found.append(costs[LIMIT] / costs[name])

        benchmark.pedantic(one_round, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the library annotates only some methods
    if benchmark.stats is not None:
        medians = {name: statistics.median(found[1:]) for name, found in ratios.items()}
        benchmark.extra_info.update({name: round(median, 3) for name, median in medians.items()})
        benchmark.extra_info["best"] = round(max(medians[name] for name in SERVERS), 3)

"""What a request costs each server of a plan, measured by pytest-benchmark.

Knows plans, running servers and the load generator. Whether a server is right is for other tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.bench.build import build
from lab.bench.generator import Generator, Request
from lab.bench.plan import BenchServer
from lab.bench.running import RunningServer

ROOT = Path(__file__).parents[1]
#: Server and load share it.
CORE = max(os.sched_getaffinity(0))
ROUNDS = 10


def measure_requests(
    benchmark: BenchmarkFixture, generator: Generator, server: BenchServer, request: Request, folder: Path
) -> None:
    """Have a new server answer the requests again and again; `cpu` is its own time, in µs a request.

    Args:
        generator: has the plan's exchanges, and `CORE`.
        request: one round.
        folder: where a server is built that has to be.
    """
    if missing := server.missing():
        pytest.skip(f"{missing} is not installed")
    binary = str(build(server.source, folder)) if server.source else None
    with RunningServer(server.name, server.argv("127.0.0.1", 0, binary=binary), CORE, ROOT) as running:
        address = running.address
        before = 0.0

        def ask() -> None:
            assert generator.run(address, request).answered == request.questions

        def begin() -> None:
            nonlocal before
            before = before or running.cpu_seconds()

        ask()
        benchmark.pedantic(ask, setup=begin, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library annotates only some methods
        used = running.cpu_seconds() - before
    benchmark.extra_info["cpu"] = round(used / (ROUNDS * request.questions) * 1e6, 2)

"""Micro-benchmarks of the memcached servers and of the lab's own model, carried by pytest-benchmark.

    ./erle test -s bench -- suites/memcached/test_benchmarks.py --benchmark-autosave

Servers and their questions come from bench.toml. Whether a server is right is for the other tests; `python -m suites.memcached.cost`
measures servers beside memcached, and clients.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.bench import meters
from lab.bench.generator import Generator, Request
from lab.bench.plan import BenchServer, load_plan
from lab.bench.running import RunningServer
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store

pytestmark = pytest.mark.benchmark_lab
ROOT = Path(__file__).parents[2]
PLAN = load_plan(Path(__file__).parent)
CORE = max(os.sched_getaffinity(0))
ROUNDS = 10
CONNECTIONS = 10
#: Whole segments for each connection.
QUESTIONS = 5120


@pytest.fixture(name="generator", scope="module")
def _generator() -> Iterator[Generator]:
    with Generator(CORE, PLAN.exchanges) as generator:
        yield generator


@pytest.mark.benchmark(group="requests")
@pytest.mark.parametrize("depth", [1, 32])
@pytest.mark.parametrize("server", PLAN.servers, ids=lambda server: str(server.name))
def test_requests(benchmark: BenchmarkFixture, generator: Generator, server: BenchServer, depth: int) -> None:
    """5120 requests over ten connections, server and load on one core; `cpu` is the server's, in µs a request."""
    with RunningServer(server.name, server.argv("127.0.0.1", 0), CORE, ROOT) as running:
        address = running.address
        before = 0.0

        def ask() -> None:
            assert generator.run(address, Request(CONNECTIONS, QUESTIONS, depth=depth)).answered == QUESTIONS

        def begin() -> None:
            nonlocal before
            before = before or meters.cpu_seconds(running.pid)

        ask()
        benchmark.pedantic(ask, setup=begin, rounds=ROUNDS)  # type: ignore[no-untyped-call]  # the library annotates only some methods
        used = meters.cpu_seconds(running.pid) - before
    benchmark.extra_info["cpu"] = round(used / (ROUNDS * QUESTIONS) * 1e6, 2)


@pytest.mark.benchmark(group="model")
def test_the_model(benchmark: BenchmarkFixture) -> None:
    """What a command costs the model of the differential search: a set, a get and a meta get, a thousand times."""
    commands = b"set key 0 0 5\r\nhello\r\nget key\r\nmg key v t c\r\n" * 1000

    answer = benchmark(lambda: Session(Store(lambda: 1_700_000_000)).feed(commands))

    assert answer.count(b"hello") == 2000

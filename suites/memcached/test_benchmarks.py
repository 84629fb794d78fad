"""Micro-benchmarks of the memcached servers and of the lab's own model, carried by pytest-benchmark.

    ./erle test -s bench -- suites/memcached/test_benchmarks.py --benchmark-autosave

Servers and their questions come from bench.toml. Whether a server is right is for the other tests; `python -m suites.memcached.cost`
measures servers beside memcached, and clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.bench.generator import Generator, Request
from lab.bench.plan import BenchServer, load_plan
from suites.measuring import CORE, measure_requests
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store

pytestmark = pytest.mark.benchmark_lab
PLAN = load_plan(Path(__file__).parent)
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
def test_requests(
    benchmark: BenchmarkFixture, generator: Generator, tmp_path: Path, server: BenchServer, depth: int
) -> None:
    """5120 requests over ten connections, server and load on one core; `cpu` is the server's, in µs a request."""
    request = Request(CONNECTIONS, QUESTIONS, depth=depth)
    measure_requests(benchmark, generator, server, request, tmp_path)


@pytest.mark.benchmark(group="model")
def test_the_model(benchmark: BenchmarkFixture) -> None:
    """What a command costs the model of the differential search: a set, a get and a meta get, a thousand times."""
    commands = b"set key 0 0 5\r\nhello\r\nget key\r\nmg key v t c\r\n" * 1000

    answer = benchmark(lambda: Session(Store(lambda: 1_700_000_000)).feed(commands))

    assert answer.count(b"hello") == 2000

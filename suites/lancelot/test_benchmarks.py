"""Micro-benchmarks of the Lancelot servers, carried by pytest-benchmark: what a request costs each, and what the protocol costs.

    ./erle test -s bench -- suites/lancelot/test_benchmarks.py --benchmark-autosave
    ./erle test -s bench -- suites/lancelot/test_benchmarks.py --benchmark-compare --benchmark-compare-fail=median:10%

The first keeps its figures (`.benchmarks/`), the second compares with the newest that are kept. Servers and their questions
come from bench.toml. Whether a server is right is for the other tests; `./erle bench` measures more, and repeats it better.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.bench.generator import Generator, Request
from lab.bench.plan import BenchServer, load_plan
from lab.bench.running import pinned
from suites.measuring import CORE, ROOT, ROUNDS, measure_requests

pytestmark = pytest.mark.benchmark_lab
PLAN = load_plan(Path(__file__).parent)
CONNECTIONS = 10
QUESTIONS = 5000
SEGMENTS = 20_000
#: Answers a line of its input after it has put a segment through the protocol so many times.
PARSER = f"""
import sys
from implementations.lancelot.protocol import Conversation
segment = sys.argv[1].encode()
for line in sys.stdin:
    receive = Conversation().receive
    for _ in range({SEGMENTS}):
        receive(segment)
    print(flush=True)
"""


@pytest.fixture(name="generator", scope="module")
def _generator() -> Iterator[Generator]:
    with Generator(CORE, PLAN.exchanges) as generator:
        yield generator


@pytest.mark.benchmark(group="requests")
@pytest.mark.parametrize("server", PLAN.servers, ids=lambda server: str(server.name))
def test_requests(
    benchmark: BenchmarkFixture, generator: Generator, tmp_path: Path, server: BenchServer
) -> None:
    """5000 requests over ten connections, server and load on one core; `cpu` is the server's, in µs a request."""
    measure_requests(benchmark, generator, server, Request(CONNECTIONS, QUESTIONS), tmp_path)


@pytest.mark.benchmark(group="protocol")
@pytest.mark.parametrize(
    ("words", "questions"),
    [
        ("one", 1),
        ("pipelined", 32),
        ("unknown", 1),
        ("halves", 1),
    ],
)
def test_protocol(benchmark: BenchmarkFixture, words: str, questions: int) -> None:
    """The pure protocol, in a process of its own, 20 000 segments: one question, 32, one nobody knows, two halves that join."""
    known = PLAN.exchanges[0].send.decode("latin-1")
    segment = {"one": known, "pipelined": known * 32, "unknown": "Where?", "halves": f"name?{known[:-5]}"}[
        words
    ]
    with subprocess.Popen(
        pinned([sys.executable, "-c", PARSER, segment], CORE),
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parser:
        assert parser.stdin is not None
        assert parser.stdout is not None
        pipes = parser.stdin, parser.stdout

        def parse() -> None:
            pipes[0].write(b"\n")
            pipes[0].flush()
            assert pipes[1].readline() == b"\n"

        benchmark.pedantic(parse, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # as above
        parser.stdin.close()
    if benchmark.stats is not None:
        each = benchmark.stats.stats.median / (SEGMENTS * questions)
        benchmark.extra_info["nanoseconds_a_question"] = round(each * 1e9, 1)

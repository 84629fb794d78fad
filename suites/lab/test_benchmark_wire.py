"""What the tap costs: a round trip through it beside a direct one, and octets a second."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from lab.wire.endpoint import Endpoint, endpoint_of, listen
from lab.wire.tap import Tap

pytestmark = pytest.mark.benchmark_lab

STREAM = 256 * 1024 * 1024
PIECE = bytes(256 * 1024)


def serve(listener: socket.socket, answer: str) -> None:
    """Serve in a process of its own, as real peers do: ``echo`` sends back, ``sink`` counts and says so at the end."""
    while True:
        sock, _ = listener.accept()
        with sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            total = 0
            while data := sock.recv(256 * 1024):
                total += len(data)
                if answer == "echo":
                    sock.sendall(data)
            if answer == "sink":
                sock.sendall(b"%d" % total)


@contextmanager
def serving(answer: str) -> Iterator[Endpoint]:
    """A plain peer in another process."""
    listener = listen()
    process = multiprocessing.get_context("fork").Process(target=serve, args=(listener, answer), daemon=True)
    process.start()
    yield endpoint_of(listener)
    process.terminate()
    process.join(5)
    listener.close()


@pytest.mark.parametrize("way", ["direct", "tap"])
def test_round_trip(benchmark: BenchmarkFixture, way: str) -> None:
    """One line there and back; the tap's cost is the difference of the two medians."""
    with (
        serving("echo") as peer,
        Tap(peer) as tap,
        (tap.endpoint if way == "tap" else peer).connect(5) as sock,
    ):

        def there_and_back() -> None:
            sock.sendall(b"NOOP\r\n")
            assert sock.recv(64) == b"NOOP\r\n"

        benchmark.pedantic(there_and_back, rounds=5, iterations=2000, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the library annotates only some methods


def test_streaming(benchmark: BenchmarkFixture) -> None:
    """256 MiB in one direction, recorded whole."""
    with serving("sink") as peer:

        def stream() -> None:
            with Tap(peer) as tap:
                with tap.endpoint.connect(20) as sock:
                    for _ in range(STREAM // len(PIECE)):
                        sock.sendall(PIECE)
                    sock.shutdown(socket.SHUT_WR)
                    assert sock.recv(64) == b"%d" % STREAM
                tap.transcripts[0].close()

        benchmark.pedantic(stream, rounds=3, warmup_rounds=1)  # type: ignore[no-untyped-call]  # as above
    if benchmark.stats is not None:
        benchmark.extra_info["megabytes_per_second"] = round(STREAM / 1e6 / benchmark.stats.stats.median, 1)

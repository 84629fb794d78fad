"""How the load generator compares with its twin in C: requests for each second of the client's processor time.

Both do the same work on the same server of this file's own, one after the other, so that the ratio is of the same minute of the
machine.
The server is C too: it must never be what is measured. It answers whatever it reads with one fixed answer of the same length.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import lab.bench
from lab.bench.build import build
from lab.bench.generator import Generator, Request
from lab.bench.plan import Exchange
from lab.bench.running import RunningServer, let_go_first, pinned
from suites.measuring import CORE, ROOT, ROUNDS

pytestmark = pytest.mark.benchmark_lab
QUESTIONS = 60_000
EXCHANGE = Exchange(b"What is your name?", b"What is your name?")
ECHO = r"""
/* Sends back what it reads. */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    static struct epoll_event events[256];
    static char data[65536];
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door};
    if (bind(door, (struct sockaddr *)&address, length) || listen(door, 1024) ||
        getsockname(door, (struct sockaddr *)&address, &length) || epoll_ctl(poller, EPOLL_CTL_ADD, door, &event))
        return 1;
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            ssize_t got;
            if (fd == door) {
                while ((event.data.fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) != -1) {
                    event.events = EPOLLIN | EPOLLET;
                    epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event);
                }
            } else {
                got = recv(fd, data, sizeof data, 0);
                if (got == 0)
                    close(fd);
                else if (got > 0 && send(fd, data, (size_t)got, MSG_NOSIGNAL) != got)
                    close(fd);
            }
        }
    }
}
"""


@pytest.fixture(name="echo", scope="module")
def _echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.c").write_text(ECHO, "ascii")
    with RunningServer("echo", [str(build(folder / "echo.c", folder))], CORE, folder) as server:
        yield server


@pytest.fixture(name="twin", scope="module")
def _twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(lab.bench.__file__).parent / "native" / "load.c"
    return build(source, tmp_path_factory.mktemp("load"))


def of_a_program(words: Sequence[str], *, requests: int) -> float:
    """Requests a CPU-second of a client that is a program and says what it used; its segments are that many requests."""
    # in a session of its own, as the generator and the server are, or it would have another precedence than they
    with subprocess.Popen(
        pinned(words, CORE), cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as client:
        let_go_first(client.pid)
        said = json.loads(client.communicate(timeout=60)[0])
    return requests * float(said["answered"]) / float(said["cpu_seconds"])


def in_c(twin: Path, server: RunningServer, connections: int, depth: int) -> float:
    """Requests a CPU-second of the client in C."""
    host, port = server.address
    words = [str(twin), host, str(port), str(connections), str(QUESTIONS * depth), str(depth)]
    words += [EXCHANGE.send.decode("ascii"), EXCHANGE.expect.decode("ascii")]
    return of_a_program(words, requests=1)


def in_python(generator: Generator, server: RunningServer, connections: int, depth: int) -> float:
    """Requests a CPU-second of the generator."""
    outcome = generator.run(server.address, Request(connections, QUESTIONS * depth, depth=depth))
    return outcome.answered / outcome.cpu_seconds


def at_its_barest(server: RunningServer, connections: int, depth: int) -> float:
    """Requests a CPU-second of the least that a client in Python can be."""
    host, port = server.address
    words = [sys.executable, "-m", "suites.lab.barest_client", host, str(port), str(connections)]
    return of_a_program([*words, str(QUESTIONS), EXCHANGE.send.decode("ascii") * depth], requests=depth)


@pytest.mark.parametrize(("connections", "depth"), [(1, 1), (10, 1), (100, 1), (10, 8)])
def test_python_and_c(
    benchmark: BenchmarkFixture, echo: RunningServer, twin: Path, connections: int, depth: int
) -> None:
    """Ten rounds of all; `python` and `c` are requests for each CPU-second.

    `ratio` is the median of the rounds' ratios to C, and `barest` that of suites/lab/barest_client.py. With one connection that
    is no bound: it waits in epoll, the generator in the read itself.
    """
    rounds: list[tuple[float, float, float]] = []
    with Generator(CORE, [EXCHANGE]) as generator:

        def all_of_them() -> None:
            python = in_python(generator, echo, connections, depth)
            c = in_c(twin, echo, connections, depth)
            rounds.append((python, c, at_its_barest(echo, connections, depth)))

        benchmark.pedantic(all_of_them, rounds=ROUNDS, warmup_rounds=1)  # type: ignore[no-untyped-call]  # the library annotates only some methods
    if benchmark.stats is not None:
        kept = rounds[1:]
        benchmark.extra_info["python"] = round(statistics.median(python for python, _, _ in kept))
        benchmark.extra_info["c"] = round(statistics.median(c for _, c, _ in kept))
        benchmark.extra_info["ratio"] = round(statistics.median(python / c for python, c, _ in kept), 3)
        benchmark.extra_info["barest"] = round(statistics.median(barest / c for _, c, barest in kept), 3)

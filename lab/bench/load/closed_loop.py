"""The closed loop: each connection asks when it has its answer.

Knows edges. Nothing but one generator's step runs between an answer and the next question.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Generator, Iterator

from lab.bench.load.asking import Connection, Turn, shares, turns
from lab.bench.load.run import Run


def ask(run: Run) -> None:
    """Ask, until all is answered. Raises Trouble."""
    quotas = [share for share in shares(run.questions, run.connections, run.depth) if share]
    if len(quotas) == 1:
        _ask_alone(run, quotas[0])
        return
    left: set[Connection] = set()
    began = time.perf_counter_ns()
    resume: dict[int, Callable[[None], None]] = {}
    asking = turns(run.exchanges, run.depth)
    for quota in quotas:
        connection = run.open()
        left.add(connection)
        segments = itertools.islice(itertools.cycle(asking), quota)
        resume[connection.socket.fileno()] = _converse(connection, segments, left).send
    poll, most = run.poller.poll, len(quotas)
    try:
        while left:
            for descriptor, _ in poll(-1, most):
                resume[descriptor](None)
    finally:
        for connection in run.opened:
            run.count(began, connection.stamps)


def _ask_alone(run: Run, quota: int) -> None:
    """One connection: it waits in the system call, and needs no poller that would cost another for each answer."""
    began = time.perf_counter_ns()
    connection = run.open()
    run.poller.poll()
    connection.opened()
    connection.socket.settimeout(None)
    descriptor, write, read = connection.socket.fileno(), os.write, os.read
    stamp, clock = connection.stamps.append, time.perf_counter_ns
    try:
        for question, length, answer, size in itertools.islice(
            itertools.cycle(turns(run.exchanges, run.depth)), quota
        ):
            if (sent := write(descriptor, question)) != length:
                connection.socket.sendall(question[sent:])
            data = read(descriptor, size)
            if data != answer:
                if not data:
                    connection.lost()
                for _ in connection.rest(data, answer):
                    pass
            stamp(clock())
    except OSError as error:
        connection.lost(error)
    finally:
        run.count(began, connection.stamps)


def _converse(connection: Connection, segments: Iterator[Turn], left: set[Connection]) -> Generator[None]:
    """One connection; goes on at each of its edges."""
    descriptor, write, read = connection.socket.fileno(), os.write, os.read
    stamp, clock = connection.stamps.append, time.perf_counter_ns
    try:
        connection.opened()
        for question, length, answer, size in segments:
            try:
                sent = write(descriptor, question)
            except BlockingIOError:
                sent = 0
            if sent != length:
                yield from connection.send(question[sent:])
            yield
            try:
                data = read(descriptor, size)
            except BlockingIOError:
                yield from connection.rest(b"", answer)
            else:
                if data != answer:
                    if not data:
                        connection.lost()
                    yield from connection.rest(data, answer)
            stamp(clock())
    except OSError as error:
        connection.lost(error)
    connection.socket.close()
    left.discard(connection)
    yield

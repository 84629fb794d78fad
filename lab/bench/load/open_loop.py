"""The open loop: questions come at times fixed beforehand, and wait for a connection that is free.

Knows edges and clocks.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import time
from array import array
from collections import deque
from collections.abc import Iterator

from lab.bench.load.asking import Connection, Turn, intended, turns
from lab.bench.load.run import Run


def ask(run: Run) -> None:
    """Ask, until all is answered. Raises Trouble."""
    times = intended(run.questions, float(run.rate or 0), run.seed)
    asking = itertools.cycle(turns(run.exchanges, 1))
    free: deque[Answering] = deque()
    by_descriptor: dict[int, Answering] = {}
    began = time.perf_counter_ns()
    for _ in range(run.connections):
        connection = run.open()
        by_descriptor[connection.socket.fileno()] = Answering(connection, free, run.latencies)
    clock, poll, wait, total = time.perf_counter_ns, run.poller.poll, select.select, run.questions
    sleeper = [run.poller.fileno()]
    asked = 0
    while len(run.latencies) < total:
        now = clock() - began
        while asked < total and free and times[asked] <= now:
            free.popleft().ask(next(asking), times[asked] + began)
            asked += 1
        if asked < total and free:
            # select takes microseconds where epoll_wait's timeout has only milliseconds
            wait(sleeper, (), (), max(times[asked] - (clock() - began), 0) / 1e9)
            events = poll(0)
        else:
            events = poll(-1)
        for descriptor, _ in events:
            by_descriptor[descriptor].ready()


class Answering:
    """A connection of the open loop: free, or waiting for one answer."""

    def __init__(self, connection: Connection, free: deque[Answering], latencies: array[int]) -> None:
        self._connection = connection
        self._free = free
        self._latencies = latencies
        self._meant = 0
        self._turn: Turn | None = None
        self._steps = self._life()

    def ready(self) -> None:
        """An edge has come."""
        next(self._steps)

    def ask(self, turn: Turn, meant: int) -> None:
        """Ask a question that was meant to be sent at `meant`; the connection is free."""
        self._meant = meant
        self._turn = turn
        next(self._steps)

    def _life(self) -> Iterator[None]:
        connection = self._connection
        try:
            connection.opened()
            while True:
                self._free.append(self)
                yield
                while (turn := self._take()) is None:
                    yield  # until asked; an edge meanwhile is the end, or an answer nobody asked for
                question, _, answer, _ = turn
                yield from connection.send(question)
                yield
                yield from connection.rest(b"", answer)
                self._latencies.append(time.perf_counter_ns() - self._meant)
        except OSError as error:
            connection.lost(error)

    def _take(self) -> Turn | None:
        turn, self._turn = self._turn, None
        if turn is None:
            with contextlib.suppress(BlockingIOError):
                data = self._connection.socket.recv(64)
                if not data:
                    self._connection.lost()
                self._connection.unasked(data)
        return turn

"""One run of load: what is wanted, the connections that are open, and what has been measured.

Knows the configuration's form. Must not know in which order connections ask.
"""

from __future__ import annotations

import operator
import select
import signal
from array import array
from collections.abc import Sequence
from itertools import chain
from types import FrameType
from typing import Any

from lab.bench.load.asking import EDGES, Connection, Trouble, Turn, turns
from lab.bench.load.crowd import Crowd


class Run:
    """One run. Its silent connections are open from the beginning until `close`.

    Attributes:
        poller: reports the edges of connections that ask alone; those are in `opened`.
        latencies: nanoseconds, one for each segment that was answered.
        sessions: nanoseconds, one for each connection.
    """

    def __init__(self, configuration: dict[str, Any]) -> None:  # JSON; a missing key is the caller's mistake
        self.address = (str(configuration["host"]), int(configuration["port"]))
        self.exchanges = [
            (question.encode("latin-1"), answer.encode("latin-1"))
            for question, answer in configuration["exchanges"]
        ]
        self.connections = int(configuration["connections"])
        self.questions = int(configuration["questions"])
        self.depth = int(configuration.get("depth", 1))
        self.rate: float | None = configuration.get("rate")
        self.in_step = bool(configuration.get("in_step", False))
        self.seed = int(configuration.get("seed", 0))
        self.deadline = float(configuration["deadline"])
        self.latencies = array("Q")
        self.sessions = array("Q")
        self._stamps: list[tuple[int, Sequence[int]]] = []
        self.poller = select.epoll()
        self.opened: list[Connection] = []
        self._crowds: list[Crowd] = []
        self.crowd(turns(self.exchanges, 1), "idle connection").join(int(configuration.get("idle", 0)))

    @property
    def answered(self) -> int:
        """Questions that were answered, once the run is settled."""
        return len(self.latencies) * self.depth

    def crowd(self, asking: list[Turn], kind: str) -> Crowd:
        """A crowd that asks these, without connections yet, which is open until `close`."""
        made = Crowd(self.address, asking, kind)
        self._crowds.append(made)
        return made

    def open(self) -> Connection:
        """Open one more connection that asks alone; the first edge tells that it is there, or cannot be had."""
        connection = Connection(f"connection {len(self.opened)}", self.address)
        self.opened.append(connection)
        self.poller.register(connection.socket, EDGES)
        return connection

    def count(self, began: int, stamps: Sequence[int]) -> None:
        """Take in when a connection that began at `began` had its answers, in nanoseconds on the monotonic clock."""
        self._stamps.append((began, stamps))

    def settle(self) -> None:
        """Make latencies and sessions of what was taken in: after the run, so that it is no part of what that cost."""
        for began, stamps in self._stamps:
            if stamps:
                self.sessions.append(stamps[-1] - began)
                self.latencies.extend(map(operator.sub, stamps, chain((began,), stamps)))
        self._stamps.clear()

    def start_clock(self) -> None:
        """From now on the run has `deadline` seconds: then `Trouble` is raised wherever it is."""
        signal.signal(signal.SIGALRM, self._late)
        signal.setitimer(signal.ITIMER_REAL, self.deadline)

    def end(self) -> None:
        """Stop the clock, and close the connections that ask alone."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.poller.close()
        for connection in self.opened:
            connection.socket.close()

    def close(self) -> None:
        """Close all crowds."""
        for crowd in self._crowds:
            crowd.close()

    def _late(self, _number: int, _frame: FrameType | None) -> None:
        raise Trouble("deadline", f"not all was answered within {self.deadline:g} s")

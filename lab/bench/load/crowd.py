"""A crowd of connections that ask in step: all at once, and again when all have their answers.

Knows edges. How many questions a server finds at a time is the same each time, and no matter of chance.
"""

from __future__ import annotations

import itertools
import select
import time
from collections.abc import Iterable, Iterator

from lab.bench.load.asking import EDGES, Connection, Trouble, Turn

#: How long all may wait for the last of them.
SECONDS_A_STEP = 30.0
#: How many knock at a time: as many as any server lets wait to be accepted.
AT_THE_DOOR = 50


class Crowd:
    """Connections to one server; `kind` names one of them in messages, with its number.

    Every connection asks these turns, which begin anew, from the first.
    """

    def __init__(self, address: tuple[str, int], turns: list[Turn], kind: str) -> None:
        self._address = address
        self._turns = turns
        self._kind = kind
        self._poller = select.epoll()
        self._members: list[Connection] = []
        self._asked: list[Iterator[Turn]] = []

    def join(self, number: int) -> None:
        """Open so many connections more, and have each served once. Raises Trouble."""
        for first in range(0, number, AT_THE_DOOR):
            come = [self._open() for _ in range(min(AT_THE_DOOR, number - first))]
            self._together(come, (_there(one) for one in come))
            newest = range(len(self._members) - len(come), len(self._members))
            self.ask(newest)

    def ask(self, members: Iterable[int]) -> None:
        """Let these ask, each its next segment, and wait until all have their answers. Raises Trouble."""
        numbers = [*members]
        asking = [self._members[number] for number in numbers]
        turns = [next(self._asked[number]) for number in numbers]
        self._together(asking, map(_exchange, asking, turns))

    def stamps(self) -> Iterator[list[int]]:
        """When each answer of each connection was complete, in nanoseconds on the monotonic clock."""
        return (one.stamps for one in self._members)

    def close(self) -> None:
        """Close all connections."""
        for member in self._members:
            member.socket.close()
        self._poller.close()

    def _open(self) -> Connection:
        member = Connection(f"{self._kind} {len(self._members)}", self._address)
        self._members.append(member)
        self._asked.append(itertools.cycle(self._turns))
        self._poller.register(member.socket, EDGES)
        return member

    def _together(self, members: Iterable[Connection], steps: Iterable[Iterator[None]]) -> None:
        """Let each begin its step, and go on at its edges, until all have ended."""
        going = {one.socket.fileno(): step for one, step in zip(members, steps, strict=True)}
        deadline = time.monotonic() + SECONDS_A_STEP
        edges = [*going]
        while True:
            for descriptor in edges:
                # an edge of one that has ended its step is what it finds at its next
                if descriptor in going and next(going[descriptor], True):
                    del going[descriptor]
            if not going:
                return
            edges = [
                descriptor
                for descriptor, _ in self._poller.poll(deadline - time.monotonic(), len(self._members))
            ]
            if not edges:
                raise Trouble("deadline", f"not every {self._kind} was answered within {SECONDS_A_STEP:g} s")


def _there(member: Connection) -> Iterator[None]:
    yield
    member.opened()


def _exchange(member: Connection, turn: Turn) -> Iterator[None]:
    question, _, answer, _ = turn
    try:
        yield from member.send(question)
        yield
        yield from member.rest(b"", answer)
    except OSError as error:
        member.lost(error)
    member.stamps.append(time.perf_counter_ns())

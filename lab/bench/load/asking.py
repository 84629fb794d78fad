"""What is asked, when, and one connection that asks.

Knows sockets. Must not know in which order connections take their turns.
"""

from __future__ import annotations

import itertools
import math
import os
import random
import select
import socket
from array import array
from collections.abc import Iterator
from typing import NoReturn

#: What a connection waits for: an edge of any kind, so that a segment that was read whole costs no second look.
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
LONGEST_SHOWN = 80

#: What is sent and its length, what is to come and one octet more than its length.
Turn = tuple[bytes, int, bytes, int]


class Trouble(Exception):
    """The load cannot go on. `kind` is one of the words of `error`."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def shares(questions: int, connections: int, depth: int) -> list[int]:
    """How many segments of `depth` questions each connection sends: as even as can be, `questions` in all or a bit more."""
    segments = math.ceil(questions / depth)
    each, rest = divmod(segments, connections)
    return [each + (number < rest) for number in range(connections)]


def turns(exchanges: list[tuple[bytes, bytes]], depth: int) -> list[Turn]:
    """The segments that a connection sends in turn, until they begin anew."""
    endless = itertools.cycle(exchanges)
    made = []
    for _ in range(math.lcm(len(exchanges), depth) // depth):
        questions, answers = zip(*itertools.islice(endless, depth), strict=True)
        question, answer = b"".join(questions), b"".join(answers)
        made.append((question, len(question), answer, len(answer) + 1))
    return made


def intended(questions: int, rate: float, seed: int) -> array[int]:
    """When each question is to be sent, in nanoseconds from the beginning: a Poisson process."""
    draw = random.Random(seed)
    moment = 0.0
    times = array("Q")
    for _ in range(questions):
        moment += draw.expovariate(rate)
        times.append(int(moment * 1e9))
    return times


class Connection:
    """One connection, with the slow ways of sending and receiving."""

    __slots__ = ("_name", "socket", "stamps")

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self._name = name
        #: When each answer was complete, on the monotonic clock, in nanoseconds.
        self.stamps: list[int] = []
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(address)

    def opened(self) -> None:
        """The connection is there, or cannot be had."""
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise Trouble("refused", f"{self._name} could not be opened: {os.strerror(error)}")

    def unasked(self, octets: bytes) -> NoReturn:
        """The server said something that nobody asked for."""
        raise Trouble("wrong-answer", f"{self._name} got {shown(octets)}, unasked")

    def lost(self, error: OSError | None = None) -> NoReturn:
        """The server has gone."""
        how = "ended by the server" if error is None else f"lost ({error.strerror})"
        raise Trouble("lost", f"{self._name} was {how} before all was answered")

    def send(self, octets: bytes) -> Iterator[None]:
        """Send what is left of a segment; yields until there is room."""
        while octets:
            try:
                octets = octets[self.socket.send(octets) :]
            except BlockingIOError:
                yield

    def rest(self, data: bytes, answer: bytes) -> Iterator[None]:
        """Receive what is left of an answer of which `data` has come; yields until there is more."""
        while data != answer:
            if not answer.startswith(data):
                raise Trouble(
                    "wrong-answer",
                    f"{self._name} got {shown(data)} where {shown(answer)} is right",
                )
            try:
                more = self.socket.recv(len(answer) - len(data) + 1)
            except BlockingIOError:
                yield
                continue
            if not more:
                self.lost()
            data += more


def shown(octets: bytes) -> str:
    """Octets for a message: their beginning and end, where there are many."""
    return repr(octets if len(octets) <= LONGEST_SHOWN else octets[:60] + b"..." + octets[-20:])

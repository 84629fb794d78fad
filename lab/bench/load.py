"""The load generator: a process that asks questions as fast as they are answered, or at times fixed beforehand.

Knows sockets, epoll and clocks, and the standard library alone, so that this file runs wherever Python does: beside the
server, in its network namespace, on a board, in a guest. Must not know a protocol: questions and answers come in its
configuration, and an answer is right when it is the same, octet for octet.

One configuration a line on standard input, as JSON:

    host, port      where the server listens
    exchanges       [[question, answer], …], texts of which each character is an octet; connections ask them in turn
    connections     how many ask, each with one question (or `depth`) outstanding
    questions       in all; each connection has its share fixed beforehand
    depth           questions in one segment, answered before the next are sent (default 1)
    idle            silent connections beside them, each served once before the load begins (default 0)
    rate            questions a second, at times drawn from `seed` beforehand (a Poisson process); without it, each
                    connection asks when it has its answer
    deadline        seconds after which it gives up

It opens the silent connections, says {"ready": true}, and begins when it reads the line `go`. Then one line tells what came:

    answered        questions answered, octet for octet
    seconds         from the beginning, before connecting, to the last answer
    cpu_seconds     of this process in that time; `busy` is their ratio
    latencies       base64 of unsigned 64-bit nanoseconds, one for each segment of questions: from the moment it was meant to
                    be sent to its last answer. What waits for a connection to be free, or to be accepted, counts.
    sessions        the same, one for each connection: from the beginning to its last answer
    error, text     null, or `wrong-answer`, `lost`, `refused` or `deadline`, and what happened

It closes the silent connections when it reads another line, and says {"closed": true}.
"""

from __future__ import annotations

import base64
import contextlib
import gc
import itertools
import json
import math
import os
import random
import resource
import select
import signal
import socket
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

#: What a connection waits for: an edge of any kind, so that a segment that was read whole costs no second look.
EDGES = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
LONGEST_SHOWN = 80
SECONDS_TO_SERVE_IDLE = 30.0

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

    __slots__ = ("number", "socket", "stamps")

    def __init__(self, number: int, address: tuple[str, int]) -> None:
        self.number = number
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
            raise Trouble("refused", f"connection {self.number} could not be opened: {os.strerror(error)}")

    def lost(self, error: OSError | None = None) -> NoReturn:
        """The server has gone."""
        how = "ended by the server" if error is None else f"lost ({error.strerror})"
        raise Trouble("lost", f"connection {self.number} was {how} before all was answered")

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
                    f"connection {self.number} got {_shown(data)} where {_shown(answer)} is right",
                )
            try:
                more = self.socket.recv(len(answer) - len(data) + 1)
            except BlockingIOError:
                yield
                continue
            if not more:
                self.lost()
            data += more


def _shown(octets: bytes) -> str:
    return repr(octets if len(octets) <= LONGEST_SHOWN else octets[:60] + b"..." + octets[-20:])


class Load:
    """What all ways of asking share: the configuration, the connections that are open, and what has been measured."""

    def __init__(self, configuration: dict[str, Any]) -> None:  # JSON; a missing key is the caller's mistake
        self.address = (str(configuration["host"]), int(configuration["port"]))
        self.exchanges = [
            (question.encode("latin-1"), answer.encode("latin-1"))
            for question, answer in configuration["exchanges"]
        ]
        self.connections = int(configuration["connections"])
        self.questions = int(configuration["questions"])
        self.depth = int(configuration.get("depth", 1))
        self.rate = configuration.get("rate")
        self.seed = int(configuration.get("seed", 0))
        self.deadline = float(configuration["deadline"])
        self.latencies = array("Q")
        self.sessions = array("Q")
        self._idle = [self._silent(number) for number in range(int(configuration.get("idle", 0)))]

    def _silent(self, number: int) -> socket.socket:
        question, answer = self.exchanges[0]
        try:
            silent = socket.create_connection(self.address, timeout=SECONDS_TO_SERVE_IDLE)
            silent.sendall(question)
            got = b""
            while len(got) < len(answer):
                data = silent.recv(len(answer) - len(got))
                if not data:
                    raise Trouble("lost", f"idle connection {number} was ended by the server")
                got += data
        except OSError as error:
            raise Trouble("lost", f"idle connection {number}: {error.strerror or error}") from error
        if got != answer:
            raise Trouble("wrong-answer", f"idle connection {number} got {_shown(got)}, not {_shown(answer)}")
        return silent

    @property
    def answered(self) -> int:
        """Questions that were answered."""
        return len(self.latencies) * self.depth

    def run(self) -> None:
        """Ask, until all is answered. Raises Trouble."""
        signal.signal(signal.SIGALRM, self._late)
        signal.setitimer(signal.ITIMER_REAL, self.deadline)
        opened: list[Connection] = []
        try:
            with select.epoll() as poller:
                (self._closed if self.rate is None else self._open)(poller, opened)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for connection in opened:
                connection.socket.close()

    def close(self) -> None:
        """Close the silent connections."""
        for silent in self._idle:
            silent.close()

    def _late(self, _number: int, _frame: FrameType | None) -> None:
        raise Trouble("deadline", f"not all was answered within {self.deadline:g} s")

    # closed loop: each connection asks when it has its answer

    def _closed(self, poller: select.epoll, opened: list[Connection]) -> None:
        quotas = [share for share in shares(self.questions, self.connections, self.depth) if share]
        left = set(range(len(quotas)))
        began = time.perf_counter_ns()
        resume: dict[int, Callable[[None], None]] = {}
        asking = turns(self.exchanges, self.depth)
        for number, quota in enumerate(quotas):
            connection = Connection(number, self.address)
            opened.append(connection)
            segments = itertools.islice(itertools.cycle(asking), quota)
            descriptor = connection.socket.fileno()
            resume[descriptor] = self._converse(connection, segments, left).send
            poller.register(descriptor, EDGES)
        poll, most = poller.poll, len(quotas)
        try:
            while left:
                for descriptor, _ in poll(-1, most):
                    resume[descriptor](None)
        finally:
            self._count(began, opened)

    def _count(self, began: int, opened: list[Connection]) -> None:
        for connection in (one for one in opened if one.stamps):
            self.sessions.append(connection.stamps[-1] - began)
            self.latencies.extend(now - then for then, now in itertools.pairwise([began, *connection.stamps]))

    def _converse(self, connection: Connection, segments: Iterator[Turn], left: set[int]) -> Generator[None]:
        """One connection; goes on at each of its edges. Nothing but this runs between an answer and the next question."""
        send, receive = connection.socket.send, connection.socket.recv
        stamps, clock = connection.stamps, time.perf_counter_ns
        try:
            connection.opened()
            for question, length, answer, size in segments:
                try:
                    sent = send(question)
                except BlockingIOError:
                    sent = 0
                if sent != length:
                    yield from connection.send(question[sent:])
                yield
                try:
                    data = receive(size)
                except BlockingIOError:
                    yield from connection.rest(b"", answer)
                else:
                    if data != answer:
                        if not data:
                            connection.lost()
                        yield from connection.rest(data, answer)
                stamps.append(clock())
        except OSError as error:
            connection.lost(error)
        connection.socket.close()
        left.discard(connection.number)
        yield

    # open loop: questions come at times fixed beforehand, and wait for a connection that is free

    def _open(self, poller: select.epoll, opened: list[Connection]) -> None:
        times = intended(self.questions, float(self.rate or 0), self.seed)
        asking = itertools.cycle(turns(self.exchanges, 1))
        free: deque[Answering] = deque()
        by_descriptor: dict[int, Answering] = {}
        began = time.perf_counter_ns()
        for number in range(self.connections):
            connection = Connection(number, self.address)
            opened.append(connection)
            by_descriptor[connection.socket.fileno()] = Answering(connection, free, self.latencies)
            poller.register(connection.socket, EDGES)
        clock, poll, wait, total = time.perf_counter_ns, poller.poll, select.select, self.questions
        sleeper = [poller.fileno()]
        asked = 0
        while len(self.latencies) < total:
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
                raise Trouble(
                    "wrong-answer", f"connection {self._connection.number} got {_shown(data)}, unasked"
                )
        return turn


def measure(configuration: dict[str, Any], requests: IO[str], answers: IO[str]) -> None:  # Any: as above
    """One run, as the module's text says."""
    load: Load | None = None
    error: Trouble | None = None
    began, used = time.perf_counter(), time.process_time()
    try:
        load = Load(configuration)
        gc.collect()
        gc.freeze()
        _say(answers, {"ready": True})
        requests.readline()
        began, used = time.perf_counter(), time.process_time()
        load.run()
    except Trouble as trouble:
        error = trouble
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    _say(
        answers,
        {
            "answered": load.answered if load else 0,
            "seconds": seconds,
            "cpu_seconds": cpu,
            "busy": cpu / seconds if seconds else 0.0,
            "latencies": _packed(load.latencies if load else array("Q")),
            "sessions": _packed(load.sessions if load else array("Q")),
            "error": error.kind if error else None,
            "text": str(error) if error else "",
        },
    )
    requests.readline()
    if load is not None:
        load.close()
    _say(answers, {"closed": True})


def _packed(values: array[int]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _say(answers: IO[str], value: dict[str, object]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def main() -> int:
    """Serve configurations until the end of the input."""
    gc.disable()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with contextlib.suppress(OSError):
        # wake when it is time, and not up to 50 µs later (proc(5)); a kernel without it wakes later
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    try:
        for line in iter(sys.stdin.readline, ""):
            measure(json.loads(line), sys.stdin, sys.stdout)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever asked has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

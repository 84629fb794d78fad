"""The load generator as the measurement sees it: a process on a core, a run with meters read at its beginning and end.

Knows how to speak with `lab.bench.load`. Must not know how a load is made, nor a protocol.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from lab.bench.plan import Exchange
from lab.bench.running import let_go_first, pinned
from lab.errors import LabError

#: A generator that is busier than this may be what limits the rate: its latencies are not the server's.
BUSIEST: Final = 0.8
DEADLINE: Final = 60.0
SECONDS_TO_STOP: Final = 5.0
CHECKOUT: Final = Path(__file__).resolve().parents[2]


class WrongAnswer(LabError):
    """The server answered something else than the plan says."""


class Unserved(LabError):
    """The server refused, lost or kept waiting a connection."""


@dataclass(frozen=True, slots=True)
class Request:
    """One run of load, as `lab.bench.load` describes it; `rate` in questions a second, None for the closed loop."""

    connections: int
    questions: int
    depth: int = 1
    idle: int = 0
    rate: float | None = None
    seed: int = 0
    deadline: float = DEADLINE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run.

    Attributes:
        answered: questions.
        seconds: from the beginning to the last answer.
        busy: the generator's share of its core.
        latencies: nanoseconds from the intended moment to the answer, one for each segment of questions.
        sessions: nanoseconds from the beginning to the end of each connection.
    """

    answered: int
    seconds: float
    cpu_seconds: float
    busy: float
    latencies: NDArray[np.uint64]
    sessions: NDArray[np.uint64]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


class Generator:
    """A process that makes load, for any number of runs. Use it as a context, or call `stop`."""

    def __init__(self, core: int, exchanges: Sequence[Exchange], entering: Sequence[str] = ()) -> None:
        """Start it. `entering` is what its command has to begin with to run in the servers' network."""
        self._exchanges = [[each.send.decode("latin-1"), each.expect.decode("latin-1")] for each in exchanges]
        self._child = subprocess.Popen(
            pinned([*entering, sys.executable, "-m", "lab.bench.load"], core),
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        let_go_first(self._child.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def run(
        self,
        address: tuple[str, int],
        request: Request,
        ready: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Make one run.

        `ready` is called when the silent connections are open and the load is about to begin, `ended` when it has ended and
        they are still open.

        Raises:
            WrongAnswer: an answer was not, octet for octet, what the plan says.
            Unserved: a connection was refused or lost, or not all was answered in time.
        """
        host, port = address
        self._write(
            {
                "host": host,
                "port": port,
                "exchanges": self._exchanges,
                "connections": request.connections,
                "questions": request.questions,
                "depth": request.depth,
                "idle": request.idle,
                "rate": request.rate,
                "seed": request.seed,
                "deadline": request.deadline,
            }
        )
        answer = self._read()
        if "ready" in answer:
            ready()
            self._send(b"go\n")
            answer = self._read()
        ended()
        self._send(b"close\n")
        self._read()
        if answer["error"] == "wrong-answer":
            raise WrongAnswer(str(answer["text"]))
        if answer["error"] is not None:
            raise Unserved(str(answer["text"]))
        return Outcome(
            answered=int(str(answer["answered"])),
            seconds=float(str(answer["seconds"])),
            cpu_seconds=float(str(answer["cpu_seconds"])),
            busy=float(str(answer["busy"])),
            latencies=_unpacked(answer["latencies"]),
            sessions=_unpacked(answer["sessions"]),
        )

    def _write(self, value: Mapping[str, object]) -> None:
        self._send(json.dumps(value).encode("ascii") + b"\n")

    def _send(self, line: bytes) -> None:
        if self._child.stdin is None:
            raise RuntimeError("the process has no standard input")
        try:
            self._child.stdin.write(line)
            self._child.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def _read(self) -> dict[str, object]:
        if self._child.stdout is None:
            raise RuntimeError("the process has no standard output")
        line = self._child.stdout.readline()
        if not line:
            raise self._gone()
        value: dict[str, object] = json.loads(line)
        return value

    def _gone(self) -> LabError:
        return LabError(f"the load generator ended (exit code {self._child.wait()})", "run it again")

    def stop(self) -> None:
        """End its process."""
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._child.wait(0.5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(SECONDS_TO_STOP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _unpacked(text: object) -> NDArray[np.uint64]:
    return np.frombuffer(base64.b64decode(str(text)), dtype=np.uint64)

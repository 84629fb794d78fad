"""A server and a load generator as processes of the container or the guest.

Knows the readiness line of servers and the generator's way of speaking (`lab.bench.load`). Must not know what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

CHECKOUT = Path(__file__).resolve().parents[3]
READY = re.compile(r"listening on (\S+):(\d+)$")
SECONDS_TO_STOP = 5.0
LONGEST_COMPLAINT = 600


class Trouble(Exception):
    """A server or the generator did not do what it had to; the message says what, with the last words of who failed."""


class Serving:
    """A server that runs, in a process group of its own, until the end of the context."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], log: Path, seconds: float = 60.0
    ) -> None:
        self._log = log
        with log.open("wb") as complaints:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        try:
            self.address = self._ready(time.monotonic() + seconds)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group's."""
        return self._child.pid

    def _ready(self, end: float) -> tuple[str, int]:
        descriptor = _pipe(self._child.stdout).fileno()
        said = b""
        while True:
            for line in said.decode("utf-8", "replace").splitlines():
                if match := READY.search(line):
                    return match[1], int(match[2])
            left = end - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise Trouble(f"it did not say that it listens: {self.complaint()}")
            piece = os.read(descriptor, 4096)
            if not piece:
                raise Trouble(f"it ended with {self._child.wait()}: {self.complaint()}")
            said += piece

    def complaint(self) -> str:
        """The end of what it wrote on standard error."""
        text = self._log.read_text(encoding="utf-8", errors="replace").strip()
        return " | ".join(text[-LONGEST_COMPLAINT:].splitlines()) or "it said nothing"

    def stop(self) -> None:
        """End it and its children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(SECONDS_TO_STOP)
        _pipe(self._child.stdout).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Loading:
    """A generator that waits for runs, until the end of the context."""

    def __init__(self, exchanges: Sequence[Sequence[str]]) -> None:
        self._exchanges = exchanges
        self._child = subprocess.Popen(
            [sys.executable, "-m", "lab.bench.load"],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )

    def run(
        self,
        address: tuple[str, int],
        request: Mapping[str, float],
        ready: Callable[[], None],
        ended: Callable[[], None],
    ) -> None:
        """Make one run; `ready` is called before the first question, `ended` after the last answer. Raises `Trouble`."""
        self._say({"host": address[0], "port": address[1], "exchanges": self._exchanges, **request})
        answer = self._hear()
        if "ready" in answer:
            ready()
            self._write("go\n")
            answer = self._hear()
        if not answer["error"]:
            ended()
        self._write("close\n")
        self._hear()
        if answer["error"]:
            raise Trouble(f"{answer['error']}: {answer['text']}")

    def _say(self, value: Mapping[str, object]) -> None:
        self._write(json.dumps(value) + "\n")

    def _write(self, text: str) -> None:
        pipe = _pipe(self._child.stdin)
        pipe.write(text)
        pipe.flush()

    def _hear(self) -> dict[str, Any]:  # Any: JSON, of which each value is looked at where it is used
        line = _pipe(self._child.stdout).readline()
        if not line:
            raise Trouble(f"the load generator ended with {self._child.wait()}")
        value: dict[str, Any] = json.loads(line)
        return value

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()


def load_of(cell: Mapping[str, int], concurrency: int | None) -> dict[str, float]:
    """The load of a cell. Where fewer are served at a time, so many ask: the others would only wait for them to leave."""
    served = min(cell["connections"], concurrency or cell["connections"])
    return {**cell, "connections": served, "in_step": True}


def _pipe(pipe: IO[Any] | None) -> IO[Any]:  # Any: octets or text, as the process was started
    if pipe is None:
        raise RuntimeError("the process was started without this pipe")
    return pipe

"""The processes of implementations under test: hosted clients and servers, with deadlines.

Knows how to start one, to speak JSON lines with it, to keep its standard error and
to end it. Must not know any protocol.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from lab.judge.catalogue import Implementation
from lab.judge.host import encode
from lab.judge.place import HERE, Place
from lab.judge.verdict import Blocked
from lab.wire.endpoint import Endpoint

START_TIMEOUT = HERE.start_seconds
STOP_TIMEOUT = 5.0
#: What a process is ended by when native code in it goes wrong.
FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
ANSWER_LIMIT = 64 * 1024 * 1024


class Overran(Exception):
    """The implementation gave no answer within its deadline."""


class Process:
    """A child that reads lines on standard input and writes lines on standard output."""

    def __init__(self, argv: tuple[str, ...], *, name: str) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile(prefix="erle-stderr-")  # noqa: SIM115 - lives as long as the process
        self._unread = b""
        try:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        except OSError as error:
            self._errors.close()
            message = f"{name} could not be started: {error}"
            raise Blocked(message) from error

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def complaint(self) -> str:
        """The end of what it wrote to standard error, and its exit code if it ended."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(size - 2000, 0))
        tail = self._errors.read().decode("utf-8", "replace").strip()
        code = self._child.poll()
        ended = "" if code is None else f" (it ended with exit code {code})"
        return f"{self.name}{ended}; its standard error: {tail or 'empty'}"

    def died_of(self) -> signal.Signals | None:
        """The fault in its own code that ended the process; ``None`` while it runs and where it ended otherwise."""
        code = self._child.poll()
        return signal.Signals(-code) if code is not None and -code in FAULTS else None

    def wait(self, timeout: float) -> int:
        """Wait for its end, which something else brings about; returns its exit code.

        Raises:
            Overran: it has not ended within ``timeout`` seconds.
        """
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired as error:
            message = f"{self.name} had not ended after {timeout:g} s"
            raise Overran(message) from error

    def write_line(self, value: Mapping[str, object]) -> None:
        """Send one JSON line.

        Raises:
            Blocked: the process no longer reads.
        """
        if self._child.stdin is None:
            message = "the process has no standard input"
            raise RuntimeError(message)
        try:
            self._child.stdin.write(json.dumps(encode(dict(value))).encode() + b"\n")
            self._child.stdin.flush()
        except OSError as error:
            message = f"the request could not be handed over to {self.complaint()}"
            raise Blocked(message) from error

    def read_line(self, timeout: float) -> dict[str, object]:
        """The next JSON line.

        Raises:
            Overran: no line within ``timeout`` seconds.
            Blocked: the process ended, or what it wrote is no JSON object.
        """
        if self._child.stdout is None:
            message = "the process has no standard output"
            raise RuntimeError(message)
        deadline = time.monotonic() + timeout
        descriptor = self._child.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                message = f"no answer within {timeout:g} s"
                raise Overran(message)
            data = os.read(descriptor, 1 << 20)
            if not data:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._child.wait(STOP_TIMEOUT)
                message = f"no answer from {self.complaint()}"
                raise Blocked(message)
            self._unread += data
            if len(self._unread) > ANSWER_LIMIT:
                message = f"an answer without end from {self.complaint()}"
                raise Blocked(message)
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            answer = json.loads(line)
        except ValueError as error:
            message = f"{line[:200]!r} is not a JSON line; it came from {self.complaint()}"
            raise Blocked(message) from error
        if not isinstance(answer, dict):
            message = f"{line[:200]!r} is not a JSON object; it came from {self.complaint()}"
            raise Blocked(message)
        return answer

    def stop(self) -> None:
        """End the process: EOF on its input, then SIGTERM, then SIGKILL, each with a deadline."""
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        for end in (None, self._child.terminate, self._child.kill):
            if end is not None:
                end()
            try:
                self._child.wait(0.3 if end is None else STOP_TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                continue
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._errors.close()

    def kill(self) -> None:
        """End the process at once."""
        self._child.kill()
        self.stop()


class ClientSubject:
    """A client under test in a process of its own, started when first asked, after each loss and each escaped exception."""

    def __init__(self, implementation: Implementation) -> None:
        self.implementation = implementation
        self._process: Process | None = None

    def call(self, operation: str, arguments: Mapping[str, object], *, deadline: float) -> dict[str, object]:
        """Ask for one operation and wait for its outcome.

        Raises:
            Overran: the client did not answer within ``deadline`` seconds; its process was ended.
            Blocked: the process could not be started, a foreign command crashed, or the answer is no outcome.
        """
        process = self._running()
        try:
            process.write_line({"call": operation, "arguments": arguments})
            answer = process.read_line(deadline)
        except (Overran, Blocked):
            self._process = None
            died = process.died_of()
            process.kill()
            if self.implementation.entry and died is not None:
                # the host's own code is Python, which faults nowhere: what did is the library it drives
                return {"outcome": "escaped", "cause": f"{died.name}: the library took its process down"}
            raise
        if answer.get("outcome") not in {"done", "refused", "failed", "escaped"}:
            message = f"{str(answer)[:200]} is no outcome; it came from {process.complaint()}"
            raise Blocked(message)
        if answer["outcome"] == "escaped":
            # what its library left behind in the process, a broken heap maybe, is no later case's business
            self.stop()
        return answer

    def _running(self) -> Process:
        if self._process is not None and self._process.alive():
            return self._process
        if self._process is not None:
            self._process.stop()
        entry = self.implementation.entry
        argv = (sys.executable, "-m", "lab.judge.host", entry) if entry else self.implementation.argv()
        self._process = Process(argv, name=self.implementation.name)
        return self._process

    def stop(self) -> None:
        """End the client's process."""
        if self._process is not None:
            self._process.stop()
            self._process = None


class ServerSubject:
    """A server under test: a command the lab starts, or an endpoint somebody else serves.

    Args:
        directory: where it may leave files.
        place: the machine on which it is started.
        descriptors: how many file descriptors each of its processes may have, where that is limited.
    """

    def __init__(
        self,
        implementation: Implementation,
        configuration: Mapping[str, object],
        directory: Path,
        *,
        place: Place = HERE,
        descriptors: int | None = None,
    ) -> None:
        self.implementation = implementation
        self.directory = directory
        self.place = place
        self._descriptors = descriptors
        self._pid = -1
        self._configuration = configuration
        self._process: Process | None = None
        self._ports: dict[str, int] = {}

    def endpoint(self, port: str = "plain") -> Endpoint | None:
        """Where the named port of the running server is; ``None`` when it has no such port.

        Raises:
            Blocked: the server did not start.
        """
        if self.implementation.endpoint is not None:
            return self.implementation.endpoint if port == "plain" else None
        self._ensure_running()
        number = self._ports.get(port)
        return None if number is None else Endpoint(self.place.address, number)

    @property
    def started(self) -> bool:
        """Whether the lab has started it, and not stopped it since."""
        return self._process is not None

    def alive(self) -> bool:
        """Whether the started server still runs (always true for one that somebody else serves)."""
        return self.implementation.endpoint is not None or (
            self._process is not None and self._process.alive()
        )

    @property
    def pid(self) -> int | None:
        """The process id of the server that the lab has started, in the place where it runs."""
        return self._pid if self._process is not None else None

    def wait(self, timeout: float) -> int:
        """Wait until the started server has ended; returns its exit code.

        Raises:
            Overran: it has not ended within ``timeout`` seconds.
            Blocked: it was not started.
        """
        if self._process is None:
            raise Blocked(self.complaint())
        return self._process.wait(timeout)

    def complaint(self) -> str:
        """The end of what the server wrote to standard error."""
        return (
            self._process.complaint()
            if self._process is not None
            else f"{self.implementation.name} was not started"
        )

    def _ensure_running(self) -> None:
        if self._process is not None and self._process.alive():
            return
        if self._process is not None:
            self.stop()
        command = self.place.argv(self.implementation.argv(self.place.python), descriptors=self._descriptors)
        process = Process(command, name=self.implementation.name)
        try:
            pid = process.read_line(self.place.start_seconds)["pid"]
            process.write_line(self._configuration)
            ready = process.read_line(self.place.start_seconds).get("ready")
        except (Overran, Blocked, KeyError) as error:
            process.kill()
            message = f"the server did not start: {error}"
            raise Blocked(message) from error
        if not isinstance(ready, dict):
            process.kill()
            message = f"{self.implementation.name} did not say {{'ready': {{…}}}} first"
            raise Blocked(message)
        self._ports = {str(name): number for name, number in ready.items() if isinstance(number, int)}
        self._process = process
        self._pid = int(str(pid))

    def stop(self) -> None:
        """End the server's process."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def pause(self) -> None:
        """Stop the server's process where it stands (SIGSTOP)."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a stopped process go on (SIGCONT)."""
        if self._process is not None and self._process.alive():
            os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End the server's process at once, without giving it a chance to do anything."""
        if self._process is not None:
            self._process.kill()
            self.place.end_group(self._pid)
            self._process = None

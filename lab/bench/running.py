"""A server that is being measured: started on one core, ready when it says so, gone when it is no longer needed.

Knows processes. Must not know a protocol, nor what is measured.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.bench import meters, turns
from lab.bench.control_group import ControlGroup, a_new_one
from lab.errors import LabError

READY: Final = re.compile(rb"listening on \[?([^\]\s]+?)\]?:(\d+)\s*\n")
SECONDS_TO_START: Final = 30.0
SECONDS_TO_STOP: Final = 8.0
#: Server and generator alike: what else runs on the core gets a hundredth of it, and the two share as they would anyway.
FIRST: Final = -19


def may_go_first() -> bool:
    """Whether this user may give a process precedence over others."""
    return os.geteuid() == 0


def let_go_first(pid: int) -> None:
    """Give the session of the process, which is its own, the precedence that nice(1) gives within one (sched(7), autogroup)."""
    if may_go_first():
        # a kernel without autogroups has no such file, and needs none
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(FIRST), encoding="ascii")


def pinned(argv: Sequence[str], core: int) -> list[str]:
    """The command as it is measured: on one core in turns, first in line where this user may, ended when this process dies.

    setpriv(1), nice(1).
    """
    first = ["nice", "-n", str(FIRST)] if may_go_first() else []
    in_turns = [sys.executable, "-IS", turns.__file__, str(core)]
    return [*first, "setpriv", "--pdeathsig", "TERM", *in_turns, *argv]


def _entering(group: ControlGroup | None) -> list[str]:
    """The beginning of a command that enters the group before anything else."""
    return [] if group is None else ["sh", "-c", 'echo 0 >"$0" && exec "$@"', str(group.entrance)]


class RunningServer:
    """A server's process and its descendants. Use it as a context, or call `stop`."""

    def __init__(self, name: str, argv: Sequence[str], core: int, folder: Path) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile(prefix="erle-bench-")  # noqa: SIM115 - lives as long as the process
        self._group = a_new_one()
        try:
            self._child = subprocess.Popen(
                [*_entering(self._group), *pinned(argv, core)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONHASHSEED": "0"},
            )
        except OSError as error:
            self._errors.close()
            self._leave()
            raise LabError(f"{name} could not be started: {error}") from error
        let_go_first(self._child.pid)
        self._address: tuple[str, int] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def cpu_seconds(self) -> float:
        """Processor time that its process and all descendants have used.

        Where this user may make a control group, those that have ended count to the microsecond, else in clock ticks.
        """
        return meters.cpu_seconds(self.pid) if self._group is None else self._group.cpu_seconds()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens; waits until it says so.

        Raises:
            LabError: it ended, or said nothing in time.
        """
        if self._address is None:
            self._address = self._await_ready(time.monotonic() + SECONDS_TO_START)
        return self._address

    def _await_ready(self, deadline: float) -> tuple[str, int]:
        if self._child.stdout is None:
            raise RuntimeError("the process has no standard output")
        said = b""
        while (found := READY.search(said)) is None:
            descriptor = self._child.stdout.fileno()
            ready, _, _ = select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))
            data = os.read(descriptor, 4096) if ready else b""
            if not data:
                raise LabError(f"{self.name} did not say 'listening on HOST:PORT'; {self.complaint()}")
            said += data
        return found[1].decode("ascii"), int(found[2])

    def alive(self) -> bool:
        """Whether its process runs."""
        return self._child.poll() is None

    def complaint(self) -> str:
        """How it ended, if it has, and the end of what it wrote to standard error."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(0.2)
        self._errors.seek(max(self._errors.seek(0, os.SEEK_END) - 2000, 0))
        tail = self._errors.read().decode("utf-8", "replace").strip()
        code = self._child.returncode
        ended = "it runs" if code is None else f"it ended with exit code {code}"
        return f"{ended}; its standard error: {tail or 'empty'}"

    def stop(self) -> None:
        """SIGTERM, and SIGKILL to all its processes when it takes too long."""
        if self._child.poll() is None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(SECONDS_TO_STOP)
        # its session is its own, so whatever it left behind goes too
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._errors.close()
        self._leave()

    def _leave(self) -> None:
        if self._group is not None:
            self._group.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

"""The memcached programs of the book as a user runs them: a command line, two streams of text, an exit status.

Knows how to start ``python -m implementations.memcached.<name>`` with a deadline. Must not know what a program is to say.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for a whole program, start of the interpreter included; each is told to give up much earlier.
DEADLINE = 60.0


@dataclass(frozen=True)
class Ran:
    """What a program left: exit status, standard output, standard error."""

    program: str
    status: int
    output: str
    complaint: str

    def failed_with(self, *words: str, status: int = 1) -> None:
        """Check that it ended with this status and one line on standard error that holds the words.

        Raises:
            AssertionError: it did not.
        """
        assert self.status == status, f"exit status {self.status}, not {status}: {self}"
        assert "Traceback" not in self.complaint + self.output, self.complaint
        assert self.complaint.count("\n") == 1, f"not one line: {self.complaint!r}"
        line = self.complaint.removesuffix("\n")
        assert line.isprintable(), f"not printable: {line!r}"
        assert line.startswith(f"python -m implementations.memcached.{self.program}: "), line
        missing = [word for word in words if word not in line]
        assert not missing, f"{missing} not in {line!r}"

    def succeeded(self) -> None:
        """Check that it ended with status 0 and had nothing to complain of.

        Raises:
            AssertionError: it did not.
        """
        assert (self.status, self.complaint) == (0, ""), f"{self}"


def run(program: str, *words: str, environment: dict[str, str] | None = None) -> Ran:
    """Run a program to its end, without a controlling terminal.

    Raises:
        AssertionError: it hangs; it is ended then.
    """
    try:
        ended = subprocess.run(
            [sys.executable, "-m", f"implementations.memcached.{program}", *words],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=DEADLINE,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{program} hangs; it had said {error.stdout!r} and {error.stderr!r}"
        raise AssertionError(message) from error
    return Ran(program, ended.returncode, ended.stdout, ended.stderr)

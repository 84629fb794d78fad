"""A program as a user runs it: a command line, two streams of text, an exit status.

Knows how to start the modules of a package with ``python -m`` and a deadline. Must not know any protocol, nor what a program is
to say.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ran:
    """What a program left: its module, exit status, standard output, standard error."""

    module: str
    status: int
    output: str
    complaint: str

    def failed_with(self, *words: str, status: int = 1, told_by: str | None = None) -> None:
        """Check that it ended with this status and one line on standard error that begins as its command and holds the words.

        ``told_by`` names the program of the package that complains, where that is another one, started by this one.

        Raises:
            AssertionError: it did not.
        """
        assert self.status == status, f"exit status {self.status}, not {status}: {self}"
        assert "Traceback" not in self.complaint + self.output, self.complaint
        assert self.complaint.count("\n") == 1, f"not one line: {self.complaint!r}"
        line = self.complaint.removesuffix("\n")
        assert line.isprintable(), f"not printable: {line!r}"
        package, _, name = self.module.rpartition(".")
        # argparse names a subcommand too
        assert re.match(rf"python -m {re.escape(f'{package}.{told_by or name}')}( [\w-]+)?: ", line), line
        missing = [word for word in words if word not in line]
        assert not missing, f"{missing} not in {line!r}"

    def succeeded(self) -> str:
        """Check that it ended with status 0 and had nothing to complain of; return what it printed.

        Raises:
            AssertionError: it did not.
        """
        assert (self.status, self.complaint) == (0, ""), f"{self}"
        return self.output


@dataclass(frozen=True)
class Programs:
    """The programs of one package of the checkout, each a module of it.

    Args:
        package: its dotted name.
        deadline: seconds for a whole program, start of the interpreter included.
    """

    package: str
    deadline: float = 30.0

    def start(
        self,
        name: str,
        *words: str,
        stdin: int = subprocess.DEVNULL,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Start a program without a controlling terminal.

        Args:
            name: its module in the package.
            words: its arguments.
            stdin: a descriptor, or one of the constants of ``subprocess``.
            environment: all of its environment; this process's if ``None``.
        """
        return subprocess.Popen(
            [sys.executable, "-m", f"{self.package}.{name}", *words],
            cwd=ROOT,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def finish(self, name: str, process: subprocess.Popen[str], entered: str | None = None) -> Ran:
        """Wait for a program that was started; ``entered`` goes to its standard input, which ends then.

        Raises:
            AssertionError: it hangs; it is ended then.
        """
        try:
            output, complaint = process.communicate(entered, timeout=self.deadline)
        except subprocess.TimeoutExpired as error:
            process.kill()
            output, complaint = process.communicate()
            raise AssertionError(f"{name} hangs; it had said {output!r} and {complaint!r}") from error
        return Ran(f"{self.package}.{name}", process.returncode, output, complaint)

    def run(self, name: str, *words: str, environment: Mapping[str, str] | None = None) -> Ran:
        """Run a program to its end.

        Raises:
            AssertionError: it hangs; it is ended then.
        """
        return self.finish(name, self.start(name, *words, environment=environment))

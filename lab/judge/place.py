"""Where a server under test runs, and how the lab gets at its processes there: on this machine, or in a container.

Knows process tables, signals and limits. Must not know any protocol, nor what a server does.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

#: A process as /proc tells of it: its parent, and its state's letter.
_Stat = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server's processes use, summed over all of them.

    Attributes:
        resident: octets of memory.
        running: how many of them are at work, or would be if a processor were free, and do not wait.
    """

    processes: tuple[int, ...]
    resident: int
    descriptors: int
    running: int


class Place(Protocol):
    """A machine on which servers under test are started."""

    #: The word by which verdicts say where they were reached; empty for this machine.
    name: str
    #: The address that a server is told to listen on.
    bind: str
    #: The address at which the lab then reaches it.
    address: str
    #: What `python` at the beginning of a command stands for there.
    python: str
    #: Seconds within which a server has to have started.
    start_seconds: float

    def argv(self, command: Sequence[str], *, descriptors: int | None = None) -> tuple[str, ...]:
        """The command that starts a server there, with no more file descriptors a process than given.

        Its first line on standard output is ``{"pid": N}``, the server's process id there.
        """

    def usage(self, pid: int) -> Usage:
        """What a server's first process and all its descendants use now.

        Raises:
            ProcessLookupError: it has ended.
        """

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to one process.

        Raises:
            ProcessLookupError: it has ended.
        """

    def end_group(self, pid: int) -> None:
        """Kill whatever is left of a server and its children, which share a process group."""


#: Says the server's process id, limits its descriptors, and becomes the server.
LAUNCH: Final = 'printf \'{"pid": %d}\\n\' "$$"; [ "$0" = - ] || ulimit -n "$0"; exec "$@"'


def launched(command: Sequence[str], descriptors: int | None) -> tuple[str, ...]:
    """The command behind a shell that says its process id before it becomes the command."""
    return ("sh", "-c", LAUNCH, str(descriptors) if descriptors is not None else "-", *command)


class Here:
    """This machine."""

    name = ""
    bind = "127.0.0.1"
    address = "127.0.0.1"
    python = sys.executable
    start_seconds = 20.0

    def argv(self, command: Sequence[str], *, descriptors: int | None = None) -> tuple[str, ...]:
        """The command behind the launcher."""
        return launched(command, descriptors)

    def usage(self, pid: int) -> Usage:
        """Read /proc."""
        table: dict[int, _Stat] = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):  # it ended meanwhile
                    table[int(folder.name)] = parse_stat((folder / "stat").read_text(encoding="latin-1"))
        found = family(pid, table)
        descriptors = resident = 0
        for each in found:
            with contextlib.suppress(OSError):
                descriptors += sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
                pages = Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1]
                resident += int(pages) * resource.getpagesize()
        return Usage(found, resident, descriptors, sum(table[each][1] == "R" for each in found))

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send it."""
        os.kill(pid, number)

    def end_group(self, pid: int) -> None:
        """Kill the group."""
        with contextlib.suppress(ProcessLookupError):  # nothing is left
            os.killpg(pid, signal.SIGKILL)


def parse_stat(text: str) -> _Stat:
    """Parent and state from the text of /proc/PID/stat (proc(5)); the name there may hold anything."""
    fields = text.rpartition(")")[2].split()
    return int(fields[1]), fields[0]


def family(pid: int, table: dict[int, _Stat]) -> tuple[int, ...]:
    """A process and all its living descendants, itself first.

    Raises:
        ProcessLookupError: it is not in the table, or has ended and waits for its parent.
    """
    if pid not in table or table[pid][1] in "ZX":
        raise ProcessLookupError(pid)
    found = [pid]
    for each in found:
        found += [child for child, (parent, state) in table.items() if parent == each and state not in "ZX"]
    return tuple(found)


HERE: Final = Here()

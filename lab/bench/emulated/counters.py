"""The counters of the plugin `lab/bench/native/count.c`, read while the program runs.

Knows the form of the file, and how to see that a program has come to rest. Must not know what the program does.
"""

from __future__ import annotations

import mmap
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

MAGIC = 0x31746E756F43
SLOT = 64
PAUSE_SECONDS = 0.01
#: Readings that must be the same, one after the other, before a program is believed to rest.
SAME = 3
SECONDS_TO_REST = 20.0


class NotCounting(Exception):
    """The file is not (yet) a counter's, or the program does not come to rest."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a program with its threads and children has executed: instructions in user mode, and system calls."""

    instructions: int
    system_calls: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.instructions - other.instructions, self.system_calls - other.system_calls)


class Counters:
    """An open file of counters. Use it as a context. Raises `NotCounting`, or `OSError` where there is no file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            except ValueError as error:  # still empty
                raise NotCounting(f"{path} is empty") from error
        if struct.unpack_from("<Q", self._map)[0] != MAGIC:
            self._map.close()
            raise NotCounting(f"{path} is not a file of counters")

    def read(self) -> Counts:
        """The sum over all threads at this moment."""
        (used,) = struct.unpack_from("<Q", self._map, 8)
        instructions = system_calls = 0
        for number in range(1, used):
            first, second = struct.unpack_from("<QQ", self._map, number * SLOT)
            instructions += first
            system_calls += second
        return Counts(instructions, system_calls)

    def at_rest(
        self,
        group: int,
        seconds: float = SECONDS_TO_REST,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> Counts:
        """The sum once all threads of the process group sleep and nothing is counted any more. Raises `NotCounting`."""
        end = clock() + seconds
        last, same = self.read(), 0
        while same < SAME:
            if clock() > end:
                raise NotCounting(f"the server has not come to rest within {seconds:g} s")
            pause(PAUSE_SECONDS)
            now = self.read()
            same = same + 1 if now == last and all(state in "SZ" for state in _states(group)) else 0
            last = now
        return last

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._map.close()


def _states(group: int) -> Iterator[str]:
    """The state of each thread of the process group, a letter of proc(5)."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            fields = (
                (process / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
            if int(fields[2]) != group:
                continue
            for thread in (process / "task").iterdir():
                text = (thread / "stat").read_text(encoding="utf-8", errors="replace")
                yield text.rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while it was looked at

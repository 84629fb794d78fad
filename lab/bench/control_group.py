"""A control group: the kernel adds up what its processes use, also those that have ended, to the microsecond.

Knows cgroups(7), version 2, and the standard library alone: it is used in the guest, too. Must not know what is measured.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

#: A control group of this process: its id and a number make a name.
PREFIX = "erle-bench-"
_numbers = itertools.count()


class ControlGroup:
    """The group whose folder is `path`; it is made where it is not there. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir(exist_ok=True)

    @property
    def entrance(self) -> Path:
        """The file by which a process enters: it writes 0."""
        return self._path / "cgroup.procs"

    def cpu_seconds(self) -> float:
        """Processor time that its processes have used until now. Raises OSError: the kernel does not say."""
        for line in (self._path / "cpu.stat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "usage_usec":
                return int(value) / 1e6
        raise OSError(f"{self._path}: the kernel does not say what a control group uses")

    def remove(self) -> None:
        """Remove it once its processes have gone."""
        with contextlib.suppress(OSError):  # one has not gone yet: whoever measures next removes it
            self._path.rmdir()


def a_new_one() -> ControlGroup | None:
    """A group below this process's own, or None where this user may not make one, or the kernel has none."""
    own = _own()
    if own is None or not os.access(own / "cgroup.procs", os.W_OK):
        return None
    for old in own.glob(f"{PREFIX}*-*"):
        if not Path("/proc", old.name.removeprefix(PREFIX).partition("-")[0]).exists():
            ControlGroup(old).remove()
    try:
        made = ControlGroup(own / f"{PREFIX}{os.getpid()}-{next(_numbers)}")
        made.cpu_seconds()
    except OSError:
        return None
    return made


def _own() -> Path | None:
    """The folder of this process's group, proc(5)."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    roots = [fields[1] for fields in mounts if fields[2] == "cgroup2"]
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        if roots and line.startswith("0::"):
            return Path(roots[0], line.removeprefix("0::").lstrip("/"))
    return None

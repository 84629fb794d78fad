"""The lab's locks, held across processes. Knows flock(2) and the identity of a process, nothing of what is guarded.

The kernel frees a lock when its last holder is gone, so a killed command leaves none behind.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError
from lab.stack.project import Lab, make_state

PATIENCE_SECONDS = 900.0
PAUSE_SECONDS = 0.05


class Busy(LabError):
    """Another command of this lab holds the lock."""


@contextmanager
def locked(lab: Lab, name: str, seconds: float = PATIENCE_SECONDS) -> Iterator[int]:
    """Hold the lab's lock of that name; yield its descriptor, which a child may inherit to hold it on.

    Raises `Busy` after `seconds` (0 asks once), `LabError` where the state folder cannot be written.
    """
    make_state(lab)
    path = lab.state / f"{name}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from error
    try:
        _take(handle, name, time.monotonic() + seconds)
        yield handle
    finally:
        # Closing frees the lock unless a child still holds the same description.
        os.close(handle)


def _take(handle: int, name: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Busy(f"another command of this lab is at work ({name})") from None
            time.sleep(PAUSE_SECONDS)


def identity(pid: int) -> str | None:
    """Return what tells the process from a later one with the same pid, or None if there is no such process.

    The boot's id and the start time in clock ticks since that boot (proc(5), `stat`, field 22); elsewhere ps's start time.
    """
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name, field 2, is in parentheses and may hold spaces: count from its end.
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return None
        # A zombie has ended; only its parent has not looked yet.
        return None if fields[0] in {"Z", "X"} else f"{boot}:{fields[19]}"
    asked = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=10, check=False
    )
    return " ".join(asked.stdout.split()) or None


def is_alive(pid: int, known_identity: str) -> bool:
    """Say whether the process that had this identity still runs."""
    return identity(pid) == known_identity

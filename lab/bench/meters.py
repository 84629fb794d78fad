"""What a server has used: processor time and memory, of its process and all its descendants.

Knows /proc and process clocks. Must not know what a server is asked.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import psutil

#: A process clock of the kernel: `clockid` of clock_getcpuclockid(3) for the scheduler's clock, CPUCLOCK_SCHED.
_SCHEDULERS_CLOCK = 2
#: How often a family that changes while it is looked at is looked at anew.
ATTEMPTS = 20


def family(pid: int) -> Iterator[psutil.Process]:
    """The process and its descendants that run; none when it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        yield process
        yield from process.children(recursive=True)


def cpu_seconds(pid: int) -> float:
    """Processor time that the process, its descendants and those they have waited for have used.

    To the nanosecond for those that run; what has ended and been waited for counts in clock ticks of 10 ms, as the kernel
    keeps it.
    """
    total = 0.0
    for _ in range(ATTEMPTS):
        processes = list(family(pid))
        total = sum(map(_used, processes))
        if list(family(pid)) == processes:
            return total
    # Children come and go without a pause: one that went while it was looked at is counted twice, or not at all.
    return total


def _used(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        waited_for = float(times.children_user + times.children_system)
        try:
            return waited_for + time.clock_gettime(~process.pid << 3 | _SCHEDULERS_CLOCK)
        except OSError:  # it has ended, and nobody has waited for it yet
            return waited_for + float(times.user + times.system)
    return 0.0


def pss_kib(pid: int) -> float:
    """Memory of the process and its descendants in KiB, pages shared with others counted in proportion (PSS)."""
    total = 0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 1024

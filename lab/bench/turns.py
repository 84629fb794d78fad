"""Turns on one core: a server and its load each run until they wait, and neither interrupts the other.

Knows the scheduler. Must not know what is measured. A program as well, and one that starts quickly: it imports nothing of the lab.

    python3 -IS turns.py CORE COMMAND...    become the command, which and whose children take turns on that core

By default a process that wakes may interrupt the one that woke it, and whether it does is the scheduler's affair. It was seen to do so
at most questions of one program and at hardly any of another that does the same work: the one finds one question at a time where the
other finds ten, and what that costs is not the program's own.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import sys

#: linux/sched/types.h and asm/unistd.h.
SCHED_ATTR_SIZE = 48
SYS_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
LONGEST_TURN_NS = 100_000_000
#: What is ignored stays so in the program that this one becomes.
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
#: The kernel's word for its own choice.
USUAL_TURN_NS = 0


def take_turns(core: int, task: int = 0) -> None:
    """Let a task (0: this one), and the children that it has from now on, take turns with all others that do on the core.

    A batch process interrupts no other when it wakes (sched(7)): a server answers all that has come before the generator goes on,
    and the generator asks all that it has to ask, so that how many questions a server finds at a time is no matter of chance.

    Raises:
        OSError: the task has gone, or the scheduler's settings may not be changed here.
    """
    os.sched_setaffinity(task, {core})
    _schedule(task, os.SCHED_BATCH, LONGEST_TURN_NS)


def leave_turns(cores: set[int], task: int = 0) -> None:
    """Let a task that took turns run on these cores as any other does. Raises OSError as `take_turns` does."""
    _schedule(task, os.SCHED_OTHER, USUAL_TURN_NS)
    os.sched_setaffinity(task, cores)


def _schedule(task: int, policy: int, turn_ns: int) -> None:
    """Set the policy, and ask for turns of that length: in a long one, whoever has many questions to answer answers them all.

    sched_setattr(2), for which Python has no function. A kernel older than 6.12 takes the wish and does nothing about it, and where
    the call's number is not known here turns are as long as the machine's usual ones.
    """
    os.sched_setscheduler(task, policy, os.sched_param(0))
    call = SYS_SCHED_SETATTR.get(platform.machine())
    if call is None:
        return
    nice = os.getpriority(os.PRIO_PROCESS, task)
    attributes = struct.pack("@IIQiIQQQ", SCHED_ATTR_SIZE, policy, 0, nice, 0, turn_ns, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(call, task, attributes, 0):
        error = ctypes.get_errno()
        raise OSError(error, f"sched_setattr: {os.strerror(error)}")


def main() -> None:
    """Become the command."""
    core, *argv = sys.argv[1:]
    try:
        take_turns(int(core))
        for number in IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)  # noqa: S606 - the command is the lab's own
    except OSError as error:
        sys.exit(f"{argv[0]}: {error}")


if __name__ == "__main__":
    main()

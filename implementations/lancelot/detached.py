"""How a process becomes a daemon, and tells the one that started it how that went.

Knows fork, sessions and standard descriptors. Must not know what the daemon does.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

Report = Callable[[str], None]


def detach(work: Callable[[Report], None]) -> str:
    """Run `work` in a process without terminal, session, parent or open files of ours.

    Returns, in the process that called, the line that `work` reports first, or "" when the daemon ended without a word.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:  # no leader of its session, so that it never gets a terminal
                os.close(reader)
                _become_daemon(work, writer)
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, encoding="utf-8") as pipe:  # noqa: PTH123 - a descriptor
        return pipe.readline().rstrip("\n")


def _become_daemon(work: Callable[[Report], None], writer: int) -> None:
    os.chdir("/")
    os.umask(0o022)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names alone
        if int(name) > 2 and int(name) != writer:
            with contextlib.suppress(OSError):  # the descriptor of the listing itself
                os.close(int(name))

    told = False

    def report(line: str) -> None:
        nonlocal told
        if not told:
            told = True
            os.write(writer, line.encode("utf-8", "backslashreplace") + b"\n")
            os.close(writer)

    work(report)


def absolute(path: str) -> Path:
    """A path that still holds when the daemon has left the directory it was started in."""
    return Path(path).absolute()

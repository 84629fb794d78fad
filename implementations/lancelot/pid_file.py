"""A pid file that cannot lie: the daemon holds a lock on it as long as it lives.

The number in the file is for people and for other tools. Whether a daemon runs, and which process it is, is read from the
lock, which the kernel takes away when the process ends however it ends: a file without a lock is stale.

Knows record locks (fcntl, F_SETLK and F_GETLK). Must not know what the daemon does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
from pathlib import Path
from types import FrameType

from implementations.lancelot.command_line import Failure, explain

#: struct flock of <fcntl.h>, with 64-bit offsets: type, whence, start, length, process.
_LOCK = struct.Struct("@hhqqi")


class PidFile:
    """The file at one path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(self) -> None:
        """Lock the file for this process and write its number; raises Failure when another one has it.

        Forked processes do not inherit the lock.
        """
        while True:
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            except OSError as error:
                raise Failure(f"{explain(error)} (--pid-file names another file)") from error
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                os.close(descriptor)
                raise Failure(f"already running ({self.path})") from error
            if _same(descriptor, self.path):
                break
            os.close(descriptor)  # the one before removed it in between
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    def remove(self) -> None:
        """Remove the file, if it is ours. The lock stays until the process has ended."""
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)

    def holder(self) -> int | None:
        """The process that has the lock, if one has. Raises Failure when the file cannot be read."""
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(self.path.open("rb"))
            except FileNotFoundError:
                return None
            except OSError as error:
                raise Failure(explain(error)) from error
            asked = _LOCK.pack(fcntl.F_RDLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, process = _LOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
            return None if kind == fcntl.F_UNLCK else int(process)

    def wait_until_free(self, timeout: float) -> bool:
        """Wait until no process has the lock; returns whether that came about within `timeout` seconds.

        For the main thread of a program that uses SIGALRM for nothing else.
        """

        def ring(_number: int, _frame: FrameType | None) -> None:
            raise TimeoutError

        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return True
        before = signal.signal(signal.SIGALRM, ring)
        try:
            with file:
                signal.setitimer(signal.ITIMER_REAL, timeout)
                fcntl.lockf(file, fcntl.LOCK_SH)
        except TimeoutError:
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        return True

    def exists(self) -> bool:
        """Whether there is a file, stale or not."""
        return self.path.exists()


def _same(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False

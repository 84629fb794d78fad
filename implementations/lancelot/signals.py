"""Signals as something that a server can wait for, beside its sockets.

SIGTERM and SIGINT ask the server to stop, and so does the end of a lifeline: a pipe whose other end the parent holds.
SIGHUP asks it to read its settings again. Knows the operating system's signals. Must not know a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

STOP = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """A descriptor that becomes readable when a signal came; belongs to the main thread of one process.

    `on_stop` is called at once, in the main thread between two of its instructions, for servers that are blocked in a
    system call when the signal comes. Those of `on_hangup` are called by `stop_asked`, when the server has time for it.
    """

    def __init__(self) -> None:
        self.on_stop: Callable[[], None] | None = None
        self.on_hangup: list[Callable[[], None]] = []
        self._lifelines: list[int] = []
        self._stopping = False
        self._hung_up = False
        self._open()

    def _open(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.settimeout(0)
        self._writer.settimeout(0)
        for number in (*STOP, signal.SIGHUP, signal.SIGIO, signal.SIGCHLD):
            signal.signal(number, self._came)
        # Closes the gap between "no signal yet" and the wait: the octet is there even when the handler is late.
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reader.fileno()

    def stop_asked(self) -> bool:
        """Take in what came: run `on_hangup` if SIGHUP was among it, and say whether the server is to stop."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        if self._hung_up:
            self._hung_up = False
            for reload in self.on_hangup:
                reload()
        return self._stopping

    @property
    def stopping(self) -> bool:
        """Whether the server is to stop."""
        return self._stopping

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a signal; returns whether the server is to stop. None waits without end."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        poll.poll(None if timeout is None else timeout * 1000)
        return self.stop_asked()

    def stop(self) -> None:
        """Ask the server to stop, as SIGTERM does."""
        self._came(signal.SIGTERM, None)

    def nudge(self) -> None:
        """Wake whoever waits, to look around; any thread may call this."""
        with contextlib.suppress(BlockingIOError):
            self._writer.send(b"\0")

    def hang_on(self, descriptor: int) -> None:
        """Make the end of this pipe mean the same as SIGTERM. What comes through it is read and ignored.

        Its readers are told by SIGIO, so that servers that are blocked in a system call hear of it too.
        """
        os.set_blocking(descriptor, False)
        self._lifelines.append(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
        self._came(signal.SIGIO, None)

    def renew(self) -> None:
        """Cut what a forked child shares with its parent."""
        self._reader.close()
        self._writer.close()
        for lifeline in self._lifelines:
            os.close(lifeline)
        self._lifelines.clear()
        self._stopping = self._hung_up = False
        self.on_stop = None
        self._open()

    def _came(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._hung_up = True
        elif number in STOP or (number == signal.SIGIO and self._lifeline_ended()):
            self._stopping = True
            if self.on_stop is not None:
                self.on_stop()
        self.nudge()  # a library may have put its own descriptor in the place of ours (uvloop does)

    def _lifeline_ended(self) -> bool:
        for lifeline in self._lifelines:
            with contextlib.suppress(BlockingIOError):
                while os.read(lifeline, 4096):
                    pass
                return True
        return False


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while a process forks, so that none reaches a child that still shares its parent's descriptor."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*STOP, signal.SIGHUP, signal.SIGIO, signal.SIGCHLD})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""What the servers do alike that give each client a worker which waits in the system call.

Knows blocking sockets, and how such a worker is told to stop: the reading side of its connection is shut, so that it reads
what had come, then the end of the stream, and ends like any conversation. Must not know threads or processes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import struct
import time
from collections import deque
from typing import Protocol

from implementations.lancelot.event_loop import EXHAUSTED, FEW, LINGER, MANY, RETRY
from implementations.lancelot.protocol import KNOWN_BY_SIZE, LONGEST_KNOWN, answer_all
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")


class Stop(Protocol):
    """What a worker that waits for a client is woken by."""

    def fileno(self) -> int:
        """Readable once there is something to look at."""

    def stop_asked(self) -> bool:
        """Whether to stop."""


class Visitors:
    """The connections that are being served; any thread may add one, and one thread ends them."""

    def __init__(self) -> None:
        self._connections: set[socket.socket] = set()
        self._shut: int | None = None

    def add(self, connection: socket.socket) -> None:
        """Take a connection in; one that comes after the end of the others ends as they did."""
        self._connections.add(connection)
        if self._shut is not None:
            _shut(connection, self._shut)

    def remove(self, connection: socket.socket) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def hang_up(self) -> None:
        """Let each connection end after what has come from it by now."""
        self._end(socket.SHUT_RD)

    def cut(self) -> None:
        """End each connection at once."""
        self._end(socket.SHUT_RDWR)

    def __len__(self) -> int:
        return len(self._connections)

    def _end(self, how: int) -> None:
        self._shut = how
        for connection in [*self._connections]:
            _shut(connection, how)


def hang_up_when_asked(signals: Signals, entrance: Entrance | None, visitors: Visitors, grace: float) -> None:
    """For a main thread that serves clients itself: have SIGTERM end the connections, by force after `grace` seconds."""

    def stop() -> None:
        signal.signal(signal.SIGALRM, lambda _number, _frame: visitors.cut())
        signal.setitimer(signal.ITIMER_REAL, grace)
        if entrance is not None:
            entrance.close()
        visitors.hang_up()

    signals.on_stop = stop
    if signals.stopping:  # it was quicker
        stop()


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):  # the peer, or the worker, was quicker
        connection.shutdown(how)


class Entrance:
    """The listening socket of one process, for all its workers."""

    def __init__(self, listener: socket.socket) -> None:
        listener.settimeout(0)
        self.listener = listener
        self._waiting: deque[socket.socket] = deque()
        self._closed = False

    def accept(self) -> socket.socket:
        """The next client. Raises OSError, and BlockingIOError when nobody waits."""
        try:
            return self._waiting.popleft()
        except IndexError:
            pass
        try:
            return self.listener.accept()[0]
        except OSError as error:
            if self._closed:
                raise BlockingIOError from error
            raise

    def close(self) -> None:
        """Take in everybody who waits, for the workers to serve, and nobody else any more."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):  # nobody waits, or there are no descriptors left
            while True:
                self._waiting.append(self.listener.accept()[0])
        self.listener.close()


class Door:
    """Where one worker waits for its next client."""

    def __init__(self, entrance: Entrance, stop: Stop) -> None:
        self._entrance = entrance
        self._stop = stop
        self._poller = select.epoll()
        # Exclusive: a new client wakes one of the waiting workers and not all of them.
        self._poller.register(entrance.listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        self._poller.register(stop, select.EPOLLIN)

    def next(self) -> socket.socket | None:
        """Wait for a client; None once the worker is to stop and nobody waits any more."""
        while True:
            stopping = self._stop.stop_asked()
            try:
                connection = self._entrance.accept()
            except BlockingIOError:
                if stopping:
                    return None
                self._poller.poll()
            except OSError as error:
                if error.errno not in EXHAUSTED:
                    log.debug("a connection ended before it was accepted: %s", error.strerror)
                    continue
                if stopping:
                    return None
                log.warning("no more connections for now: %s", error.strerror)
                wait = select.poll()
                wait.register(self._stop, select.POLLIN)
                wait.poll(RETRY * 1000)
            else:
                connection.settimeout(None)
                return connection

    def close(self) -> None:
        """Wait no longer."""
        self._poller.close()


def attend(connection: socket.socket, visitors: Visitors, patience: float) -> None:
    """Serve one client to its end, whatever that is, and close the connection."""
    with connection:
        visitors.add(connection)
        try:
            _give_patience(connection, patience)
            _converse(connection)
        except BlockingIOError:
            log.debug("connection given up: nothing came, or nothing was read, for %g s", patience)
        except OSError as error:
            log.debug("connection lost: %s", error.strerror)
        finally:
            visitors.remove(connection)


def _converse(connection: socket.socket) -> None:
    fd = connection.fileno()
    read, write, size_of = os.read, os.write, len
    few, many, longest, known = FEW, MANY, LONGEST_KNOWN, KNOWN_BY_SIZE
    unfinished = b""
    room = few
    while octets := read(fd, room):
        size = size_of(octets)
        if size <= longest and not unfinished:
            room = few
            question, answer, length = known[size]
            if octets == question:
                sent = write(fd, answer)
                if sent != length:
                    _write_all(fd, answer[sent:])
                continue
        else:
            room = many
        answers, rest = answer_all(unfinished + octets)
        _write_all(fd, answers)
        if rest is None:
            _finish(connection)
            return
        unfinished = rest


def _write_all(fd: int, octets: bytes) -> None:
    while octets:
        octets = octets[os.write(fd, octets) :]


def _finish(connection: socket.socket) -> None:
    """Announce the end to a peer that broke the limit, and drop what it still sends for a moment.

    Closing at once would reset the connection, and the peer could lose answers.
    """
    connection.shutdown(socket.SHUT_WR)
    _give_patience(connection, LINGER)
    deadline = time.monotonic() + LINGER
    while time.monotonic() < deadline and connection.recv(MANY):
        pass


def _give_patience(connection: socket.socket, seconds: float) -> None:
    """Let a blocking read or write fail with BlockingIOError after so long.

    The kernel keeps the time; a Python time-out would cost a system call more for every segment.
    """
    interval = struct.pack("@ll", int(seconds), int(seconds % 1 * 1_000_000))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)

"""The event loop that the select, poll, epoll and reuseport servers share; they differ in how they wait.

A connection is a number: its descriptor. A segment that is exactly one known question, by far the most frequent event, is
read, looked up and answered in place; all that is out of the ordinary has a method and a dictionary of its own:

- `_unfinished`: the beginning of a question whose end has not come;
- `_pending`: answers that the peer does not take. It is not read from until it has taken them, so that a slow reader holds
  the answers to one segment at most;
- `_discarding`: the peer broke the limit. The answers before that are out, the end is announced, and what still comes is
  dropped for a moment: closing at once would reset the connection, and the peer could lose answers.

Knows the protocol's two functions and descriptors. Must not know which kind of poller it has beyond the masks to ask for.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from implementations.lancelot.protocol import KNOWN_BY_SIZE, LONGEST_KNOWN, answer_all
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")

#: Octets that one read asks for: as long as single questions come (any known one, and an octet more for what is longer), and
#: after more. Answers to as many question marks as both are the most that a connection holds back.
FEW, MANY = LONGEST_KNOWN + 1, 4096
#: Events that one wait on epoll brings at most; others come with the next.
EVENTS = 32
#: Seconds for which what a peer sends after the end is dropped.
LINGER = 1.0
#: Seconds without accepting when descriptors or memory have run out, unless a connection ends before.
RETRY = 0.5
#: What `accept` says when descriptors or memory have run out.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: The masks of poll and epoll are the same. What is readable is reported by the name by which it was asked for, so the mask
#: tells what a descriptor is: a question begins; a question goes on; the listening socket, the signals, or what is discarded.
IN, GOING_ON, DOOR, OUT = select.POLLIN, select.POLLRDNORM, select.POLLRDNORM, select.POLLOUT
#: In what is reported: the end of the stream, or of the connection.
END = select.EPOLLRDHUP | select.POLLHUP | select.POLLERR


class Poller(Protocol):
    """What `select.poll` and `select.epoll` have in common."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Begin to watch."""

    def modify(self, fd: int, eventmask: int, /) -> None:
        """Watch for something else."""

    def unregister(self, fd: int, /) -> None:
        """Watch no longer."""

    def poll(self, timeout: float | None = None, /) -> Sequence[tuple[int, int]]:
        """Wait, in the poller's own unit; return what is ready."""


class EventLoop:
    """Serves one listening socket until the signals ask to stop."""

    def __init__(
        self,
        poller: Poller,
        listener: socket.socket,
        signals: Signals,
        *,
        wait: Callable[[], Sequence[tuple[int, int]]],
        units_per_second: int,
        grace: float,
        edges: int = 0,
    ) -> None:
        """Begin to watch.

        `wait` is the poller's way to wait without end, `units_per_second` the unit of its timeouts, `grace` the longest
        time in seconds for what was asked before the stop. With `edges` (EPOLLET and EPOLLRDHUP) a connection is reported when something comes,
        and not as long as something is there.
        """
        self._poller = poller
        self._wait = wait
        self._listener = listener
        self._signals = signals
        self._units = units_per_second
        self._grace = grace
        self._edges = edges
        self._open: set[int] = set()
        self._unfinished: dict[int, bytes] = {}
        self._pending: dict[int, tuple[bytes, bool]] = {}
        self._discarding: set[int] = set()
        self._exhausted = False
        # By descriptor: when to drop a peer, to accept again (the listener's), to give up at the end (the signals').
        self._deadlines: dict[int, float] = {}
        listener.settimeout(0)
        poller.register(listener.fileno(), DOOR)
        poller.register(signals.fileno(), DOOR)
        self._door = listener.fileno()
        self._bell = signals.fileno()

    def run(self) -> None:  # noqa: C901 - the one loop that pays for each call it would be divided by
        """Serve; returns when asked to stop and all that had come was answered."""
        # Every name of the inner loop is a local one, every exception is one that is hardly ever raised, and the body is so
        # short that its jumps are single instructions.
        wait, read, write, size_of, attend = self._wait, os.read, os.write, len, self._attend
        plain, few, many, longest = IN, FEW, MANY, LONGEST_KNOWN
        known = KNOWN_BY_SIZE + [KNOWN_BY_SIZE[0]] * (many - longest)
        deadlines = self._deadlines
        # What reads ask for now, and after the next wait: once a segment was long, others will be.
        room = then = few
        while True:
            if deadlines:
                self._expire()
                if self._signals.stopping and not self._open:
                    return
            ready = self._poller.poll(self._until_next()) if deadlines else wait()
            for fd, events in ready:
                if events != plain:
                    attend(fd, events)
                    continue
                try:
                    octets = read(fd, room)
                except OSError as error:
                    self._failed(fd, error)
                    continue
                question, answer, length = known[size_of(octets)]
                if octets != question:
                    if size_of(octets) > longest:
                        room = then = many
                    self._converse(fd, octets, events)
                    continue
                try:
                    sent = write(fd, answer)
                    if sent == length:
                        continue
                except OSError as error:
                    self._not_sent(fd, answer, error)
                else:
                    self._hold(fd, answer[sent:])
            room, then = then, few

    def _attend(self, fd: int, events: int) -> None:
        """See to whatever is not just a question."""
        if fd == self._door:
            self._accept()
        elif fd == self._bell:
            if self._signals.stop_asked():
                self._stop()
        elif fd in self._pending:
            self._flush(fd)
        elif fd in self._discarding:
            self._discard(fd)
        elif fd in self._open:
            try:
                octets = os.read(fd, MANY)
            except OSError as error:
                self._failed(fd, error)
            else:
                self._converse(fd, octets, events)

    def _converse(self, fd: int, octets: bytes, events: int) -> None:
        """Answer a segment, whatever is in it; b"" is the end of the stream."""
        if not octets:
            self._drop(fd)
            return
        if len(octets) == FEW:
            octets = self._rest(fd, octets)
        before = self._unfinished.pop(fd, b"")
        answers, unfinished = answer_all(before + octets)
        if unfinished:
            self._unfinished[fd] = unfinished
        over = unfinished is None
        try:
            sent = os.write(fd, answers) if answers else 0
        except OSError as error:
            self._not_sent(fd, answers, error, over=over)
            return
        if sent != len(answers):
            self._hold(fd, answers[sent:], over=over)
        elif over:
            self._finish(fd)
        elif bool(before) != bool(unfinished):
            self._expect(fd)
        elif self._edges and (len(octets) >= MANY or events & END):
            # There may be more, or the end, of which no edge will tell any more: have it reported anew.
            self._expect(fd)

    def _rest(self, fd: int, octets: bytes) -> bytes:
        """Read what may have come with a segment that is longer than a known question."""
        try:
            return octets + os.read(fd, MANY)
        except OSError:  # nothing, or nothing any more: the next event or the next write tells
            return octets

    def _expect(self, fd: int) -> None:
        """Wait for octets: with a mask of its own when they go on with a question, so that the loop need not look."""
        self._poller.modify(fd, (GOING_ON if fd in self._unfinished else IN) | self._edges)

    def _not_sent(self, fd: int, answers: bytes, error: OSError, *, over: bool = False) -> None:
        if isinstance(error, BlockingIOError):
            self._hold(fd, answers, over=over)
        else:
            self._drop(fd, error)

    def _hold(self, fd: int, answers: bytes, *, over: bool = False) -> None:
        """Keep what the peer does not take, and wait for that alone."""
        self._pending[fd] = answers, over
        self._poller.modify(fd, OUT)

    def _flush(self, fd: int) -> None:
        answers, over = self._pending[fd]
        try:
            sent = os.write(fd, answers)
        except BlockingIOError:
            return
        except OSError as error:
            self._drop(fd, error)
            return
        if sent != len(answers):
            self._pending[fd] = answers[sent:], over
            return
        del self._pending[fd]
        if over:
            self._finish(fd)
        else:
            self._expect(fd)

    def _finish(self, fd: int) -> None:
        """Announce the end to a peer that broke the limit."""
        try:
            half_close(fd, socket.SHUT_WR)
        except OSError as error:
            self._drop(fd, error)
            return
        self._discarding.add(fd)
        self._deadlines[fd] = time.monotonic() + LINGER
        self._poller.modify(fd, DOOR)

    def _discard(self, fd: int) -> None:
        try:
            if not os.read(fd, MANY):
                self._drop(fd)
        except OSError as error:
            self._failed(fd, error)

    def _failed(self, fd: int, error: OSError) -> None:
        """A read failed: with nothing to read, which happens, or for good."""
        if not isinstance(error, BlockingIOError):
            self._drop(fd, error)

    def _drop(self, fd: int, error: OSError | None = None) -> None:
        if error is not None:
            log.debug("connection lost: %s", error.strerror)
        self._poller.unregister(fd)
        os.close(fd)
        self._open.discard(fd)
        self._unfinished.pop(fd, None)
        self._pending.pop(fd, None)
        self._discarding.discard(fd)
        self._deadlines.pop(fd, None)
        if self._door in self._deadlines:
            self._accept_again()

    def _accept(self) -> None:
        """Take in everybody who waits; stop accepting for a while when there is no descriptor left."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    if not self._exhausted:
                        log.warning("no more connections for now: %s", error.strerror)
                    self._exhausted = True
                    self._poller.unregister(self._door)
                    self._deadlines[self._door] = time.monotonic() + RETRY
                    return
                log.debug("a connection ended before it was accepted: %s", error.strerror)
                continue
            self._exhausted = False
            fd = connection.detach()
            os.set_blocking(fd, False)
            self._open.add(fd)
            self._poller.register(fd, IN | self._edges)

    def _accept_again(self) -> None:
        del self._deadlines[self._door]
        self._poller.register(self._door, DOOR)

    def _stop(self) -> None:
        """Take in who waits, and have every connection end after what has come from it by now."""
        if self._bell in self._deadlines:
            return
        if self._door in self._deadlines:
            self._accept_again()
        self._accept()
        if self._deadlines.pop(self._door, None) is None:
            self._poller.unregister(self._door)
        self._door = -1
        self._listener.close()
        self._deadlines[self._bell] = time.monotonic() + self._grace
        for fd in self._open:
            with contextlib.suppress(OSError):  # already reset: the loop hears of it by itself
                half_close(fd, socket.SHUT_RD)

    def _until_next(self) -> float:
        return max(min(self._deadlines.values()) - time.monotonic(), 0) * self._units

    def _expire(self) -> None:
        now = time.monotonic()
        for fd in [fd for fd, when in self._deadlines.items() if when <= now]:
            if fd == self._door:
                self._accept_again()
            elif fd == self._bell:
                log.warning("%d connections did not take their answers in time", len(self._open))
                for late in [*self._open]:
                    self._drop(late)
            else:
                self._drop(fd)


def endless(poller: select.epoll) -> Callable[[], Sequence[tuple[int, int]]]:
    """The way to wait without end on epoll that costs least: room for so few events that Python has it at hand."""
    return partial(poller.poll, None, EVENTS)


def half_close(fd: int, how: int) -> None:
    """Shut one direction of the connection behind a descriptor; raises OSError when it is gone."""
    connection = socket.socket(fileno=fd)
    try:
        connection.shutdown(how)
    finally:
        connection.detach()

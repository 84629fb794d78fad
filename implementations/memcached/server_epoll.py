"""memcached on plain epoll: one thread, one read and one write for all that a wake-up brings from a peer.

Knows descriptors. Must not know the protocol beyond a conversation's methods. A peer that does not take its answers is not
read from until it has.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections.abc import Iterator

from implementations.memcached import datagrams
from implementations.memcached.core import Conversation
from implementations.memcached.listening import EXHAUSTED, RETRY, TOO_MANY, Bell, Door, address
from implementations.memcached.storage import Cache

log = logging.getLogger("memcached")

#: Octets that one read asks for: after short ones (Python has room for so few without asking the C library), after a
#: longer one, and at most for a data block.
FEW, MANY, BLOCK = 448, 16 << 10, 256 << 10
#: So many short reads follow a longer one before the next asks for few: a segment that is cut by a read costs two answers.
CALM = 64
#: Events, and datagrams, that one wake-up brings at most.
EVENTS = 64
IN, OUT = select.EPOLLIN, select.EPOLLOUT
#: Octets of a longest datagram.
_DATAGRAM_MAX = 65_535


class EpollServer:
    """Serves what a door lets in until the bell rings."""

    def __init__(self, door: Door, cache: Cache, bell: Bell) -> None:
        self._door = door
        self._cache = cache
        self._bell = bell
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._conversations: dict[int, Conversation] = {}
        #: What peers have not taken; nothing where there is more to be made once they can take it.
        self._unsent: dict[int, memoryview] = {}
        #: While no descriptors are left: how long to wait for one, and until when.
        self._patience: float | None = None
        self._retry_at = 0.0
        self._epoll.register(door.stream, IN)
        self._epoll.register(bell, IN)
        if door.datagram is not None:
            self._epoll.register(door.datagram, IN)
        cache.peers = self._peers

    def run(self) -> None:
        """Serve; returns when asked to end, with everything closed."""
        try:
            self._serve()
        finally:
            for peer in self._sockets.values():
                peer.close()
            self._epoll.close()
            self._door.close()

    def _serve(self) -> None:  # noqa: C901, PLR0912, PLR0915 - the one loop that pays for each call it would be divided by
        # Every name of the loop is a local one: this is where the time goes.
        poll, read, write, conversations = self._epoll.poll, os.read, os.write, self._conversations
        cache, unsent, bell = self._cache, self._unsent, self._bell.fileno()
        few, many, size_of = FEW, MANY, len
        room, calm = few, 0
        while True:
            ready = poll(self._patience, EVENTS)
            cache.tick()
            taken = given = 0
            for fd, _ in ready:
                conversation = conversations.get(fd)
                if conversation is None or fd in unsent:
                    if fd == bell:
                        return
                    self._attend(fd, conversation)
                    continue
                try:
                    octets = read(fd, room)
                except OSError as error:
                    self._failed(fd, error)
                    continue
                size = size_of(octets)
                if not size:
                    self._drop(fd)
                    continue
                taken += size
                try:
                    answer = conversation.receive(octets)
                except Exception:  # a mistake of this program's costs the peer that met it, and nobody else
                    log.exception("a conversation failed")
                    self._drop(fd)
                    continue
                if answer:
                    try:
                        sent = write(fd, answer)
                    except OSError as error:
                        self._failed(fd, error, answer)
                        continue
                    given += sent
                    if sent != size_of(answer):
                        self._hold(fd, answer, sent)
                        continue
                if conversation.more or conversation.closing:
                    self._after_answers(fd, conversation)
                if size >= few:
                    room, calm = many, CALM
                elif calm:
                    calm -= 1
                else:
                    room = few
                if not conversation.idle and conversation.wanted > many:
                    room = min(conversation.wanted, BLOCK)
            cache.counters.bytes_read += taken
            cache.counters.bytes_written += given
            self._accept_when_due()

    def _attend(self, fd: int, conversation: Conversation | None) -> None:
        """See to whatever is not octets from a peer."""
        if conversation is not None:
            self._flush(fd, conversation)
        elif fd == self._door.stream.fileno():
            self._accept()
        elif self._door.datagram is not None and fd == self._door.datagram.fileno():
            self._answer_datagrams(self._door.datagram)

    def _flush(self, fd: int, conversation: Conversation) -> None:
        """Send what is left, or what there is more of."""
        octets = self._unsent.pop(fd) or memoryview(conversation.resume())
        try:
            sent = os.write(fd, octets)
        except OSError as error:
            self._failed(fd, error, octets)
            return
        self._cache.counters.bytes_written += sent
        if sent != len(octets):
            self._hold(fd, octets, sent)
            return
        if not conversation.more and not conversation.closing:
            self._epoll.modify(fd, IN)
        self._after_answers(fd, conversation)

    def _after_answers(self, fd: int, conversation: Conversation) -> None:
        """All answers are sent: make more of them when the peer can take them again, or end."""
        if conversation.more:
            self._hold(fd, b"", 0)
        elif conversation.closing:
            self._drop(fd)

    def _hold(self, fd: int, octets: bytes | memoryview, sent: int) -> None:
        """Keep what the peer does not take, and wait for that alone."""
        self._unsent[fd] = memoryview(octets)[sent:]
        self._epoll.modify(fd, OUT)

    def _failed(self, fd: int, error: OSError, octets: bytes | memoryview = b"") -> None:
        """A call failed: for now, or for good."""
        if not isinstance(error, BlockingIOError):
            log.debug("connection lost: %s", error.strerror)
            self._drop(fd)
        elif octets:
            self._hold(fd, octets, 0)

    def _drop(self, fd: int) -> None:
        self._epoll.unregister(fd)
        self._sockets.pop(fd).close()
        del self._conversations[fd]
        self._unsent.pop(fd, None)
        self._cache.connections -= 1
        self._retry_at = 0.0

    def _accept(self) -> None:
        """Take in everybody who waits; say so to those for whom there is no room."""
        cache = self._cache
        while True:
            try:
                peer, _ = self._door.stream.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    log.warning("no more connections for now: %s", error.strerror)
                    cache.counters.listen_disabled += 1
                    self._epoll.unregister(self._door.stream)
                    self._patience = RETRY
                    self._retry_at = time.monotonic() + RETRY
                    return
                log.debug("a connection ended before it was accepted: %s", error.strerror)
                continue
            peer.settimeout(0)
            if cache.connections >= cache.limits.connections:
                cache.counters.rejected_connections += 1
                refuse(peer)
                continue
            cache.counters.total_connections += 1
            cache.connections += 1
            fd = peer.fileno()
            self._sockets[fd] = peer
            self._conversations[fd] = Conversation(cache)
            self._epoll.register(fd, IN)

    def _accept_when_due(self) -> None:
        """Accept again, some time after descriptors had run out, or as soon as one is free."""
        if self._patience is not None and time.monotonic() >= self._retry_at:
            self._patience = None
            self._epoll.register(self._door.stream, IN)

    def _answer_datagrams(self, door: socket.socket) -> None:
        for _ in range(EVENTS):
            try:
                request, peer = door.recvfrom(_DATAGRAM_MAX)
                self._cache.counters.bytes_read += len(request)
                for datagram in datagrams.answer(self._cache, request):
                    self._cache.counters.bytes_written += door.sendto(datagram, peer)
            except BlockingIOError:
                return  # nothing more has come, or the kernel takes no more: datagrams may be lost
            except OSError as error:
                log.debug("a datagram was lost: %s", error.strerror)

    def _peers(self) -> Iterator[tuple[str, object]]:
        yield f"{self._door.stream.fileno()}:addr", f"tcp:{address(self._door.stream.getsockname())}"
        yield f"{self._door.stream.fileno()}:state", "conn_listening"
        for fd, peer in self._sockets.items():
            try:
                name = address(peer.getpeername())
            except OSError:
                continue  # gone by now
            yield f"{fd}:addr", f"tcp:{name}"
            yield f"{fd}:listen_addr", f"tcp:{address(peer.getsockname())}"
            yield f"{fd}:state", "conn_write" if fd in self._unsent else "conn_read"


def refuse(peer: socket.socket) -> None:
    """Tell a peer that there are too many, and hang up."""
    try:
        peer.send(TOO_MANY)
    except OSError as error:
        log.debug("a peer left before it was refused: %s", error.strerror)
    peer.close()


def serve(door: Door, cache: Cache) -> None:
    """Serve until SIGTERM or SIGINT."""
    EpollServer(door, cache, Bell()).run()

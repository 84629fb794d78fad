"""memcached on asyncio: a BufferedProtocol for each peer, one buffer for all.

asyncio's own buffer of 256 KiB would be mapped and unmapped with every read. Knows asyncio. Must not know the protocol
beyond a conversation's methods. A peer that does not take its answers is not read from until it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import cast

from implementations.memcached import datagrams
from implementations.memcached.core import ANSWER_MAX, Conversation
from implementations.memcached.listening import BACKLOG, ENDS, TOO_MANY, Door, address, let_ends_come
from implementations.memcached.storage import Cache

log = logging.getLogger("memcached")

#: Octets that one read brings at most.
READ_MAX = 16 << 10


class Office:
    """What the connections of one server share: the cache, a buffer, and who is connected."""

    def __init__(self, cache: Cache, loop: asyncio.AbstractEventLoop) -> None:
        self.cache = cache
        self.loop = loop
        self.buffer = memoryview(bytearray(READ_MAX))
        self.transports: dict[int, asyncio.Transport] = {}

    def peers(self) -> Iterator[tuple[str, object]]:
        """What `stats conns` shows."""
        for number, transport in self.transports.items():
            peer = transport.get_extra_info("peername")
            if peer is None:
                continue  # it was gone before it was accepted
            yield f"{number}:addr", f"tcp:{address(peer)}"
            yield f"{number}:listen_addr", f"tcp:{address(transport.get_extra_info('sockname'))}"
            yield f"{number}:state", "conn_write" if transport.get_write_buffer_size() else "conn_read"


class Peer(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._cache = office.cache
        self._buffer = office.buffer
        self._conversation = Conversation(office.cache)
        self._transport: asyncio.Transport
        self._number = -1
        self._choked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the peer in, or tell it that there are too many."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP servers are given
        self._transport = transport
        cache = self._office.cache
        if cache.connections >= cache.limits.connections:
            cache.counters.rejected_connections += 1
            transport.write(TOO_MANY)
            transport.close()
            return
        cache.counters.total_connections += 1
        cache.connections += 1
        self._number = transport.get_extra_info("socket").fileno()
        self._office.transports[self._number] = transport
        # Whoever does not take one answer is to be asked no more before it has.
        transport.set_write_buffer_limits(high=ANSWER_MAX, low=0)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the peer."""
        if exc is not None:
            log.debug("connection lost: %s", exc)
        if self._number >= 0:
            del self._office.transports[self._number]
            self._office.cache.connections -= 1

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop knows nothing that would help
        """Where what comes is to go; it is taken out before anything else can come."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer what has come."""
        cache, conversation = self._cache, self._conversation
        cache.tick()
        answer = conversation.receive(bytes(self._buffer[:nbytes]))
        counters = cache.counters
        counters.bytes_read += nbytes
        if conversation.more or conversation.closing:
            self._send(answer)
        elif answer:
            counters.bytes_written += len(answer)
            self._transport.write(answer)

    def _send(self, answer: bytes) -> None:
        if answer:
            self._office.cache.counters.bytes_written += len(answer)
            self._transport.write(answer)
        if self._conversation.more:
            self._transport.pause_reading()
            if not self._choked:
                self._office.loop.call_soon(self._go_on)
        elif self._conversation.closing:
            self._transport.close()

    def _go_on(self) -> None:
        """Make more answers, unless the peer is gone or does not take those there are."""
        if self._choked or self._transport.is_closing():
            return
        self._office.cache.tick()
        self._send(self._conversation.resume())
        self._read_again()

    def pause_writing(self) -> None:
        """The peer takes nothing: read nothing."""
        self._choked = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has taken all."""
        self._choked = False
        if self._conversation.more:
            self._go_on()
        else:
            self._read_again()

    def _read_again(self) -> None:
        if not (self._choked or self._conversation.more or self._transport.is_closing()):
            self._transport.resume_reading()


class Datagrams(asyncio.DatagramProtocol):
    """The UDP port."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note by which way answers go."""
        # What UDP endpoints are given; before Python 3.13 its class does not say so.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer a request."""
        self._cache.tick()
        self._cache.counters.bytes_read += len(data)
        for datagram in datagrams.answer(self._cache, data):
            self._cache.counters.bytes_written += len(datagram)
            self._transport.sendto(datagram, addr)

    def error_received(self, exc: Exception) -> None:
        """Note what the kernel says of a datagram sent before."""
        log.debug("a datagram was lost: %s", exc)


async def _serve(door: Door, cache: Cache) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in ENDS:
        loop.add_signal_handler(number, ended.set)
    let_ends_come()
    office = Office(cache, loop)
    cache.peers = office.peers
    server = await loop.create_server(lambda: Peer(office), sock=door.stream, backlog=BACKLOG)
    datagram_transport: asyncio.BaseTransport | None = None
    if door.datagram is not None:
        datagram_transport, _ = await loop.create_datagram_endpoint(
            lambda: Datagrams(cache), sock=door.datagram
        )
    try:
        await ended.wait()
    finally:
        server.close()
        if datagram_transport is not None:
            datagram_transport.close()
        for transport in [*office.transports.values()]:
            transport.abort()
        await asyncio.sleep(0)  # so that connection_lost has been called


def serve(door: Door, cache: Cache) -> None:
    """Serve until SIGTERM or SIGINT."""
    asyncio.run(_serve(door, cache))

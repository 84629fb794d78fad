"""The exemplar server's sockets: one loop for TCP and UDP around the pure core.

Knows how octets and datagrams come and go, and frames (section UDP protocol). Must not know a command.
``python -m suites.memcached.exemplar_edge`` serves as the contract says.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

from lab.stack.accounts import accounts
from lab.stack.project import Lab
from suites.memcached.exemplar_auth import Guard
from suites.memcached.exemplar_framing import Framing
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store

FEATURES: Final = (
    "meta",
    "udp",
    "authentication",
    "flush-delay",
    "verbosity",
    "memory-limit",
    "noreply",
    "numbers-from-2-63",
)
RECEIVE_SIZE: Final = 1 << 16
HEADER: Final = struct.Struct("!HHHH")
#: As memcached cuts answers: a datagram with its frame header fits into a packet of Ethernet.
DATAGRAM_SIZE: Final = 1400


class Connection:
    """A client's connection: its session, and what it has not taken yet."""

    def __init__(self, sock: socket.socket, session: Framing) -> None:
        self.sock = sock
        self.session = session
        self.unsent = bytearray()


class Edge:
    """One server process.

    Attributes:
        session_class: the core; a mutant names its own.
        store_class: the items; a mutant names its own.
        unsent_limit: octets that a client has not taken, beyond which no more is read of it, and no more answers are made.
        guard_class: what asks for a password; a mutant names its own.
    """

    session_class: type[Session] = Session
    store_class: type[Store] = Store
    guard_class: type[Guard] = Guard
    unsent_limit: int = 1 << 20

    def __init__(self, configuration: dict[str, object]) -> None:
        self.store = self.store_class(
            self.clock,
            memory_limit=int(str(configuration["memory_limit"])),
            maximum_item=int(str(configuration["maximum_item"])),
        )
        self.store.maximum_connections = int(str(configuration["maximum_connections"]))
        host = str(configuration["host"])
        self.listener, self.guarded = (socket.create_server((host, 0), backlog=1024) for _ in range(2))
        self.listener.settimeout(0)
        self.guarded.settimeout(0)
        user = next(iter(accounts(Lab.here(Path.cwd())).values()))
        self.credentials = f"{user.name} {user.password}".encode()
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind((host, 0))
        self.datagrams.settimeout(0)
        self.selector = selectors.DefaultSelector()
        self.connections: set[Connection] = set()

    def clock(self) -> int:
        """The Unix time."""
        return int(time.time())

    def serve(self) -> None:
        """Say where it listens, and serve until SIGTERM or the end of standard input."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.selector.register(self.guarded, selectors.EVENT_READ)
        self.selector.register(self.datagrams, selectors.EVENT_READ)
        self.selector.register(sys.stdin, selectors.EVENT_READ)
        sockets = {"plain": self.listener, "auth": self.guarded, "udp": self.datagrams}
        ready = {name: sock.getsockname()[1] for name, sock in sockets.items()}
        sys.stdout.write(json.dumps({"ready": ready}) + "\n")
        sys.stdout.flush()
        while True:
            for key, events in self.selector.select():
                if isinstance(key.data, Connection):
                    self.on_event(key.data, events)
                elif key.fileobj is self.listener:
                    self.accept(self.listener, self.session_class(self.store))
                elif key.fileobj is self.guarded:
                    inner = self.session_class(self.store)
                    self.accept(self.guarded, self.guard_class(self.store, inner, self.credentials))
                elif key.fileobj is self.datagrams:
                    self.on_datagram()
                elif not os.read(sys.stdin.fileno(), 4096):
                    return

    def accept(self, listener: socket.socket, session: Framing) -> None:
        """Take a client, while there is room for one more."""
        try:
            sock, _ = listener.accept()
        except OSError:
            return  # it has left already
        if len(self.connections) >= self.store.maximum_connections:
            sock.close()
            return
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, session)
        self.connections.add(connection)
        self.store.connections = len(self.connections)
        self.store.counts["total_connections"] += 1
        self.selector.register(sock, selectors.EVENT_READ, connection)

    def on_event(self, connection: Connection, events: int) -> None:
        """Read what has come, and send what is to be sent."""
        try:
            if events & selectors.EVENT_READ:
                octets = connection.sock.recv(RECEIVE_SIZE)
                if not octets:
                    self.drop(connection)
                    return
                self.store.counts["bytes_read"] += len(octets)
                connection.unsent += connection.session.feed(octets)
            if connection.unsent:
                sent = self.send(connection)
                self.store.counts["bytes_written"] += sent
            while connection.session.held and len(connection.unsent) < self.unsent_limit:
                connection.unsent += connection.session.feed(b"")
        except BlockingIOError:
            pass
        except OSError:
            self.drop(connection)
            return
        if connection.session.closed and not connection.unsent:
            self.drop(connection)
            return
        wanted = selectors.EVENT_WRITE if connection.unsent else 0
        full = connection.session.held or len(connection.unsent) >= self.unsent_limit
        if not full and not connection.session.closed:
            wanted |= selectors.EVENT_READ
        self.selector.modify(connection.sock, wanted, connection)

    def send(self, connection: Connection) -> int:
        """Send what the client takes; how much that was."""
        sent = connection.sock.send(connection.unsent)
        del connection.unsent[:sent]
        return sent

    def drop(self, connection: Connection) -> None:
        """Let a client go."""
        self.selector.unregister(connection.sock)
        connection.sock.close()
        self.connections.discard(connection)
        self.store.connections = len(self.connections)

    # datagrams

    def on_datagram(self) -> None:
        """Answer a request that came in one datagram."""
        try:
            datagram, address = self.datagrams.recvfrom(RECEIVE_SIZE)
        except OSError:
            return  # the answer to an earlier one came back
        if not self.whole_request(datagram):
            return
        request = HEADER.unpack_from(datagram)[0]
        session = self.session_class(self.store)
        answer = session.feed(datagram[HEADER.size :])
        if session.held:
            return  # an answer beyond all measure: delivery is not guaranteed
        for frame in self.frames(request, answer):
            try:
                self.datagrams.sendto(frame, address)
            except OSError:
                return  # delivery is not guaranteed

    def whole_request(self, datagram: bytes) -> bool:
        """Whether it has a frame header and is not one of several."""
        return len(datagram) > HEADER.size and HEADER.unpack_from(datagram)[2] == 1

    def frames(self, request: int, answer: bytes) -> list[bytes]:
        """An answer in datagrams."""
        size = DATAGRAM_SIZE - HEADER.size
        pieces = [answer[start : start + size] for start in range(0, len(answer), size)]
        return [HEADER.pack(request, number, len(pieces), 0) + piece for number, piece in enumerate(pieces)]


def serve(edge: type[Edge]) -> None:
    """Read the configuration, and serve."""
    edge(json.loads(sys.stdin.readline())).serve()


if __name__ == "__main__":
    serve(Edge)

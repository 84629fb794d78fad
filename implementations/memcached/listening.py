"""What both drivers need of the operating system: sockets that listen, signals that end, room for connections.

Knows sockets and signals. Must not know the protocol.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import resource
import signal
import socket
from dataclasses import dataclass
from types import FrameType

BACKLOG = 1024
TOO_MANY = b"ERROR Too many open connections\r\n"
#: What `accept` says when descriptors or memory have run out.
EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: Seconds without accepting then.
RETRY = 0.5
#: The signals that ask a server to end.
ENDS = (signal.SIGTERM, signal.SIGINT)
#: Descriptors that a process needs beside its connections.
_SPARE = 32


class Failure(Exception):
    """The server cannot do what it was started for; the message says why, and what to do."""


@dataclass(frozen=True)
class Door:
    """Where a server listens: for connections, and for datagrams when it does."""

    stream: socket.socket
    datagram: socket.socket | None

    def close(self) -> None:
        """Listen no longer."""
        self.stream.close()
        if self.datagram is not None:
            self.datagram.close()


def open_door(host: str, port: int, udp_port: int | None) -> Door:
    """Listen; port 0 lets the kernel choose, None opens no UDP port. Raises Failure."""
    stream = _bound(host, port, socket.SOCK_STREAM)
    # Accepted sockets inherit it: an answer never waits for the acknowledgement of the one before.
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.listen(BACKLOG)
    try:
        datagram = None if udp_port is None else _bound(host, udp_port, socket.SOCK_DGRAM)
    except Failure:
        stream.close()
        raise
    return Door(stream, datagram)


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise Failure(f"{host!r}: no such interface or name") from error
    family, _, _, _, address = found[0]
    bound = socket.socket(family, kind)
    try:
        bound.settimeout(0)
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        remedy = "; port 0 takes a free one" if error.errno == errno.EADDRINUSE else ""
        raise Failure(f"{host}:{port}: {error.strerror}{remedy}") from error
    return bound


def make_room(connections: int) -> None:
    """Have the kernel allow as many descriptors as connections need, as far as this process may say so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + _SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with contextlib.suppress(ValueError, OSError):  # then accept() finds the limit, which is provided for
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def address(name: tuple[str, int]) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    host, port = name[:2]
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).version == 6:
            host = f"[{host}]"
    return f"{host}:{port}"


def hold_ends_back() -> None:
    """Have SIGTERM and SIGINT wait until somebody listens for them, and spare threads that are started from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)


def let_ends_come() -> None:
    """Somebody listens now."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)


class Bell:
    """Becomes readable when SIGTERM or SIGINT asks the process to end."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.settimeout(0)
        for number in ENDS:
            signal.signal(number, self._ring)
        let_ends_come()

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._reader.fileno()

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(BlockingIOError):
            self._writer.send(b"\0")

"""Where a peer can be reached.

Knows addresses and how to open a socket to one with a deadline. Must not know
what is spoken there.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Literal

Transport = Literal["tcp", "udp"]
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, a port and the transport that is served there."""

    host: str
    port: int
    transport: Transport = "tcp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read ``host:port`` or ``[v6]:port``.

        Raises:
            ValueError: the text has no port, or the port is no number from 1 to 65535.
        """
        host, separator, port_text = text.rpartition(":")
        host = host.strip("[]")
        if not separator or not host or not port_text.isascii() or not port_text.isdigit():
            message = f"{text!r} is not HOST:PORT (for example 127.0.0.1:2525)"
            raise ValueError(message)
        port = int(port_text)
        if not 1 <= port <= HIGHEST_PORT:
            message = f"port {port} is outside 1 to {HIGHEST_PORT}"
            raise ValueError(message)
        return cls(host, port)

    def connect(self, timeout: float) -> socket.socket:
        """Open a TCP connection; small segments leave at once.

        Args:
            timeout: seconds for the connection, and afterwards for each call on the socket.

        Raises:
            OSError: refused, unreachable, or not answered in time.
        """
        sock = socket.create_connection((self.host, self.port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def listen(host: str = "127.0.0.1", backlog: int = 64) -> socket.socket:
    """A listening TCP socket on a port chosen by the kernel."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, backlog=backlog)


def endpoint_of(listener: socket.socket) -> Endpoint:
    """The endpoint a listening socket is reachable at."""
    host, port = listener.getsockname()[:2]
    return Endpoint(str(host), int(port))

"""A client that asks and does not read.

Knows sockets. Judges nothing.
"""

from __future__ import annotations

import contextlib
import socket

#: Seconds without an octet taken, after which the other end is held to be full.
FULL = 0.5


def ask_until_full(client: socket.socket, piece: bytes, offered: int) -> int:
    """Send a piece again and again, reading nothing, until nothing is taken for a while; how many octets were taken."""
    # a small window, so that little lies in the kernel; a smaller one would make the reading slow
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
    client.settimeout(FULL)
    sent = 0
    try:
        while sent < offered:
            sent += client.send(piece[sent % len(piece) :])
    except TimeoutError:
        pass
    return sent


def drain(client: socket.socket) -> bytes:
    """Read to the end of the stream, whatever that is."""
    said: list[bytes] = []
    with contextlib.suppress(ConnectionError):
        while octets := client.recv(1 << 20):
            said.append(octets)
    return b"".join(said)

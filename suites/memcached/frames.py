"""Frames of the UDP protocol, as the raw driver sends and reads them, and as clients send them (section UDP protocol).

Knows the eight octets before each payload. Must not know what a payload says.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, replace

from lab.wire.endpoint import Endpoint, endpoint_of
from lab.wire.transcript import Transcript

HEADER = struct.Struct("!HHHH")
DATAGRAM_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Frame:
    """One datagram, taken apart."""

    request: int
    sequence: int
    total: int
    reserved: int
    payload: bytes


def taken_apart(datagram: bytes) -> Frame:
    """The frame of a datagram.

    Raises:
        AssertionError: it has no whole header.
    """
    assert len(datagram) >= HEADER.size, f"a datagram without a whole header: {datagram!r}"
    request, sequence, total, reserved = HEADER.unpack_from(datagram)
    return Frame(request, sequence, total, reserved, datagram[HEADER.size :])


class Inbox:
    """A UDP socket that a client under test takes for a server; it answers nothing, and everything is recorded."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(0)

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return replace(endpoint_of(self._sock), transport="udp")

    def taken(self) -> list[bytes]:
        """The datagrams that have come; what a process has sent to this machine is there when it has gone on."""
        datagrams: list[bytes] = []
        with suppress(BlockingIOError):
            while True:
                datagrams.append(self._sock.recv(DATAGRAM_LIMIT))
                self._transcript.record("client", "data", datagrams[-1])
        return datagrams

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


class Datagrams:
    """A UDP socket of the driver's, connected to a server; everything is recorded."""

    def __init__(self, endpoint: Endpoint, transcript: Transcript, *, timeout: float = 3.0) -> None:
        self.transcript = transcript
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sock.connect((endpoint.host, endpoint.port))
        self._sock.settimeout(timeout)
        transcript.record("client", "open", str(endpoint).encode())

    def send(self, datagram: bytes) -> None:
        """Send a datagram as it is."""
        self._sock.send(datagram)
        self.transcript.record("client", "data", datagram)

    def ask(self, request: int, payload: bytes) -> None:
        """Send a request in one frame."""
        self.send(HEADER.pack(request, 0, 1, 0) + payload)

    def receive(self) -> Frame:
        """The next datagram.

        Raises:
            AssertionError: none came in time, or it has no whole header.
        """
        try:
            datagram = self._sock.recv(DATAGRAM_LIMIT)
        except TimeoutError as error:
            raise AssertionError("no datagram came in time") from error
        self.transcript.record("server", "data", datagram)
        return taken_apart(datagram)

    def answer(self) -> list[Frame]:
        """All the datagrams of one answer, in their order of arrival."""
        frames = [self.receive()]
        while len(frames) < frames[0].total:
            frames.append(self.receive())
        return frames

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

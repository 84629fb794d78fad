"""A connection to one memcached server: get, set and flush in the text protocol, with deadlines.

Knows what the book's programs need of the protocol, and no more. Must not know a program.
"""

from __future__ import annotations

import re
import socket
from types import TracebackType
from typing import NamedTuple, Self

LINE_LIMIT = 2048
#: Control characters, white space and more than 250 octets are not for keys.
_KEY = re.compile(rb"[^\x00-\x20\x7f]{1,250}")
_VALUE = re.compile(rb"VALUE (?P<key>[^ ]+) \d+ (?P<length>\d{1,9})")


class Server(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"


class MemcachedError(Exception):
    """The server cannot be used as it should; the text is the line that the user sees."""


class Connection:
    """A connection to a server; opened when it is made, closed as a context manager.

    Args:
        server: where it listens.
        timeout: seconds for each step.

    Raises:
        MemcachedError: it cannot be reached.
    """

    def __init__(self, server: Server, timeout: float) -> None:
        self.server = server
        try:
            self._sock = socket.create_connection(server, timeout)
        except (OSError, UnicodeError) as error:
            raise MemcachedError(f"{server}: {_told(error)}") from error
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None. Raises MemcachedError when the answer is none to the question."""
        self._send(b"get %b\r\n" % _checked(key))
        line = self._line()
        if line == b"END":
            return None
        match = _VALUE.fullmatch(line)
        if match is None or match["key"] != key:
            raise self._unexpected(line)
        data = self._exactly(int(match["length"]) + 2)
        end = self._line()
        if not data.endswith(b"\r\n") or end != b"END":
            raise self._unexpected(data[-2:] + end)
        return data[:-2]

    def set(self, key: bytes, value: bytes) -> None:
        """Store a value under a key. Raises MemcachedError when the server does not."""
        self._send(b"set %b 0 0 %d\r\n%b\r\n" % (_checked(key), len(value), value))
        line = self._line()
        if line != b"STORED":
            raise self._unexpected(line)

    def _send(self, octets: bytes) -> None:
        try:
            self._sock.sendall(octets)
        except OSError as error:
            raise MemcachedError(f"{self.server}: {_told(error)}") from error

    def _receive(self) -> None:
        try:
            octets = self._sock.recv(65536)
        except OSError as error:
            raise MemcachedError(f"{self.server}: {_told(error)}") from error
        if not octets:
            raise MemcachedError(
                f"{self.server}: the server closed the connection in the middle of an answer"
            )
        self._received += octets

    def _line(self) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            if len(self._received) > LINE_LIMIT:
                raise self._unexpected(bytes(self._received[:40]))
            self._receive()
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        return line

    def _exactly(self, count: int) -> bytes:
        while len(self._received) < count:
            self._receive()
        octets = bytes(self._received[:count])
        del self._received[:count]
        return octets

    def _unexpected(self, line: bytes) -> MemcachedError:
        return MemcachedError(f"{self.server}: the server answered {line[:80]!r}")


def _checked(key: bytes) -> bytes:
    if not _KEY.fullmatch(key):
        raise MemcachedError(f"{key[:40]!r} can be no key: 1 to 250 octets without white space")
    return key


def _told(error: OSError | UnicodeError) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, UnicodeError):
        return "that can be no host's name"
    return error.strerror or str(error)

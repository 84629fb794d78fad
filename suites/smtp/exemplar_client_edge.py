"""The exemplar client's sockets and TLS, and the JSON lines by which a run asks it to send.

Knows how octets come and go. Must not know any command of SMTP.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import time

from lab.judge.host import decode, encode
from suites.smtp.exemplar_client import Client
from suites.smtp.exemplar_talk import Garbled, Lost

REPLY_LINE_LIMIT = 65536


class SocketChannel:
    """A ``Channel`` over TCP."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.received = bytearray()
        self.timeout = 0.0
        self.ca_file: str | None = None

    @property
    def secured(self) -> bool:
        """Whether TLS is on."""
        return isinstance(self.sock, ssl.SSLSocket)

    @property
    def local_address(self) -> str:
        """The client's own address."""
        return str(self.opened().getsockname()[0])

    def opened(self) -> socket.socket:
        """The socket; Lost before ``connect``."""
        if self.sock is None:
            raise Lost("there is no connection")
        return self.sock

    def connect(self, host: str, port: int, timeout: float, ca_file: str | None) -> None:
        """Open the connection."""
        self.timeout, self.ca_file = timeout, ca_file
        try:
            self.sock = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise Lost(f"no connection: {error}") from error
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def tls_context(self) -> ssl.SSLContext:
        """TLS 1.2 or later; chain and name of the certificate are checked (RFC 8314, section 3.3)."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def start_tls(self, host: str) -> None:
        """The handshake; what came in the clear is dropped (RFC 3207, section 4.2)."""
        self.received.clear()
        sock = self.opened()
        sock.settimeout(self.timeout)
        try:
            self.sock = self.tls_context().wrap_socket(sock, server_hostname=host)
        except OSError as error:
            raise Lost(f"TLS could not be started: {error}") from error

    def send(self, octets: bytes) -> None:
        """Send all."""
        sock = self.opened()
        sock.settimeout(self.timeout)
        try:
            sock.sendall(octets)
        except OSError as error:
            raise Lost(f"the connection is lost: {error}") from error

    def find_line_end(self) -> tuple[int, int]:
        """Where the next line ends and the one behind it begins; -1 when no end has come."""
        found = self.received.find(b"\r\n")
        return found, found + 2

    def read_line(self) -> bytes:
        """The next line without its CRLF."""
        deadline = time.monotonic() + self.timeout
        while (ends := self.find_line_end())[0] < 0:
            if len(self.received) > REPLY_LINE_LIMIT:
                raise Garbled("a reply line without end")
            self.receive_more(deadline)
        line = bytes(self.received[: ends[0]])
        del self.received[: ends[1]]
        return line

    def receive_more(self, deadline: float) -> None:
        """Wait for octets until the deadline."""
        sock = self.opened()
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            octets = sock.recv(65536)
        except TimeoutError as error:
            raise Lost("no reply in time") from error
        except OSError as error:
            raise Lost(f"the connection is lost: {error}") from error
        if not octets:
            raise Lost("the server closed the connection")
        self.received += octets

    def close(self) -> None:
        """Close, with TLS's alert first (RFC 8314, section 3.4)."""
        if self.sock is None:
            return
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.settimeout(0)
            # the alert is out with the first call; the other end's own need not be waited for
            with contextlib.suppress(OSError, ValueError):
                self.sock.unwrap()
        self.sock.close()
        self.sock = None


class Exemplar:
    """What a run drives: each call is a connection of its own.

    Attributes:
        client_class, channel_class: the parts; a mutant names its own.
    """

    client_class: type[Client] = Client
    channel_class: type[SocketChannel] = SocketChannel

    def answer(self, request: dict[str, object]) -> dict[str, object]:
        """One JSON request to its answer; whatever escapes ends the process, so that a crash is seen as one."""
        arguments = decode(request["arguments"])
        if request["call"] != "send" or not isinstance(arguments, dict):
            raise ValueError(f"no such operation: {request['call']}")
        report = self.client_class(self.channel_class()).send(**arguments)
        answer = encode(report)
        if not isinstance(answer, dict):
            raise TypeError("a report is an object")
        return answer


def serve(exemplar: type[Exemplar]) -> None:
    """Answer requests on standard input until there are no more."""
    instance = exemplar()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(instance.answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Exemplar)

"""The raw driver's SMTP: what a case says to a server under test, octet for octet.

Knows commands and the order in which they usually come. It mends nothing and hides
nothing: a case may send what it likes in between.
"""

from __future__ import annotations

import base64
import contextlib
import ssl

from lab.wire.stream import Ended, RecordedStream
from suites.smtp.message import SENDER, stuff
from suites.smtp.replies import Reply, read_reply, split_replies

DRIVER_NAME = "driver.lab.example"
#: The command that opens a transaction.
MAIL = f"MAIL FROM:<{SENDER}>"


class SmtpSession:
    """One connection of the driver to a server; the greeting is read when it is opened.

    Attributes:
        greeting: the server's first reply.
        extensions: keyword → its parameters, from the latest EHLO reply.
    """

    def __init__(
        self, stream: RecordedStream, *, tls: ssl.SSLContext | None = None, server_name: str = "localhost"
    ) -> None:
        self.stream = stream
        self._tls = tls
        self._server_name = server_name
        self.extensions: dict[str, list[str]] = {}
        self.greeting = read_reply(stream)

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.stream.send(octets)

    def reply(self, *, timeout: float | None = None) -> Reply:
        """The next reply."""
        return read_reply(self.stream, timeout=timeout)

    def replies(self, count: int) -> list[Reply]:
        """The next ``count`` replies."""
        return [self.reply() for _ in range(count)]

    def command(self, line: str | bytes) -> Reply:
        """Send a line, CRLF added, and read its reply."""
        octets = line.encode() if isinstance(line, str) else line
        self.send(octets + b"\r\n")
        return self.reply()

    def expect(self, code: int, line: str | bytes) -> Reply:
        """A command whose reply has to be ``code`` for the case to make sense."""
        reply = self.command(line)
        assert reply.code == code, f"{line!r} was answered {reply}, not {code}"
        return reply

    def ehlo(self, name: str = DRIVER_NAME) -> Reply:
        """EHLO; the extensions are remembered."""
        reply = self.expect(250, f"EHLO {name}")
        self.extensions = {}
        for line in reply.lines[1:]:
            keyword, *parameters = line.split(" ")
            self.extensions[keyword.upper()] = parameters
        return reply

    def mail(self, sender: str = SENDER, *parameters: str) -> Reply:
        """MAIL FROM that has to be accepted."""
        return self.expect(250, " ".join([f"MAIL FROM:<{sender}>", *parameters]))

    def rcpt(self, recipient: str, *parameters: str) -> Reply:
        """RCPT TO that has to be accepted."""
        return self.expect(250, " ".join([f"RCPT TO:<{recipient}>", *parameters]))

    def data(self, content: bytes) -> Reply:
        """DATA with the content made transparent; the reply to its end."""
        return self.raw_data(stuff(content))

    def raw_data(self, octets: bytes) -> Reply:
        """DATA with exactly these octets after the 354, the final dot included; the reply to its end."""
        self.expect(354, "DATA")
        self.send(octets)
        return self.reply()

    def deliver(self, recipient: str, content: bytes, *parameters: str, sender: str = SENDER) -> Reply:
        """One whole transaction; the reply to the end of the data."""
        self.mail(sender, *parameters)
        self.rcpt(recipient)
        return self.data(content)

    def starttls(self) -> None:
        """STARTTLS and the handshake; what the server said before is forgotten."""
        self.expect(220, "STARTTLS")
        self.handshake()

    def handshake(self) -> None:
        """The TLS handshake alone; the session must have been given a context for it."""
        if self._tls is None:
            message = "this session was opened without a TLS context"
            raise RuntimeError(message)
        self.stream.start_tls(self._tls, server_name=self._server_name)
        self.extensions = {}

    def auth_plain(self, username: str, password: str) -> Reply:
        """AUTH PLAIN with its initial response."""
        return self.command(b"AUTH PLAIN " + plain_response(username, password))

    def quit(self) -> Reply:
        """QUIT and its reply."""
        return self.command("QUIT")

    def say_all(self, octets: bytes) -> list[Reply]:
        """Send octets and QUIT without waiting in between; every reply until the server closes.

        A server that closes early is not said the rest: what it answered is returned.

        Raises:
            Overdue: the server did not close.
        """
        with contextlib.suppress(Ended):
            self.send(octets + b"QUIT\r\n")
        return split_replies(self.stream.receive_to_end())

    def usable(self) -> bool:
        """Whether the server still answers in step: RSET with 250 (not every server knows NOOP).

        A transaction under way ends with it.
        """
        return self.command("RSET").code == 250

    def closed_by_server(self) -> bool:
        """Whether the server has closed, or does within the deadline."""
        try:
            self.stream.receive_exactly(1)
        except Ended:
            return True
        return False


def plain_response(username: str, password: str, authorize: str = "") -> bytes:
    """The response of SASL PLAIN in base64 (RFC 4616)."""
    return base64.b64encode(f"{authorize}\0{username}\0{password}".encode())

"""The exemplar client's half of a conversation: a channel, replies, and what may end it.

Knows the form of replies (RFC 5321, section 4.2) and the AUTH exchange (RFC 4954). Must not know sockets: a channel
carries its octets.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Protocol

from suites.smtp.exemplar_syntax import BadSyntax, decode_base64, prepare_name

COMMAND_LIMIT = 512
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


class Lost(Exception):
    """The conversation cannot go on: the server is gone, silent, or says what is no reply."""


class Garbled(Lost):
    """The server said what is no reply; it still listens, so QUIT can be said."""


class Unsendable(Exception):
    """A message or an address that must not go over this connection; nothing of it was sent."""


class Turned(Exception):
    """The server refused; the reply says how."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@dataclass(frozen=True)
class Reply:
    """One reply of the server."""

    code: int
    text: str

    @property
    def kind(self) -> int:
        """The first digit: what an unknown code means (RFC 5321, section 4.2)."""
        return self.code // 100


class Channel(Protocol):
    """What carries the octets."""

    @property
    def secured(self) -> bool:
        """Whether TLS is on."""

    @property
    def local_address(self) -> str:
        """The client's own address."""

    def connect(self, host: str, port: int, timeout: float, ca_file: str | None) -> None:
        """Open the connection; Lost when it cannot be opened."""

    def start_tls(self, host: str) -> None:
        """The handshake, with the certificate checked for ``host``; octets that came before are dropped.

        Raises:
            Lost: it failed; the connection is closed.
        """

    def send(self, octets: bytes) -> None:
        """Send all; Lost when nobody takes them."""

    def read_line(self) -> bytes:
        """The next line without its CRLF; Lost when it does not come in time, or is too long."""

    def close(self) -> None:
        """Close, with TLS's alert first."""


class Talk:
    """Commands and replies, one after the other.

    Attributes:
        extensions: keyword in capitals → parameters, from the latest EHLO reply.
    """

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.extensions: dict[str, list[str]] = {}

    # replies

    def read_reply(self) -> Reply:
        """The next reply, all its lines.

        Raises:
            Turned: it is 421, after which the server is gone (RFC 5321, section 3.8).
        """
        texts: list[str] = []
        while True:
            code, more, text = self.parse_line(self.channel.read_line())
            texts.append(text)
            if not more:
                break
        reply = Reply(code, "\n".join(texts))
        if code == 421:
            raise Turned(reply)
        return reply

    def parse_line(self, line: bytes) -> tuple[int, bool, str]:
        """Code, whether more lines follow, and text. The text has no meaning, and may be missing."""
        found = _REPLY_LINE.fullmatch(line)
        if found is None:
            raise Garbled(f"no reply: {line[:80]!r}")
        return int(found[1]), found[2] == b"-", (found[3] or b"").decode("utf-8", "replace")

    def command(self, line: str) -> Reply:
        """One command and its reply."""
        self.send_commands([line])
        return self.read_reply()

    def send_commands(self, lines: list[str]) -> None:
        """Command lines in one write, each with its CRLF."""
        self.channel.send(b"".join(self.line_octets(line) for line in lines))

    def line_octets(self, line: str) -> bytes:
        """A command line on the wire."""
        return line.encode() + b"\r\n"

    # AUTH

    def authenticate(self, username: str, password: str) -> None:
        """Log in with the best mechanism the server lists; after 534 with the next one.

        Raises:
            Turned: the credentials were refused.
            Unsendable: the server lists no mechanism of ours, or the name cannot be prepared.
        """
        try:
            name = self.prepared(username)
        except BadSyntax as error:
            raise Unsendable(f"the user's name cannot be sent: {error}") from error
        reply: Reply | None = None
        for mechanism in self.candidates():
            reply = self.exchange(mechanism, name, password)
            if reply.code != 534:
                break
        if reply is None:
            raise Unsendable("the server offers no mechanism to log in with")
        if not self.is_logged_in(reply):
            raise Turned(reply)

    def prepared(self, username: str) -> str:
        """The name as SASLprep makes it."""
        return prepare_name(username)

    def is_logged_in(self, reply: Reply) -> bool:
        """Whether the exchange succeeded."""
        return reply.kind == 2

    def offered(self) -> list[str]:
        """The mechanisms of the AUTH line."""
        return [word.upper() for word in self.extensions.get("AUTH", [])]

    def candidates(self) -> list[str]:
        """What to try, best first: inside TLS the plain one, which servers store passwords best for."""
        order = ["PLAIN", "CRAM-MD5", "LOGIN"] if self.channel.secured else ["CRAM-MD5", "PLAIN", "LOGIN"]
        return [mechanism for mechanism in order if mechanism in self.offered()]

    def exchange(self, mechanism: str, name: str, password: str) -> Reply:
        """One AUTH to its last reply."""
        messages = self.messages(mechanism, name, password)
        line = f"AUTH {mechanism}"
        if mechanism == "PLAIN":
            with_initial = f"{line} {self.encode(messages[0])}"
            if self.fits(with_initial):
                line = with_initial
                messages = []
        reply = self.command(line)
        while reply.code == 334:
            reply = self.answer_challenge(mechanism, reply, messages, password)
        return reply

    def fits(self, line: str) -> bool:
        """Whether a command line is not too long (RFC 4954, section 4)."""
        return len(line) + 2 <= COMMAND_LIMIT

    def messages(self, mechanism: str, name: str, password: str) -> list[bytes]:
        """What the client has to say, in order; CRAM-MD5 puts a digest behind the name."""
        if mechanism == "PLAIN":
            return [f"\0{name}\0{password}".encode()]
        return [name.encode(), password.encode()] if mechanism == "LOGIN" else [name.encode()]

    def answer_challenge(self, mechanism: str, reply: Reply, messages: list[bytes], password: str) -> Reply:
        """Answer one challenge; one that is no base64 is answered with ``*`` (RFC 4954, section 4)."""
        try:
            challenge = self.decode(reply.text.encode())
        except BadSyntax:
            challenge = None
        if challenge is None or not messages:
            refusal = self.command("*")
            raise Turned(refusal) if refusal.kind in {4, 5} else Garbled("the AUTH exchange went astray")
        message = messages.pop(0)
        if mechanism == "CRAM-MD5":
            digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
            message += b" " + digest.encode()
        return self.command(self.encode(message))

    def encode(self, message: bytes) -> str:
        """A SASL message on the wire."""
        return b64encode(message).decode() or "="

    def decode(self, text: bytes) -> bytes:
        """The octets of a challenge."""
        return decode_base64(text)

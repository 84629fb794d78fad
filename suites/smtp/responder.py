"""A scripted mail host: polite unless told otherwise.

Knows the server's side of the protocol as far as a client can see it, and keeps to any
legal order of commands, so that a case only says where this host differs. Accepts
everything; stores nothing but what came.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.wire.answers import Answer, Answers, Held, Table, give
from lab.wire.stream import RecordedStream

EHLO_DEFAULT = ("PIPELINING", "SIZE 20971520", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
LINE_LIMIT = 65536
#: A client that goes round in circles finds the connection closed after so many commands.
COMMAND_LIMIT = 400
#: What is said to commands that change nothing here.
PLAIN_ANSWERS = {
    "HELO": b"250 script.lab.example\r\n",
    "MAIL": b"250 2.0.0 fine\r\n",
    "RCPT": b"250 2.0.0 fine\r\n",
    "RSET": b"250 2.0.0 fine\r\n",
    "NOOP": b"250 2.0.0 fine\r\n",
    "VRFY": b"252 2.0.0 will try\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}


@dataclass
class Manners:
    """How the scripted host differs from a polite one.

    Attributes:
        greeting: the first octets said, or what is done instead.
        extensions: the lines after the first of the EHLO reply.
        secure_extensions: the same inside TLS (default: ``extensions`` without STARTTLS).
        answers: verb → reply octets, or a function that does as it likes with the stream; ``END`` is the end of data.
        tls: the context for STARTTLS, or for the whole connection where ``immediate_tls`` is set.
        command_limit: how many commands it hears before it closes.
        window: about so many octets the kernel holds for it in either direction, as for a small host.
    """

    greeting: Answer = b"220 script.lab.example ESMTP\r\n"
    extensions: Sequence[str] = EHLO_DEFAULT
    secure_extensions: Sequence[str] | None = None
    answers: Mapping[str, Answers] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    immediate_tls: bool = False
    command_limit: int = COMMAND_LIMIT
    window: int | None = None


class Responder:
    """Answers one client after the other; a ``ScriptedPeer`` calls it for each connection."""

    def __init__(self, manners: Manners) -> None:
        self._manners = manners

    def __call__(self, stream: RecordedStream) -> None:
        """Hold one conversation to its end."""
        _Talk(self._manners, stream).run()


class _Talk:
    def __init__(self, manners: Manners, stream: RecordedStream) -> None:
        self._manners = manners
        self._stream = stream
        self._answers = Table(manners.answers)
        self._over = False

    def run(self) -> None:
        if self._manners.immediate_tls and self._manners.tls is not None:
            self._stream.start_tls(self._manners.tls)
        self._give(self._manners.greeting)
        for _ in range(self._manners.command_limit):
            if self._over:
                return
            line = self._stream.receive_until(b"\n", limit=LINE_LIMIT)
            words = line.strip().split(b" ", 1)
            verb = words[0].decode("latin-1").upper()
            self._respond(verb, line)

    def _respond(self, verb: str, line: bytes) -> None:
        if verb == "BDAT":
            # a chunk follows its command without leave (RFC 3030, section 2)
            self._stream.receive_exactly(int(line.split()[1]))
        special = self._answers.next(verb)
        if special is not None:
            self._give(special)
            if verb == "DATA" and _opens_data(special):
                self._take_data()
            self._over = verb == "QUIT"
            return
        match verb:
            case "EHLO":
                self._give(self._ehlo())
            case "STARTTLS" if self._manners.tls is not None and not self._stream.secured:
                self._give(b"220 2.0.0 go ahead\r\n")
                self._stream.start_tls(self._manners.tls)
            case "AUTH":
                self._authenticate(line)
            case "DATA":
                self._give(b"354 end with a dot\r\n")
                self._take_data()
            case "BDAT":
                self._give(b"250 2.0.0 chunk taken\r\n")
            case _:
                self._give(PLAIN_ANSWERS.get(verb, b"502 5.5.1 not here\r\n"))
                self._over = verb == "QUIT"

    def _give(self, answer: Answer) -> None:
        give(answer, self._stream)

    def _ehlo(self) -> bytes:
        extensions = list(self._manners.extensions)
        if self._manners.tls is not None and not self._manners.immediate_tls and "STARTTLS" not in extensions:
            extensions.append("STARTTLS")
        if self._stream.secured:
            inside = self._manners.secure_extensions
            extensions = (
                [word for word in extensions if word != "STARTTLS"] if inside is None else list(inside)
            )
        return ehlo_reply(extensions)

    def _take_data(self) -> None:
        taken = b""
        while not (taken == b".\r\n" or taken.endswith(b"\r\n.\r\n")):
            taken = taken[-5:] + self._stream.receive_until(b"\n", limit=64 * 1024 * 1024)
        special = self._answers.next("END")
        self._give(b"250 2.0.0 queued\r\n" if special is None else special)

    def _authenticate(self, line: bytes) -> None:
        """Take whatever credentials are given; a case reads them from the transcript."""
        words = line.split()
        mechanism = words[1].upper() if len(words) > 1 else b""
        rounds = {
            b"PLAIN": [b""],
            b"LOGIN": [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"],
            b"CRAM-MD5": [b"PGNhc2VAbGFiPg=="],
        }
        for challenge in rounds.get(mechanism, [])[1 if len(words) > 2 else 0 :]:
            self._give(b"334 " + challenge + b"\r\n")
            if self._stream.receive_until(b"\n", limit=LINE_LIMIT).strip() == b"*":
                self._give(b"501 5.7.0 cancelled\r\n")
                return
        self._give(b"235 2.7.0 welcome\r\n")


def _opens_data(answer: Answer) -> bool:
    octets = answer.octets if isinstance(answer, Held) else answer
    return isinstance(octets, bytes) and octets.startswith(b"354")


def ehlo_reply(extensions: Sequence[str], first: str = "script.lab.example") -> bytes:
    """The reply to EHLO that lists these extensions."""
    lines = [first, *extensions]
    return b"".join(
        f"250{'-' if number < len(lines) - 1 else ' '}{line}\r\n".encode()
        for number, line in enumerate(lines)
    )

"""The exemplar server's input: from octets to command lines, message data and chunks, however they are cut.

Knows where commands, data and chunks end (RFC 5321, sections 2.3.8 and 4.1.1.4; RFC 3030, section 2) and the form
of replies. Must not know sockets, nor what any command means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

PortName = Literal["plain", "submission", "tls"]
#: More than the 512 + 26 + 10 + 500 octets a MAIL, and the 1036 a RCPT of any extension offered may have.
LINE_LIMIT = 4096
#: What a SASL response may have (RFC 4954, section 4).
RESPONSE_LIMIT = 12288


class Refused(Exception):
    """A command that is answered with this code, enhanced status code and text."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(code, status, text)
        self.code = code
        self.status = status
        self.text = text


@dataclass
class Envelope:
    """A transaction in progress.

    Attributes:
        sender: the reverse-path's mailbox; empty for the null path.
        recipients: accepted mailboxes in the order of their RCPT.
        parameters: MAIL's parameters as (KEYWORD, value).
        chunks: what BDAT has brought so far, or ``None`` before the first.
    """

    sender: str
    parameters: dict[str, str | None] = field(default_factory=dict)
    recipients: list[str] = field(default_factory=list)
    chunks: bytearray | None = None
    declared: list[str] = field(default_factory=list)

    @property
    def utf8(self) -> bool:
        """Whether MAIL had SMTPUTF8."""
        return "SMTPUTF8" in self.parameters


@dataclass(frozen=True)
class Site:
    """What a session knows of its server and of the connection.

    Attributes:
        hostname: the server's name.
        domains: for which mail is accepted.
        users: name → password.
        maximum_size: octets of the largest message.
        port: which of the ports the connection came in by.
        peer: the client's address.
        store: keeps an accepted message for good before it returns; OSError when it cannot.
    """

    hostname: str
    domains: tuple[str, ...]
    users: dict[str, str]
    maximum_size: int
    port: PortName
    peer: str
    store: Callable[[Envelope, bytes], None]


class Framing:
    """The pure core's lowest part: octets in, ``output`` and wishes out.

    Attributes:
        output: octets to be sent.
        wants_tls: the handshake is due once the output is sent.
        closing: the connection is to be closed once the output is sent.
    """

    def __init__(self, site: Site) -> None:
        self.site = site
        self.output = bytearray()
        self.wants_tls = False
        self.closing = False
        self.verb = ""
        self._input = bytearray()
        self._searched = 0
        self._too_long = False
        self._in_data = False
        self._overflow = False
        self._chunk_left: int | None = None
        self._chunk_taker: Callable[[bytes], None] = self._throw_away
        self._chunk_end: Callable[[], None] = self._nothing
        self._response_taker: Callable[[bytes | None], None] | None = None

    # input

    def receive(self, octets: bytes) -> None:
        """Take octets that came; act on all that is complete."""
        self._input += octets
        while not self.closing and not self.wants_tls and self.consume():
            pass

    def consume(self) -> bool:
        """Take one line, one end of data or a part of a chunk; False when nothing complete is there."""
        if self._chunk_left is not None:
            return self._consume_chunk()
        return self._consume_data() if self._in_data else self._consume_line()

    def find_line_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        """Where the next line's octets end and the next line begins; -1 when there is no end yet."""
        found = octets.find(b"\r\n", start)
        return found, found + 2

    def line_limit(self) -> int:
        """How many octets a line may have now."""
        return RESPONSE_LIMIT if self._response_taker is not None else LINE_LIMIT

    def _consume_line(self) -> bool:
        end, following = self.find_line_end(self._input, max(self._searched - 1, 0))
        if end < 0:
            self._searched = len(self._input)
            if len(self._input) > self.line_limit():
                # only its end is still needed, and a CR that may be half of it
                self._too_long = True
                del self._input[:-1]
                self._searched = 0
            return False
        line = bytes(self._input[:end])
        del self._input[:following]
        self._searched = 0
        too_long, self._too_long = self._too_long or end > self.line_limit(), False
        taker, self._response_taker = self._response_taker, None
        if taker is not None:
            taker(None if too_long else line)
        elif too_long:
            self.line_too_long()
        else:
            self.on_line(line)
        return True

    def line_too_long(self) -> None:
        """Answer a command line above the limit."""
        self.verb = ""
        self.reply(500, "5.5.2", "Line too long")

    def on_line(self, line: bytes) -> None:
        """Act on one command line."""
        raise NotImplementedError

    def await_response(self, taker: Callable[[bytes | None], None]) -> None:
        """Give the next line, whatever it holds, to ``taker``; ``None`` when it is too long."""
        self._response_taker = taker

    # data

    def begin_data(self) -> None:
        """What follows is message data."""
        self._in_data = True
        self._overflow = False
        self._searched = 0

    def find_data_end(self, octets: bytearray, start: int) -> tuple[int, int]:
        """Where the content ends, its last CRLF included, and what follows the dot line begins; -1: not yet."""
        if octets.startswith(b".\r\n") and not self._overflow:
            return 0, 3
        found = octets.find(b"\r\n.\r\n", start)
        return (found + 2, found + 5) if found >= 0 else (-1, -1)

    def unstuff(self, content: bytes) -> bytes:
        """Take one dot from each line that begins with one (RFC 5321, section 4.5.2)."""
        plain = content.replace(b"\r\n.", b"\r\n")
        return plain[1:] if plain.startswith(b".") else plain

    def _consume_data(self) -> bool:
        end, following = self.find_data_end(self._input, max(self._searched - 4, 0))
        if end < 0:
            self._searched = len(self._input)
            if len(self._input) > 2 * self.site.maximum_size + LINE_LIMIT:
                self._overflow = True
                del self._input[:-4]
                self._searched = 0
            return False
        content = bytes(self._input[:end])
        del self._input[:following]
        self._searched = 0
        self._in_data = False
        self.on_data(self.unstuff(content), too_large=self._overflow)
        return True

    def on_data(self, content: bytes, *, too_large: bool) -> None:
        """Act on the end of the data."""
        raise NotImplementedError

    # chunks

    def begin_chunk(self, size: int, taker: Callable[[bytes], None], end: Callable[[], None]) -> None:
        """Give the next ``size`` octets to ``taker`` in pieces, and then call ``end``."""
        self._chunk_left, self._chunk_taker, self._chunk_end = size, taker, end

    def _consume_chunk(self) -> bool:
        left = self._chunk_left or 0
        piece = bytes(self._input[:left])
        del self._input[:left]
        self._chunk_taker(piece)
        if len(piece) < left:
            self._chunk_left = left - len(piece)
            return False
        self._chunk_left = None
        self._chunk_end()
        return True

    def _throw_away(self, piece: bytes) -> None:
        """A taker of octets nobody wants."""

    def _nothing(self) -> None:
        """The end of a chunk that has no consequences."""

    @property
    def unread(self) -> bytes:
        """Octets that have come and are not yet acted upon."""
        return bytes(self._input)

    def lost(self) -> None:
        """The connection ended without QUIT: whatever was unfinished is not done (RFC 5321, section 4.1.1.10)."""

    def drop_input(self) -> None:
        """Forget octets that have come and are not yet acted upon (RFC 3207, section 4.2)."""
        self._input.clear()
        self._searched = 0

    # output

    def reply(self, code: int, status: str, *texts: str) -> None:
        """Answer; ``status`` is the enhanced status code, empty where none belongs (RFC 2034, section 4)."""
        self.output += self.reply_octets(code, [f"{status} {text}" if status else text for text in texts])

    def reply_octets(self, code: int, lines: Iterable[str]) -> bytes:
        """The reply on the wire: every line but the last has a hyphen after the code (RFC 5321, section 4.2.1)."""
        *first, last = lines
        octets = b"".join(f"{code}-{line}\r\n".encode() for line in first)
        return octets + f"{code} {last}\r\n".encode()

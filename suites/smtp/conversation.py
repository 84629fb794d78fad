"""What a client said, read from a transcript: commands, data, and the replies between.

Knows where commands end and data begins (RFC 5321, section 4.1.1; RFC 3030, section 2).
Must not trust the client: it reads the octets and the server's replies only.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from functools import cached_property

from lab.wire.transcript import Transcript
from suites.smtp.replies import Reply, parse_reply


@dataclass(frozen=True, slots=True)
class Command:
    """One command line.

    Attributes:
        line: its octets without the line end.
        ending: the line end as it came.
        after_tls: whether it came inside TLS.
    """

    line: bytes
    ending: bytes
    after_tls: bool

    @property
    def verb(self) -> str:
        """The first word in capitals."""
        return self.line.split(b" ", 1)[0].decode("latin-1").upper()

    @property
    def argument(self) -> bytes:
        """What follows the first space."""
        return self.line.partition(b" ")[2]

    @property
    def parameters(self) -> dict[str, str]:
        """ESMTP parameters after the path of MAIL or RCPT: KEYWORD → value."""
        rest = re.sub(rb'^(FROM|TO):\s*<("(\\.|[^"\\])*"|[^>"])*>', b"", self.argument, flags=re.IGNORECASE)
        pairs = [word.partition("=") for word in rest.decode("latin-1").split()]
        return {keyword.upper(): value for keyword, _, value in pairs}

    def values(self, keyword: str) -> list[str]:
        """The value of each time an ESMTP parameter stands on the line ("" where it has none)."""
        words = [word.partition("=") for word in self.argument.decode("latin-1").split()[1:]]
        return [value for name, _, value in words if name.upper() == keyword.upper()]

    @property
    def path(self) -> bytes:
        """What stands between the angle brackets of MAIL or RCPT."""
        found = re.search(rb'<((?:"(?:\\.|[^"\\])*"|[^>"])*)>', self.argument)
        return found[1] if found else b""


@dataclass
class _State:
    """Where the reader stands while it walks through the events."""

    buffer: bytes = b""
    in_data: bool = False
    chunk_left: int = 0
    in_auth: bool = False
    secured: bool = False
    server: bytes = b""
    replies: list[Reply] = field(default_factory=list)


class Conversation:
    """One connection of a client under test, understood.

    Attributes:
        commands: command lines in order; SASL responses and data are not among them.
        responses: SASL response lines.
        response_octets: how many octets those lines were, line ends included.
        payloads: octets of each DATA, up to and including the final dot line.
        chunks: octets of each BDAT.
        replies: the server's replies in order.
    """

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.commands: list[Command] = []
        self.responses: list[bytes] = []
        self.response_octets = 0
        self.payloads: list[bytes] = []
        self.chunks: list[bytes] = []
        self._state = _State()
        for event in transcript.events():
            if event.kind == "tls" and b"failed" not in event.data:
                self._state.secured = True
            elif event.kind == "data" and event.side == "server":
                self._server_said(event.data)
            elif event.kind == "data" and event.side == "client":
                self._client_said(event.data)
        self.unfinished = self._state.buffer
        self.replies = tuple(self._state.replies)

    def _server_said(self, data: bytes) -> None:
        state = self._state
        state.server += data
        while (found := re.match(rb"(?:[^\n]{3}-[^\n]*\n)*[^\n]*\n", state.server)) is not None:
            state.server = state.server[found.end() :]
            reply = parse_reply(found[0].splitlines(keepends=True))
            state.replies.append(reply)
            if reply.code == 354 and self.commands and self.commands[-1].verb == "DATA":
                state.in_data = True
                self._read_data()
            state.in_auth = reply.code == 334

    def _client_said(self, data: bytes) -> None:
        state = self._state
        state.buffer += data
        self._read_data()
        while not state.in_data and self._read_line():
            self._read_data()

    def _read_line(self) -> bool:
        """Take one line or one chunk from the buffer; False when there is no whole one."""
        state = self._state
        if state.chunk_left:
            self.chunks[-1] += state.buffer[: state.chunk_left]
            taken = min(state.chunk_left, len(state.buffer))
            state.buffer = state.buffer[taken:]
            state.chunk_left -= taken
            return bool(state.buffer)
        found = re.match(rb"([^\n]*?)(\r?\n)", state.buffer)
        if found is None:
            return False
        state.buffer = state.buffer[found.end() :]
        if state.in_auth:
            self.responses.append(found[1])
            self.response_octets += found.end()
            state.in_auth = False
            return True
        command = Command(found[1], found[2], state.secured)
        self.commands.append(command)
        if command.verb == "BDAT":
            size = command.argument.split(b" ")[0]
            state.chunk_left = int(size) if size.isdigit() else 0
            self.chunks.append(b"")
        return True

    def _read_data(self) -> None:
        state = self._state
        if not state.in_data:
            return
        end = 3 if state.buffer.startswith(b".\r\n") else state.buffer.find(b"\r\n.\r\n") + 5
        if end < 5 and not state.buffer.startswith(b".\r\n"):
            return
        self.payloads.append(state.buffer[:end])
        state.buffer = state.buffer[end:]
        state.in_data = False

    @property
    def data_unfinished(self) -> bool:
        """Whether the client had begun its data and not ended it."""
        return self._state.in_data

    @cached_property
    def verbs(self) -> list[str]:
        """The commands' first words in order."""
        return [command.verb for command in self.commands]

    def all(self, verb: str) -> list[Command]:
        """The commands with this verb."""
        return [command for command in self.commands if command.verb == verb]

    def one(self, verb: str) -> Command:
        """The only command with this verb.

        Raises:
            AssertionError: there is none, or there are several.
        """
        found = self.all(verb)
        assert len(found) == 1, f"one {verb} was expected; the client said {self.verbs}"
        return found[0]

    @property
    def ended_in_order(self) -> bool:
        """Whether the last command was QUIT."""
        return bool(self.verbs) and self.verbs[-1] == "QUIT"

    def sasl_messages(self) -> list[bytes]:
        """All SASL messages of the client, decoded: initial responses and later ones.

        Raises:
            AssertionError: one is no base64.
        """
        raw = [command.line.split(b" ")[2] for command in self.all("AUTH") if command.line.count(b" ") >= 2]
        return [b"" if part == b"=" else _decoded(part) for part in [*raw, *self.responses]]


def _decoded(part: bytes) -> bytes:
    try:
        return base64.b64decode(part, validate=True)
    except binascii.Error as error:
        raise AssertionError(f"the client's SASL message {part!r} is no base64") from error

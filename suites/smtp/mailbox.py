"""Where accepted mail is read back: octets, found by the token in the recipient's address.

Knows two ways: IMAP, spoken raw to dovecot (RFC 3501), and the folder in which a server
under test stores. Uses no mail library, so that no bug of one hides itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sized
from pathlib import Path
from typing import Protocol, TypeVar

from lab.judge.verdict import Blocked
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from lab.wire.stream import RecordedStream, StreamError

POLL_INTERVAL = 0.004
#: Seconds after which a message is of no use to any run: cases wait for theirs far less.
STALE_AFTER = 600
Found = TypeVar("Found", bound=Sized)


class Mailbox(Protocol):
    """Where a case waits for its message."""

    def find(self, token: str) -> list[bytes]:
        """The messages that have arrived by now for a recipient whose address holds the token."""

    def senders(self, token: str) -> list[str]:
        """The reverse-path of each of these messages, without brackets; empty for the null one."""

    def recipients(self, token: str) -> list[str]:
        """The addresses with the token, as the server understood them."""

    def shown(self, octets: bytes) -> bytes:
        """How ``find`` shows octets that are stored unchanged."""


def wait_for(mailbox: Mailbox, token: str, *, timeout: float = 10.0, count: int = 1) -> list[bytes]:
    """The token's messages, as soon as there are ``count``; what is there when the time is over."""
    return _wait(lambda: mailbox.find(token), timeout, count)


def wait_for_recipients(
    mailbox: Mailbox, token: str, *, timeout: float = 10.0, count: int = 1
) -> frozenset[str]:
    """The addresses with the token for which mail is there, as soon as there are ``count``.

    One message may be for many of them, or each may have a copy of its own.
    """
    return _wait(lambda: frozenset(mailbox.recipients(token)), timeout, count)


def _wait(look: Callable[[], Found], timeout: float, count: int) -> Found:
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while len(found := look()) < count and time.monotonic() < deadline:
        pause.wait(POLL_INTERVAL)
    return found


class ImapMailbox:
    """One user's INBOX, read over a connection of its own; each message is fetched once.

    Args:
        endpoint: the IMAP port.
        username: whose INBOX.
        password: in the clear; the port is on loopback.
    """

    def __init__(self, endpoint: Endpoint, username: str, password: str) -> None:
        self._endpoint = endpoint
        self._username = username
        self._password = password
        self._stream: RecordedStream | None = None
        self._tags = 0
        self._next_uid = 0
        #: Each message with its trace fields.
        self._messages: list[tuple[bytes, bytes]] = []

    def find(self, token: str) -> list[bytes]:
        """Messages whose trace fields name a recipient with the token.

        Raises:
            Blocked: dovecot does not answer.
        """
        try:
            self._fetch_new()
        except (OSError, StreamError) as error:
            self.close()
            message = f"mail could not be read back from dovecot: {error}"
            raise Blocked(message) from error
        word = token.encode()
        return [octets for trace, octets in self._messages if word in trace]

    def senders(self, token: str) -> list[str]:
        """What the Return-Path lines say, which the server puts on top (RFC 5321, section 4.4)."""
        heads = [octets.partition(b"\r\n\r\n")[0] for octets in self.find(token)]
        lines = [re.match(rb"(?i)Return-Path:\s*<([^\r\n]*)>", head) for head in heads]
        return [line[1].decode("utf-8", "backslashreplace") if line else "no Return-Path" for line in lines]

    def recipients(self, token: str) -> list[str]:
        """What the X-Original-To fields say, which postfix puts on top for the address of RCPT."""
        fields = [re.search(rb"(?im)^X-Original-To: ([^\r\n]*)", octets) for octets in self.find(token)]
        return [field[1].decode("utf-8", "backslashreplace") for field in fields if field]

    def shown(self, octets: bytes) -> bytes:
        """IMAP carries no NUL (RFC 3501, section 9, CHAR8); dovecot shows another octet in its place."""
        return octets.replace(b"\0", b"\x80")

    def open(self) -> None:
        """Log in and note which UID comes next: what earlier runs left is no business of this one.

        Raises:
            OSError, StreamError: dovecot does not answer, or refuses.
        """
        self._stream = connect(self._endpoint)
        self._stream.receive_line()
        self._command(b"LOGIN " + _quoted(self._username) + b" " + _quoted(self._password))
        answer = self._command(b"SELECT INBOX")
        if not self._next_uid:
            found = re.search(rb"\[UIDNEXT (\d+)\]", answer)
            self._next_uid = int(found[1]) if found else 1
            self._discard_stale()

    def close(self) -> None:
        """Close the connection; it is opened again when mail is looked for."""
        if self._stream is not None:
            self._stream.close()
            # no case's evidence: nobody else lets go of it
            self._stream.transcript.close()
            self._stream = None

    def _discard_stale(self) -> None:
        """Remove what earlier runs left, or a lab that is kept up fills its volume (RFC 5032, RFC 4315)."""
        answer = self._command(b"UID SEARCH OLDER %d" % STALE_AFTER)
        found = re.search(rb"\* SEARCH((?: \d+)+)", answer)
        if found:
            # a younger message has a higher UID
            uids = b"1:%d" % max(map(int, found[1].split()))
            self._command(b"UID STORE " + uids + rb" +FLAGS.SILENT (\Deleted)")
            self._command(b"UID EXPUNGE " + uids)

    def _fetch_new(self) -> None:
        if self._stream is None:
            self.open()
        # NOOP makes dovecot look for new mail; a FETCH alone answers from what it knows
        self._command(b"NOOP")
        answer = self._command(b"UID FETCH %d:* (UID BODY.PEEK[])" % self._next_uid)
        for uid, octets in _literals(answer):
            if uid >= self._next_uid:
                self._messages.append((_trace(octets), octets))
                self._next_uid = uid + 1

    def _command(self, line: bytes) -> bytes:
        """Send a command and return all up to its tagged completion."""
        stream = self._stream
        if stream is None:
            message = "no connection"
            raise StreamError(message)
        self._tags += 1
        tag = b"a%d" % self._tags
        stream.send(tag + b" " + line + b"\r\n")
        answer = b""
        while True:
            part = stream.receive_line(limit=64 * 1024 * 1024)
            if part.startswith(tag + b" "):
                if not part.startswith(tag + b" OK"):
                    message = f"dovecot answered {part!r}"
                    raise StreamError(message)
                return answer
            answer += part
            if (literal := re.search(rb"\{(\d+)\}\r\n$", part)) is not None:
                answer += stream.receive_exactly(int(literal[1]))


def _quoted(text: str) -> bytes:
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _literals(answer: bytes) -> list[tuple[int, bytes]]:
    """UID and octets of each message in the answer to a FETCH."""
    found: list[tuple[int, bytes]] = []
    position = 0
    pattern = re.compile(rb"\* \d+ FETCH \(UID (\d+) BODY\[\] \{(\d+)\}\r\n")
    while (head := pattern.search(answer, position)) is not None:
        end = head.end() + int(head[2])
        found.append((int(head[1]), answer[head.end() : end]))
        position = end
    return found


def _trace(octets: bytes) -> bytes:
    """The fields that the receiving server put on top, where the recipient is named."""
    head = octets.partition(b"\r\n\r\n")[0]
    return b"\n".join(re.findall(rb"(?im)^(?:X-Original-To|Delivered-To):[^\n]*", head))


class FolderMailbox:
    """The folder in which a server under test stores what it accepts (form: ``contract.ServerConfiguration``)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: By the file's name: the recipients as text, and all of it.
        self._envelopes: dict[str, tuple[str, dict[str, object]]] = {}

    def find(self, token: str) -> list[bytes]:
        """Messages with a recipient whose address holds the token."""
        return [(self._directory / str(envelope["file"])).read_bytes() for envelope in self.envelopes(token)]

    def senders(self, token: str) -> list[str]:
        """What the envelopes say."""
        return [str(envelope["from"]) for envelope in self.envelopes(token)]

    def recipients(self, token: str) -> list[str]:
        """What the envelopes say."""
        lists = [envelope["to"] for envelope in self.envelopes(token)]
        return [
            address
            for addresses in lists
            if isinstance(addresses, list)
            for address in addresses
            if token in address
        ]

    def shown(self, octets: bytes) -> bytes:
        """As they are."""
        return octets

    @contextlib.contextmanager
    def taken_away(self) -> Iterator[None]:
        """While it lasts the folder is not there, and nothing can be stored in it."""
        elsewhere = self._directory.with_name(f"{self._directory.name}-away")
        self._directory.rename(elsewhere)
        try:
            yield
        finally:
            elsewhere.rename(self._directory)

    def envelopes(self, token: str) -> list[dict[str, object]]:
        """The envelopes, as the server understood them, of the token's messages."""
        with os.scandir(self._directory) as entries:
            names = {entry.name for entry in entries if entry.name.endswith(".json")}
        for name in names - self._envelopes.keys():
            envelope = json.loads((self._directory / name).read_text(encoding="utf-8"))
            self._envelopes[name] = (json.dumps(envelope["to"]), envelope)
        return [envelope for recipients, envelope in self._envelopes.values() if token in recipients]

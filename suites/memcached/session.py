"""The raw driver's memcached: what a case says to a server under test, octet for octet.

Knows commands, replies and data blocks. It mends nothing and hides nothing: a case may send what it likes in between.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass

from lab.wire.stream import Ended, RecordedStream

VALUE = re.compile(rb"VALUE ([^ ]+) (\d+) (\d+)(?: (\d+))?")


@dataclass(frozen=True, slots=True)
class Value:
    """One item of a retrieval's answer; ``cas`` is ``None`` where none came."""

    key: bytes
    flags: int
    data: bytes
    cas: int | None


@dataclass(frozen=True, slots=True)
class MetaReply:
    """An answer to a meta command: its code, its flags in their order, and the data block of ``VA``."""

    code: str
    flags: list[str]
    data: bytes | None = None

    def token(self, flag: str) -> str | None:
        """What stands behind a flag of the answer, or ``None`` where the flag is not there."""
        return next((word[1:] for word in self.flags if word[0] == flag), None)


class Session:
    """One connection of the driver to a server."""

    def __init__(self, stream: RecordedStream) -> None:
        self.stream = stream

    def send(self, octets: bytes) -> None:
        """Send octets as they are."""
        self.stream.send(octets)

    def line(self, *, timeout: float | None = None) -> bytes:
        """The next line of the server, without its CRLF."""
        return self.stream.receive_line(timeout=timeout).removesuffix(b"\r\n")

    def lines(self, count: int) -> list[bytes]:
        """The next lines."""
        return [self.line() for _ in range(count)]

    def ask(self, line: bytes) -> bytes:
        """Send a line, CRLF added, and give the line that answers."""
        self.send(line + b"\r\n")
        return self.line()

    def store(
        self,
        key: bytes,
        data: bytes,
        *,
        command: bytes = b"set",
        flags: int = 0,
        expire: int = 0,
        cas: int | None = None,
    ) -> bytes:
        """Send a storage command, and give the line that answers."""
        token = b"" if cas is None else b" %d" % cas
        self.send(b"%b %b %d %d %d%b\r\n%b\r\n" % (command, key, flags, expire, len(data), token, data))
        return self.line()

    def put(self, key: bytes, data: bytes, *, flags: int = 0, expire: int = 0) -> None:
        """Store, which has to succeed for the case to make sense."""
        answer = self.store(key, data, flags=flags, expire=expire)
        assert answer == b"STORED", f"set was answered {answer!r}"

    def values(self, *, timeout: float | None = None) -> list[Value]:
        """Read the answer to a retrieval, up to END.

        Raises:
            AssertionError: a line is none of a retrieval's.
        """
        found: list[Value] = []
        while (line := self.line(timeout=timeout)) != b"END":
            match = VALUE.fullmatch(line)
            assert match is not None, f"a retrieval was answered {line!r}"
            data = self.stream.receive_exactly(int(match[3]))
            end = self.stream.receive_exactly(2)
            assert end == b"\r\n", f"the data block of {line!r} is followed by {end!r}"
            found.append(Value(match[1], int(match[2]), data, int(match[4]) if match[4] else None))
        return found

    def get(self, *keys: bytes) -> list[Value]:
        """Get the keys."""
        self.send(b"get %b\r\n" % b" ".join(keys))
        return self.values()

    def data(self, key: bytes) -> bytes | None:
        """The key's data, or ``None`` where the server has none."""
        found = self.get(key)
        assert [value.key for value in found] in ([], [key]), f"get {key!r} was answered {found}"
        return found[0].data if found else None

    def gets(self, key: bytes) -> Value:
        """The key's item with its cas unique.

        Raises:
            AssertionError: there is none, or it has no cas unique.
        """
        self.send(b"gets %b\r\n" % key)
        found = self.values()
        assert [value.key for value in found] == [key], f"gets {key!r} was answered {found}"
        assert found[0].cas is not None, f"gets was answered without a cas unique: {found[0]}"
        return found[0]

    def token(self, key: bytes) -> int:
        """The key's cas unique."""
        cas = self.gets(key).cas
        assert cas is not None
        return cas

    def stats(self, argument: bytes = b"") -> dict[str, str]:
        """Ask for statistics; names and values.

        Raises:
            AssertionError: a line is none of theirs.
        """
        self.send(b"stats %b\r\n" % argument if argument else b"stats\r\n")
        found: dict[str, str] = {}
        while (line := self.line()) != b"END":
            words = line.decode("latin-1").split(" ", 2)
            assert words[0] == "STAT", f"stats was answered {line!r}"
            assert len(words) >= 2, f"stats was answered {line!r}"
            found[words[1]] = words[2] if len(words) > 2 else ""
        return found

    def meta(self, line: bytes, data: bytes | None = None) -> MetaReply:
        """Send a meta command, with its data block if there is one, and read the answer."""
        self.send(line + b"\r\n" + (b"" if data is None else data + b"\r\n"))
        return self.meta_reply()

    def meta_reply(self) -> MetaReply:
        """Read the next answer to a meta command.

        Raises:
            AssertionError: its code has not two capitals.
        """
        line = self.line()
        words = line.decode("latin-1").split(" ")
        assert re.fullmatch("[A-Z]{2}", words[0]), f"a meta command was answered {line!r}"
        if words[0] != "VA":
            return MetaReply(words[0], [word for word in words[1:] if word])
        block = self.stream.receive_exactly(int(words[1]) + 2)
        assert block.endswith(b"\r\n"), f"the data block of {line!r} ends with {block[-2:]!r}"
        return MetaReply("VA", [word for word in words[2:] if word], block[:-2])

    def in_step(self) -> bool:
        """Whether the next thing the server says answers the next thing it is asked."""
        return self.ask(b"version").startswith(b"VERSION ")

    def catch_up(self) -> list[bytes]:
        """The lines that the server still has to say, up to the answer to ``version``, which is asked now."""
        self.send(b"version\r\n")
        said: list[bytes] = []
        while not (line := self.line()).startswith(b"VERSION "):
            said.append(line)
        return said

    def closed_by_server(self) -> bool:
        """Whether the server has closed, or does within the deadline, without saying more."""
        try:
            self.stream.receive_exactly(1)
        except Ended:
            return True
        return False

    def say_all(self, octets: bytes) -> bytes:
        """Send octets and ``quit`` without waiting in between; all that the server says until it closes."""
        with contextlib.suppress(Ended):
            self.send(octets + b"quit\r\n")
        return self.stream.receive_to_end()


def is_error(line: bytes) -> bool:
    """Whether a line is one of the error strings (section Error strings)."""
    return line == b"ERROR" or re.fullmatch(rb"(?:CLIENT|SERVER)_ERROR [^\r\n]+", line) is not None

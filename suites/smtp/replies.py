"""SMTP replies: reading them, and saying where one breaks the grammar.

Knows RFC 5321, sections 4.2 and 4.5.3.1.5, and RFC 2034. Must not know sockets'
owners: it reads from any recorded stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.wire.stream import RecordedStream

#: Far over the 512 octets a reply line may have, so that a longer one is seen and judged instead of cut.
LINE_LIMIT = 16384
_CODE = re.compile(rb"[2-5][0-5][0-9]")
_TEXT = re.compile(rb"[\t\x20-\x7e]*")
_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?: |$)")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, all its lines.

    Attributes:
        code: the number on its last line; 0 where there is none.
        lines: the text of each line, without code and separator.
        octets: as it came.
        problems: where it breaks the grammar, in words.
    """

    code: int
    lines: tuple[str, ...]
    octets: bytes
    problems: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines joined."""
        return "\n".join(self.lines)

    @property
    def kind(self) -> int:
        """The first digit of the code."""
        return self.code // 100

    @property
    def enhanced(self) -> tuple[int, int, int] | None:
        """The enhanced status code at the start of the last line (RFC 2034, section 4)."""
        found = _ENHANCED.match(self.lines[-1]) if self.lines else None
        return (int(found[1]), int(found[2]), int(found[3])) if found else None

    def __str__(self) -> str:
        return f"{self.octets!r}"


def read_reply(stream: RecordedStream, *, timeout: float | None = None) -> Reply:
    """The next reply on the stream.

    Raises:
        StreamError: the stream ended, fell silent or went on without a line end.
    """
    raw = [stream.receive_line(limit=LINE_LIMIT, timeout=timeout)]
    while raw[-1][3:4] == b"-" and len(raw) < 200:
        raw.append(stream.receive_line(limit=LINE_LIMIT, timeout=timeout))
    return parse_reply(raw)


def split_replies(octets: bytes) -> list[Reply]:
    """All replies in what a server sent; a last line without its CRLF counts as a line."""
    replies: list[Reply] = []
    raw: list[bytes] = []
    for line in re.findall(rb"(?s).*?\r\n|.+\Z", octets):
        raw.append(line)
        if line[3:4] != b"-":
            replies.append(parse_reply(raw))
            raw = []
    return [*replies, parse_reply(raw)] if raw else replies


def parse_reply(raw: list[bytes]) -> Reply:
    """The reply made of these lines, each with its CRLF."""
    problems: list[str] = []
    codes: set[bytes] = set()
    lines: list[str] = []
    for number, line in enumerate(raw):
        body = line.removesuffix(b"\r\n")
        codes.add(body[:3])
        lines.append(body[4:].decode("utf-8", "backslashreplace"))
        problems += _line_problems(line, body, last=number == len(raw) - 1)
    if len(codes) > 1:
        problems.append(f"the lines carry different codes: {sorted(codes)}")
    last = raw[-1][:3]
    return Reply(int(last) if last.isdigit() else 0, tuple(lines), b"".join(raw), tuple(problems))


def _line_problems(line: bytes, body: bytes, *, last: bool) -> list[str]:
    problems: list[str] = []
    if not _CODE.fullmatch(body[:3]):
        problems.append(f"{body[:3]!r} is no reply code")
    separator = body[3:4]
    if separator not in (b" ", b"-", b"") or (separator == b"" and not last):
        problems.append(f"{separator!r} follows the code")
    if not _TEXT.fullmatch(body[4:]):
        problems.append(f"the text has octets outside US-ASCII text: {body[4:]!r}")
    if len(line) > 512:
        problems.append(f"the line has {len(line)} octets")
    return problems

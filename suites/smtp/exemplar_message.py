"""What the exemplar client makes of a message before it is sent, and what the message asks of the server.

Knows line ends, MIME structure (RFC 2045, RFC 2046) as far as headers and parts must be told apart, and lines that
are too long. Must not know the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_LIMIT = 998


@dataclass(frozen=True)
class Nature:
    """What a message needs.

    Attributes:
        mime: it says MIME-Version.
        binary: a part is declared as binary.
        high_header: a header field, at whatever level, has octets above 127.
        high_body: so has something outside header fields.
        long_lines: a line is longer than 998 octets.
    """

    mime: bool
    binary: bool
    high_header: bool
    high_body: bool
    long_lines: bool


def sections(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Header section and body of the message and of each part inside, from the outside in."""
    if content.startswith((b"\r\n", b"\n")):
        head, body = b"", content.lstrip(b"\r")[1:]
    else:
        found = re.search(rb"\r?\n\r?\n", content)
        head, body = (content[: found.start()], content[found.end() :]) if found else (content, b"")
    yield head, body
    kind = field(head, b"content-type")
    if kind.lower().startswith(b"message/rfc822"):
        yield from sections(body)
    boundary = re.search(rb'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', kind, re.IGNORECASE)
    if kind.lower().startswith(b"multipart/") and boundary is not None:
        mark = re.escape(boundary[1] or boundary[2])
        for part in re.split(rb"(?:^|\r?\n)--" + mark + rb"(?:--)?[ \t]*(?=\r?\n|$)", body)[1:-1]:
            yield from sections(re.sub(rb"^\r?\n", b"", part, count=1))


def field(head: bytes, name: bytes) -> bytes:
    """The value of the first field with this name, unfolded; empty when there is none."""
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", head)
    found = re.search(rb"(?im)^" + re.escape(name) + rb"[ \t]*:[ \t]*([^\r\n]*)", unfolded)
    return found[1].strip() if found is not None else b""


def nature(content: bytes) -> Nature:
    """What the message needs; ``content`` has CRLF line ends but in binary parts."""
    parts = list(sections(content))
    outer_head, outer_body = parts[0]
    high_header = any(not head.isascii() for head, _ in parts)
    encodings = [field(head, b"content-transfer-encoding").lower() for head, _ in parts]
    return Nature(
        mime=bool(field(outer_head, b"mime-version")),
        binary=b"binary" in encodings,
        high_header=high_header,
        high_body=not outer_body.isascii(),
        long_lines=any(len(line) > LINE_LIMIT for line in re.split(rb"\r\n", content)),
    )


def with_line_ends(content: bytes) -> bytes:
    """The message with CRLF for every CRLF, LF and CR, also at its end; binary parts stay as they are."""
    spans = list(_binary_spans(content))
    made = b""
    position = 0
    for start, end in spans:
        made += _mended(content[position:start]) + content[start:end]
        position = end
    made += _mended(content[position:])
    return made if made.endswith(b"\r\n") or spans else made + b"\r\n"


def _mended(text: bytes) -> bytes:
    return re.sub(rb"\r\n|\r|\n", b"\r\n", text)


def _binary_spans(content: bytes) -> Iterator[tuple[int, int]]:
    """Where the bodies of parts declared as binary lie; text has line ends all the same (RFC 3030, section 3)."""
    for head, body in sections(content):
        kind = field(head, b"content-type").lower() or b"text/plain"
        binary = field(head, b"content-transfer-encoding").lower() == b"binary"
        if body and binary and not kind.startswith((b"text/", b"multipart/", b"message/")):
            start = content.find(body)
            yield start, start + len(body)


def without_return_path(content: bytes) -> bytes:
    """The message without Return-Path fields, which only final delivery adds (RFC 5321, section 4.4)."""
    head, blank, body = content.partition(b"\r\n\r\n")
    if not blank:
        return content
    pattern = rb"(?im)^Return-Path[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*"
    return re.sub(pattern, b"", head + b"\r\n") + b"\r\n" + body


def stuffed(content: bytes) -> bytes:
    """The message as it travels after DATA: leading dots doubled, the final dot added."""
    doubled = content.replace(b"\r\n.", b"\r\n..")
    return (b"." if doubled.startswith(b".") else b"") + doubled + b".\r\n"

"""What the exemplar server sees to in a message that was submitted.

Knows RFC 6409, sections 5.1, 6 and 8, and as much of RFC 5322 as tells an address from none. Must not know sessions.
"""

from __future__ import annotations

import os
import re

from suites.smtp.exemplar_framing import Refused
from suites.smtp.exemplar_trace import date_time

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")
ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
_DATE = re.compile(
    r"\s*(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),\s*)?\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}\s+\d\d:\d\d(?::\d\d)?\s+"
    r"(?:[+-]\d{4}|[A-Z]{1,4})(?:\s*\(.*\))?\s*"
)
_MESSAGE_ID = re.compile(r"\s*<[^\s<>@]+@[^\s<>@]+>\s*")
_WORD = r'(?:[^\s"(),:;<>@\[\]\\]+|"(?:\\.|[^"\\])*")'
_ADDRESS = re.compile(
    rf"{_WORD}(?:\.{_WORD})*@(?:[^\s\"(),:;<>@\[\]\\]+\.[^\s\"(),:;<>@\[\]\\.]+|\[[^\]]*\])"
)
_MAILBOX = re.compile(rf"(?:(?:{_WORD}|[\s.])*<({_ADDRESS.pattern})>|({_ADDRESS.pattern}))")


def header_fields(content: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """The fields as (name in small letters, value), and the rest from the empty line on."""
    fields: list[tuple[bytes, bytes]] = []
    position = 0
    while (found := _FIELD.match(content, position)) is not None:
        fields.append((found[1].lower(), found[2]))
        position = found.end()
    return fields, content[position:]


def complete(content: bytes, sender: str, hostname: str) -> bytes:
    """The message with Date, From and Message-ID in good form (RFC 6409, section 8).

    Raises:
        Refused: an address field holds what is no address, or no fully qualified one.
    """
    fields, rest = header_fields(content)
    added = b""
    for name, value in fields:
        if name in ADDRESS_FIELDS:
            check_addresses(name.decode(), value.decode("utf-8", "replace"))
    values = dict(fields)
    if not _DATE.fullmatch(values.get(b"date", b"").decode("utf-8", "replace")):
        content = without(content, b"Date")
        added += f"Date: {date_time()}\r\n".encode()
    if b"from" not in values:
        added += f"From: <{sender or f'MAILER-DAEMON@{hostname}'}>\r\n".encode()
    if not _MESSAGE_ID.fullmatch(values.get(b"message-id", b"").decode("utf-8", "replace")):
        content = without(content, b"Message-ID")
        added += f"Message-ID: <{os.urandom(12).hex()}@{hostname}>\r\n".encode()
    if added and not fields and not rest.startswith(b"\r\n"):
        # what came had no header section at all
        added += b"\r\n"
    return added + content


def without(content: bytes, field: bytes) -> bytes:
    """The message without the fields of this name."""
    head, blank, body = content.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^" + field + rb"[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head + b"\r\n")
    return head + (b"\r\n" if blank else b"") + body if blank else head.removesuffix(b"\r\n")


def check_addresses(field: str, value: str) -> None:
    """Refuse a field that holds anything but mailboxes and groups of them, their domains fully qualified."""
    text = re.sub(r"\((?:[^()\\]|\\.)*\)", " ", re.sub(r"\s+", " ", value))
    # a group's name and its end are of no interest here
    text = re.sub(rf"(?:^|,)\s*(?:{_WORD}\s*)+:", ",", text).replace(";", ",")
    rest = text.strip(" ,")
    while rest:
        found = _MAILBOX.match(rest)
        if found is None:
            raise Refused(554, "5.6.0", f"The field {field} holds what is no fully qualified address")
        rest = rest[found.end() :].lstrip(" ")
        if rest and not rest.startswith(","):
            raise Refused(554, "5.6.0", f"The field {field} is malformed")
        rest = rest.lstrip(" ,")

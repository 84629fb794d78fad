"""The trace fields that the exemplar server puts on what it stores.

Knows RFC 5321, section 4.4, RFC 3848 and RFC 8314, section 4.3. Must not know sessions or sockets.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """How one message came.

    Attributes:
        client_name: the argument of EHLO or HELO.
        client_address: of the connection.
        protocol: the word of the WITH clause.
        cipher: OpenSSL's name of the cipher suite, or ``None``.
        recipient: the only one, or ``None`` where there are several.
        utf8: whether the message may have UTF-8 in its fields.
    """

    client_name: str
    client_address: str
    hostname: str
    protocol: str
    cipher: str | None
    recipient: str | None
    utf8: bool


def received_field(passage: Passage) -> str:
    """The time stamp line, folded, with its CRLF."""
    address = f"IPv6:{passage.client_address}" if ":" in passage.client_address else passage.client_address
    name = unicode_name(passage.client_name) if passage.utf8 else passage.client_name
    lines = [
        f"Received: from {name} ([{address}])",
        f"by {passage.hostname} with {passage.protocol} id {os.urandom(8).hex()}",
    ]
    if passage.recipient is not None:
        lines.append(f"for <{passage.recipient}>")
    if passage.cipher is not None:
        lines.append(f"tls {registered_suite(passage.cipher)}")
    lines[-1] += ";"
    lines.append(date_time())
    return "\r\n\t".join(lines) + "\r\n"


def date_time() -> str:
    """Now, in the form of RFC 5322, section 3.3, whatever the locale."""
    now = time.gmtime()
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[now.tm_wday]
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{day}, {now.tm_mday} {months[now.tm_mon - 1]} {now.tm_year:04} {time.strftime('%H:%M:%S', now)} +0000 (UTC)"


def unicode_name(name: str) -> str:
    """A domain with its A-labels turned into U-labels, where they can be (RFC 6531, section 3.7.3)."""
    try:
        return name.encode("ascii").decode("idna")
    except UnicodeError:
        return name


def registered_suite(name: str) -> str:
    """The registered name of a cipher suite that OpenSSL calls by another (RFC 8314, section 4.3)."""
    if name.startswith("TLS_"):
        return name
    found = re.fullmatch(r"(?:((?:ECDHE|DHE)-(?:ECDSA|RSA))-)?(.*)", name)
    exchange, cipher = (found[1], found[2]) if found is not None else (None, name)
    cipher = re.sub(
        r"^AES(\d+)-", r"AES_\1_", cipher.replace("CHACHA20-POLY1305", "CHACHA20-POLY1305-SHA256")
    )
    if re.fullmatch(r"AES_\d+_SHA\d*", cipher):
        cipher = re.sub(r"_(SHA\d*)$", r"_CBC_\1", cipher)
    return f"TLS_{(exchange or 'RSA').replace('-', '_')}_WITH_{cipher.replace('-', '_')}"


def without_return_path(content: bytes) -> bytes:
    """The message without Return-Path fields: final delivery puts its own on top (RFC 5321, section 4.4)."""
    head, blank, body = content.partition(b"\r\n\r\n")
    if blank:
        head += b"\r\n"
        blank = b"\r\n"
    return re.sub(rb"(?im)^Return-Path:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", head) + blank + body

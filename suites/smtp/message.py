"""Messages that cases send: small, valid, and found again by a token.

Knows the form of a message (RFC 5322) and of a dot-stuffed one. Must not know who sends it.
"""

from __future__ import annotations

import secrets

DOMAIN = "lab.example"
SENDER = f"sender@{DOMAIN}"
RECIPIENT = f"recipient@{DOMAIN}"


def new_token() -> str:
    """A word by which one message is told from all others."""
    return f"t{secrets.token_hex(8)}"


def message(body: bytes = b"A line.\r\n", *, headers: bytes = b"", subject: str = "a case") -> bytes:
    """A message with the fields RFC 5322 asks for; ``body`` and extra ``headers`` go in as they are."""
    fields = (
        b"From: <sender@lab.example>\r\n"
        b"To: <recipient@lab.example>\r\n"
        b"Date: Mon, 02 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <case@lab.example>\r\n"
    )
    return fields + f"Subject: {subject}\r\n".encode() + headers + b"\r\n" + body


def eight_bit_message(body: bytes) -> bytes:
    """A MIME message whose body is text in UTF-8, unencoded (RFC 6152)."""
    return message(
        body,
        headers=(
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n"
        ),
    )


def sized_message(size: int, *, line: bytes) -> bytes:
    """A message of exactly ``size`` octets, CRLFs counted, whose body repeats ``line`` (given without CRLF)."""
    body = line + b"\r\n"
    whole, rest = divmod(size - len(message(b"")), len(body))
    if rest == 1:  # no line is that short; take one of the whole ones in
        whole, rest = whole - 1, rest + len(body)
    return message(body * whole + (b"e" * (rest - 2) + b"\r\n" if rest else b""))


def stuff(content: bytes) -> bytes:
    """The content as it travels after DATA: leading dots doubled, the final dot added (RFC 5321, section 4.5.2).

    ``content`` has CRLF line ends; a last line without one gets it.
    """
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + b".\r\n"


def unstuff(lines: bytes) -> bytes:
    """The content of what travelled before the final dot line: one leading dot taken from each line."""
    content = lines.replace(b"\r\n.", b"\r\n")
    return content[1:] if content.startswith(b".") else content


def content(payload: bytes) -> bytes:
    """The content of one DATA from all its octets, the final dot line included."""
    return unstuff(payload.removesuffix(b".\r\n"))

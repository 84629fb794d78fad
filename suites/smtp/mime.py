"""MIME as the cases need it: parts and their encodings, octet for octet, and where the rules are broken.

Knows RFC 2045 and RFC 2046. Uses no mail library, so that no bug of one hides itself.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_LIMIT = 998
ENCODED_LINE_LIMIT = 76
_QUOTED = re.compile(rb"(?:[\t\x20-\x3c\x3e-\x7e]|=[0-9A-F]{2})*=?")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=]*")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True)
class Part:
    """A message or a part of one.

    Attributes:
        fields: name in small letters → value, unfolded.
        body: the octets behind the empty line.
        parts: what a multipart is made of.
        closed: whether a multipart's closing delimiter came.
    """

    fields: dict[str, str]
    body: bytes
    parts: tuple[Part, ...]
    closed: bool = True

    @property
    def type(self) -> str:
        """The media type in small letters."""
        return self.fields.get("content-type", "text/plain").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """The Content-Transfer-Encoding in small letters."""
        return self.fields.get("content-transfer-encoding", "7bit").strip().lower()

    def walk(self) -> Iterator[Part]:
        """This part and all inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def leaves(self) -> list[Part]:
        """The parts with content of their own, in order."""
        return [part for part in self.walk() if not part.parts]

    @property
    def decoded(self) -> bytes:
        """The content without its encoding.

        Raises:
            ValueError: the body is not what the encoding says.
        """
        if self.encoding == "base64":
            return base64.b64decode(self.body.replace(b"\r\n", b""), validate=True)
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(self.body)
        return self.body


def parse(octets: bytes) -> Part:
    """A message or part from its octets; lines end with CRLF."""
    head, _, body = (
        octets.partition(b"\r\n\r\n") if not octets.startswith(b"\r\n") else (b"", b"", octets[2:])
    )
    fields: dict[str, str] = {}
    for line in re.sub(rb"\r\n(?=[ \t])", b"", head).split(b"\r\n"):
        name, _, value = line.decode("utf-8", "surrogateescape").partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    pieces, closed = _inner(fields, body)
    return Part(fields, body, tuple(parse(piece) for piece in pieces), closed)


def _inner(fields: dict[str, str], body: bytes) -> tuple[list[bytes], bool]:
    """The parts of a multipart, and whether they are closed."""
    kind = fields.get("content-type", "")
    if not kind.lower().startswith("multipart/"):
        return [], True
    found = re.search(r'boundary=(?:"([^"]+)"|([^\s;]+))', kind, re.IGNORECASE)
    if found is None:
        return [], False
    delimiter = re.escape((found[1] or found[2]).encode())
    pieces = re.split(rb"(?:^|\r\n)--" + delimiter + rb"(--)?[ \t]*(?:\r\n|$)", body)
    # between two pieces stands the closing mark, or None; what follows the mark is no part
    marks = pieces[1::2]
    ends = [*marks, b"--"].index(b"--")
    return pieces[2 : 2 * ends + 1 : 2], b"--" in marks


def lost(original: Part, arrived: Part) -> list[str]:
    """What of the original's content is missing or changed in what arrived, in words."""
    before, after = original.leaves(), arrived.leaves()
    if [part.type for part in before] != [part.type for part in after]:
        return [f"the parts were {[part.type for part in before]} and are {[part.type for part in after]}"]
    problems: list[str] = []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        try:
            same = old.decoded.removesuffix(b"\r\n") == new.decoded.removesuffix(b"\r\n")
        except ValueError as error:
            problems.append(f"part {number} does not decode: {error}")
            continue
        if not same:
            problems.append(f"part {number} holds {new.decoded[:80]!r} instead of {old.decoded[:80]!r}")
    return problems


def nested(message: Part) -> list[str]:
    """Composite parts with an encoding of their own (RFC 2045, section 6.4)."""
    composite = [part for part in message.walk() if part.type.startswith(("multipart/", "message/"))]
    return [
        f"{part.type} is encoded as {part.encoding}"
        for part in composite
        if part.encoding in {"base64", "quoted-printable"}
    ]


def invalid(message: Part, *, eight_bit: bool) -> list[str]:
    """Where this is no MIME message fit for transport, with or without 8BITMIME; in words."""
    problems = nested(message)
    if message.fields.get("mime-version", "") != "1.0":
        problems.append("there is no MIME-Version: 1.0")
    allowed = {"7bit", "quoted-printable", "base64"} | ({"8bit"} if eight_bit else set())
    for part in message.walk():
        if part.type.startswith("multipart/") and not (part.parts and part.closed):
            problems.append(
                f"{part.type} has {len(part.parts)} parts and is {'' if part.closed else 'not '}closed"
            )
        if part.encoding not in allowed:
            problems.append(f"{part.type} says {part.encoding}")
        if not part.parts:
            problems += _unfit(part)
    return problems


def _unfit(part: Part) -> list[str]:
    """Where a body is not what its encoding says."""
    problems: list[str] = []
    lines = part.body.split(b"\r\n")
    if b"\0" in part.body or _BARE.search(part.body):
        problems.append(f"{part.type} holds NUL, bare CR or bare LF")
    if part.encoding != "8bit" and max(part.body, default=0) > 127:
        problems.append(f"{part.type} holds octets over 127 as {part.encoding}")
    encoded = {"quoted-printable": _QUOTED, "base64": _BASE64}.get(part.encoding)
    if encoded is not None and not all(encoded.fullmatch(line) for line in lines):
        problems.append(f"{part.type} is no {part.encoding}")
    limit = LINE_LIMIT if encoded is None else ENCODED_LINE_LIMIT
    if (longest := max(map(len, lines))) > limit:
        problems.append(f"{part.type} as {part.encoding} has a line of {longest} octets")
    return problems

"""Holds that the suite's own MIME reader reads parts exactly and sees each broken rule."""

from __future__ import annotations

import pytest

from suites.smtp.message import eight_bit_message, message
from suites.smtp.mime import invalid, lost, nested, parse

TEXT = "Grüße\r\n= Zeichen \r\n".encode()
ORIGINAL = eight_bit_message(TEXT)
QUOTED = b"Gr=C3=BC=C3=9Fe\r\n=3D Zeichen=20\r\n"
IN_BASE64 = b"R3LDvMOfZQ0KPSBaZWljaGVuIA0K\r\n"


def encoded(encoding: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> bytes:
    """A message that says this encoding and has this body."""
    fields = f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    return message(body, headers=fields.encode())


def multipart(*parts: bytes, encoding: str = "7bit") -> bytes:
    """A message made of these parts, with a word before the first and after the last."""
    body = b"before" + b"".join(b"\r\n--cut\r\n" + part for part in parts) + b"\r\n--cut--\r\nafter\r\n"
    return encoded(encoding, body, 'multipart/mixed;\r\n boundary="cut"')


@pytest.mark.parametrize(
    "octets",
    [ORIGINAL, encoded("quoted-printable", QUOTED), encoded("Base64", IN_BASE64)],
    ids=["8bit", "qp", "base64"],
)
def test_the_same_content_in_any_encoding_is_not_lost(octets: bytes) -> None:
    """Each encoding decodes to the original, and fits where 8-bit content does."""
    assert lost(parse(ORIGINAL), parse(octets)) == []
    assert invalid(parse(octets), eight_bit=True) == []


def test_parts_are_read_octet_for_octet() -> None:
    """The line end before a delimiter is the delimiter's; prologue and epilogue are no parts."""
    parts = parse(
        multipart(b"\r\nno fields", b"Content-Type: text/html\r\n\r\n<p>\r\n\r\n--cut-not\r\n")
    ).parts

    assert [part.body for part in parts] == [b"no fields", b"<p>\r\n\r\n--cut-not\r\n"]
    assert [part.type for part in parts] == ["text/plain", "text/html"]


def test_parts_inside_parts_are_found() -> None:
    """A multipart in a multipart gives its leaves."""
    inner = (
        b"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n\r\na\r\n--in\r\n\r\nb\r\n--in--"
    )

    assert [part.body for part in parse(multipart(inner, b"\r\nc")).leaves()] == [b"a", b"b", b"c"]


BROKEN = {
    "wide-octets": encoded("7bit", TEXT),
    "eight-bit": ORIGINAL,
    "bare-lf": encoded("7bit", b"a\nb\r\n"),
    "bare-cr": encoded("7bit", b"a\rb\r\n"),
    "nul": encoded("7bit", b"a\0b\r\n"),
    "long-line": encoded("7bit", b"a" * 999 + b"\r\n"),
    "long-encoded-line": encoded("quoted-printable", b"a" * 77 + b"\r\n"),
    "bad-escape": encoded("quoted-printable", b"a=b\r\n"),
    "bad-alphabet": encoded("base64", b"a*b=\r\n"),
    "binary": encoded("binary", b"a\r\n"),
    "no-version": message(b"a\r\n"),
    "encoded-multipart": multipart(b"\r\na", encoding="base64"),
    "no-parts": multipart(),
    "not-closed": multipart(b"\r\na").replace(b"--cut--", b"--cut"),
    "inside-a-part": multipart(b"\r\na", b"\r\na\nb"),
}


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_each_broken_rule_is_seen(octets: bytes) -> None:
    """A message that breaks one rule is not valid 7-bit MIME."""
    assert len(invalid(parse(octets), eight_bit=False)) >= 1


def test_lost_content_is_seen() -> None:
    """Changed octets, a missing part, an undecodable body and a changed type are losses."""
    whole = parse(multipart(b"\r\na", b"\r\nb"))

    assert lost(whole, parse(multipart(b"\r\na", b"\r\nB"))) != []
    assert lost(whole, parse(multipart(b"\r\na"))) != []
    assert lost(whole, parse(multipart(b"\r\na", b"Content-Type: text/html\r\n\r\nb"))) != []
    assert lost(parse(ORIGINAL), parse(encoded("base64", b"R3L!"))) != []


def test_encoded_multipart_is_seen() -> None:
    """A multipart may not be encoded as a whole."""
    assert nested(parse(multipart(b"\r\na", encoding="base64"))) == ["multipart/mixed is encoded as base64"]
    assert nested(parse(multipart(b"\r\na"))) == []

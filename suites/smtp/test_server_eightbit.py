"""Servers: 8BITMIME, content with the high bit set (RFC 6152)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, eight_bit_message
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("8bitmime")]

BODY_VALUES = ["BODY=7BIT", "BODY=8BITMIME", "body=8bitmime", "BODY=8bitMIME"]

HIGH_OCTETS = {
    "utf-8": "Grüße, 世界, пример\r\n".encode(),
    "latin-1": "Grüße\r\n".encode("latin-1"),
    "every-octet": b"".join(b"%c%c\r\n" % (octet, octet) for octet in range(0x80, 0x100)),
    "long-line": b"\xe4" * 998 + b"\r\n",
}


@clause("rfc6152-2-keyword-without-parameter")
def test_8bitmime_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists 8BITMIME and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("8BITMIME") == [], f"EHLO lists {session.extensions}"


@pytest.mark.parametrize("parameter", BODY_VALUES, ids=["7bit", "8bitmime", "lower-case", "mixed-case"])
@clause("rfc6152-2-body-values-accepted")
def test_mail_takes_the_body_parameter(server: Server, parameter: str) -> None:
    """MAIL takes BODY with either value, in any case of letters."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<{SENDER}> {parameter}")

    assert reply.code == 250, f"MAIL with {parameter} was answered {reply}"


@needs("delivery")
@pytest.mark.parametrize("body", HIGH_OCTETS.values(), ids=HIGH_OCTETS)
@clause("rfc6152-3-data-octets-preserved", "rfc6152-3-delivered-unchanged")
def test_high_octets_arrive_as_they_were_sent(server: Server, body: bytes) -> None:
    """All eight bits of each octet arrive."""
    token, recipient = server.recipient()
    sent = eight_bit_message(body)
    session = server.greeted()

    reply = session.deliver(recipient, sent, "BODY=8BITMIME")

    assert reply.code == 250, f"the end of the data was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"

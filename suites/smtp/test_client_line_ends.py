"""Clients: bare CR and bare LF, in what is sent and in what is read.

Knows section 2.3.8 of RFC 5321. Must not know any client.
"""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.answers import Held
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, eight_bit_message, message
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.subjects import Client

pytestmark = role("client")

BARE_LF = re.compile(rb"(?<!\r)\n")
BARE_CR = re.compile(rb"\r(?!\n)")
WITH_LF = {
    "every-line": message(b"one\r\ntwo\r\n").replace(b"\r\n", b"\n"),
    "one-line": message(b"one\ntwo\r\nthree\r\n"),
    "before-a-dot": message(b"one\n.\r\ntwo\r\n"),
    "around-a-dot": message(b"one\n.\ntwo\r\n"),
    "after-a-line-end": message(b"one\r\n\ntwo\r\n"),
    "last": message(b"one\r\ntwo\n"),
}
WITH_CR = {
    "inside": message(b"one\rtwo\r\n"),
    "before-a-line-end": message(b"one\r\r\ntwo\r\n"),
    "around-a-dot": message(b"one\r.\rtwo\r\n"),
    "last": message(b"one\r\ntwo\r"),
}


def said(exchange: Exchange) -> bytes:
    """All that the client sent."""
    return b"".join(talk.transcript.octets("client") for talk in exchange.conversations)


def around(found: re.Match[bytes] | None, octets: bytes) -> bytes:
    """What stands near a finding, for the message."""
    return octets[max(found.start() - 20, 0) : found.end() + 20] if found else b""


@pytest.mark.parametrize("content", WITH_LF.values(), ids=WITH_LF)
@clause("rfc5321-2.3.8-bare-lf-not-sent")
def test_bare_lf_is_not_sent(client: Client, content: bytes) -> None:
    """A lone LF of the message travels as CRLF, or the message is refused."""
    octets = said(client.submit_to_script(Manners(), transaction(content, [RECIPIENT])))

    found = BARE_LF.search(octets)
    assert found is None, f"a bare LF was sent: {around(found, octets)!r}"


@pytest.mark.parametrize("content", WITH_CR.values(), ids=WITH_CR)
@clause("rfc5321-2.3.8-bare-cr-not-sent")
def test_bare_cr_is_not_sent(client: Client, content: bytes) -> None:
    """A lone CR of the message is not transmitted."""
    octets = said(client.submit_to_script(Manners(), transaction(content, [RECIPIENT])))

    found = BARE_CR.search(octets)
    assert found is None, f"a bare CR was sent: {around(found, octets)!r}"


# a pause is waited for: once is enough
@cuts("whole")
@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT"])
@clause("rfc5321-2.3.8-bare-lf-ends-no-reply")
def test_bare_lf_does_not_end_a_reply(client: Client, step: str) -> None:
    """A reply whose line has come as far as a lone LF is not at its end."""
    held = Held(b"250 mx.lab.example\n", b"still the same line\r\n", pause=0.15)

    # without PIPELINING, with which more may be under way already
    extensions = [word for word in EHLO_DEFAULT if word != "PIPELINING"]
    client.submit_to_script(Manners(extensions=extensions, answers={step: held}))

    assert not held.early, f"after a bare LF the client went on with {held.early!r}"


UNRESTRICTED = {
    "bare-lf": eight_bit_message("grün\nblau\r\n".encode()),
    "bare-cr": eight_bit_message("grün\rblau\r\n".encode()),
}


@pytest.mark.parametrize("content", UNRESTRICTED.values(), ids=UNRESTRICTED)
@clause("rfc5321-2.4-eightbitmime-no-licence")
def test_8bitmime_does_not_free_line_ends(client: Client, content: bytes) -> None:
    """Under 8BITMIME too, no lone CR or LF is transmitted."""
    manners = Manners(extensions=["8BITMIME", "SIZE 1000000"])

    octets = said(client.submit_to_script(manners, transaction(content, [RECIPIENT])))

    found = BARE_LF.search(octets) or BARE_CR.search(octets)
    assert found is None, f"a bare CR or LF was sent: {around(found, octets)!r}"

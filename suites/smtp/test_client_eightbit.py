"""Clients: content with octets over 127, announced, held back or converted (RFC 6152)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, content, eight_bit_message, message
from suites.smtp.mime import invalid, lost, parse
from suites.smtp.responder import Manners
from suites.smtp.subjects import Client

pytestmark = role("client")

TEXT = "Grüße aus Köln\r\n= und ein Gleichheitszeichen\r\n".encode()
MULTIPART = message(
    b"--cut\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + TEXT
    + b"\r\n--cut\r\nContent-Type: text/html; charset=us-ascii\r\n\r\n<p>plain</p>\r\n--cut--\r\n",
    headers=(
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n"
    ),
)
MESSAGES = {"single-part": eight_bit_message(TEXT), "multipart": MULTIPART}
#: Hosts that promise to take no octet over 127.
SEVEN_BIT = {
    "not-listed": Manners(extensions=("SIZE", "PIPELINING")),
    "helo-alone": Manners(answers={"EHLO": b"502 5.5.1 not here\r\n"}),
}
ASKED = ["BODY=8BITMIME"]

each_message = pytest.mark.parametrize("octets", MESSAGES.values(), ids=MESSAGES)
each_host = pytest.mark.parametrize("manners", SEVEN_BIT.values(), ids=SEVEN_BIT)


def send(client: Client, octets: bytes, manners: Manners, *options: str) -> Exchange:
    """Send one message with these parameters for MAIL."""
    return client.submit_to_script(manners, transaction(octets, [RECIPIENT], mail_options=list(options)))


def bodies(exchange: Exchange) -> list[str]:
    """The BODY values on MAIL, in capitals, over all transactions."""
    mails = [mail for one in exchange.conversations for mail in one.all("MAIL")]
    return [value.upper() for mail in mails for value in mail.values("BODY")]


def arrived(exchange: Exchange) -> list[bytes]:
    """The content of each message that came."""
    return [content(payload) for one in exchange.conversations for payload in one.payloads]


def eight_bit(octets: bytes) -> bool:
    """Whether an octet is over 127."""
    return max(octets, default=0) > 127


@each_message
@clause("rfc6152-3-body-parameter")
def test_eight_bit_content_is_announced(client: Client, octets: bytes) -> None:
    """8-bit content comes behind a MAIL with BODY=8BITMIME, or as 7-bit MIME."""
    exchange = send(client, octets, Manners())

    for came in arrived(exchange):
        assert not eight_bit(came) or bodies(exchange) == ["8BITMIME"], (
            f"8-bit content came behind {exchange.conversation.one('MAIL').line!r}"
        )


@needs("8bitmime")
@each_message
@clause("rfc6152-3-body-parameter")
def test_eight_bit_content_is_announced_where_asked(client: Client, octets: bytes) -> None:
    """A caller who asks for BODY=8BITMIME gets it on MAIL, and the content comes as it is."""
    exchange = send(client, octets, Manners(), *ASKED)

    assert bodies(exchange) == ["8BITMIME"], f"the client sent {exchange.conversation.one('MAIL').line!r}"
    assert arrived(exchange) == [octets], f"what came: {arrived(exchange)}"


@pytest.mark.parametrize("options", [[], ASKED], ids=["unasked", "asked"])
@clause("rfc6152-3-one-body-parameter")
def test_body_stands_once_on_mail(client: Client, options: list[str]) -> None:
    """BODY stands on MAIL at most once, with a value that is defined."""
    exchange = send(client, MESSAGES["single-part"], Manners(), *options)

    values = bodies(exchange)
    assert values in ([], ["7BIT"], ["8BITMIME"]), (
        f"the client sent {exchange.conversation.one('MAIL').line!r}"
    )


@each_host
@clause("rfc6152-3-body-only-when-offered")
def test_no_body_parameter_where_it_is_not_offered(client: Client, manners: Manners) -> None:
    """MAIL carries no BODY to a host that does not list 8BITMIME."""
    exchange = send(client, MESSAGES["single-part"], manners)

    assert bodies(exchange) == [], f"the client announced {bodies(exchange)}"


@needs("8bitmime")
@each_host
@clause("rfc6152-3-body-only-when-offered")
def test_body_asked_for_is_not_sent_where_it_is_not_offered(client: Client, manners: Manners) -> None:
    """A caller's BODY=8BITMIME does not go to a host that does not list 8BITMIME."""
    exchange = send(client, MESSAGES["single-part"], manners, *ASKED)

    assert bodies(exchange) == [], f"the client announced {bodies(exchange)}"


@each_message
@each_host
@clause("rfc6152-3-no-eightbit-without-8bitmime")
def test_no_eight_bit_content_where_it_is_not_offered(
    client: Client, manners: Manners, octets: bytes
) -> None:
    """No octet over 127 goes to a host that does not list 8BITMIME."""
    exchange = send(client, octets, manners)

    wide = [came for came in arrived(exchange) if eight_bit(came)]
    assert wide == [], f"8-bit content came: {wide}"


@each_message
@each_host
@clause("rfc6152-3-conversion-lossless")
def test_conversion_to_seven_bit_loses_nothing(client: Client, manners: Manners, octets: bytes) -> None:
    """What a client sends in place of 8-bit content decodes to the same."""
    exchange = send(client, octets, manners)

    for came in arrived(exchange):
        problems = lost(parse(octets), parse(came))
        assert problems == [], f"{problems}; {came!r} came"


@each_message
@each_host
@clause("rfc6152-3-conversion-valid")
def test_conversion_to_seven_bit_is_mime(client: Client, manners: Manners, octets: bytes) -> None:
    """What a client sends in place of 8-bit content is a valid 7-bit MIME message."""
    exchange = send(client, octets, manners)

    # 8-bit content as it was is no conversion; another clause forbids it
    for came in [one for one in arrived(exchange) if one != octets]:
        problems = invalid(parse(came), eight_bit=False)
        assert problems == [], f"{problems}; {came!r} came"

"""Clients: octets above 127 where the server has not asked for them, and in envelopes.

Knows section 2.4 of RFC 5321, in which 8BITMIME (RFC 6152) is the only way. Must not
know any client.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.smtp.exchange import transaction
from suites.smtp.message import RECIPIENT, eight_bit_message, message
from suites.smtp.responder import Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

EIGHT_BIT = {
    "mime-body": eight_bit_message("grün\r\n".encode()),
    "plain-body": message("grün\r\n".encode()),
    "latin-1": message(b"gr\xfcn\r\n"),
    "header": message(headers="X-Colour: grün\r\n".encode()),
}


@pytest.mark.parametrize("content", EIGHT_BIT.values(), ids=EIGHT_BIT)
@clause("rfc5321-2.4-no-eight-bit-without-extension")
def test_eight_bit_content_needs_an_extension(client: Client, content: bytes) -> None:
    """To a server without 8BITMIME no octet above 127 is sent: the message is encoded or refused."""
    exchange = client.submit_to_script(
        Manners(extensions=["SIZE 1000000"]), transaction(content, [RECIPIENT])
    )

    for talk in exchange.conversations:
        high = [octet for octet in talk.transcript.octets("client") if octet > 127]
        assert not high, f"the client sent {bytes(high)!r} among other octets"


WIDE = {
    "recipient": ("sender@lab.example", "grün@lab.example"),
    "sender": ("jürg@lab.example", RECIPIENT),
}


@pytest.mark.parametrize(("sender", "recipient"), WIDE.values(), ids=WIDE)
@clause("rfc5321-2.4-eightbitmime-no-licence")
def test_8bitmime_does_not_free_the_envelope(client: Client, sender: str, recipient: str) -> None:
    """8BITMIME allows octets above 127 in the message, not in MAIL and RCPT."""
    content = EIGHT_BIT["mime-body"]
    manners = Manners(extensions=["8BITMIME"])

    exchange = client.submit_to_script(manners, transaction(content, [recipient], sender=sender))

    lines = [command.line for talk in exchange.conversations for command in talk.commands]
    assert all(line.isascii() for line in lines), f"the client said {lines}"


NOT_MIME = {name: EIGHT_BIT[name] for name in ("plain-body", "latin-1")} | {"seven-bit": SMALL_MESSAGE}


@pytest.mark.parametrize("content", NOT_MIME.values(), ids=NOT_MIME)
@clause("rfc5321-2.4-eightbitmime-only-for-mime")
def test_8bitmime_is_asked_for_mime_messages_only(client: Client, content: bytes) -> None:
    """BODY=8BITMIME is not said of a message that is no MIME message."""
    exchange = client.submit_to_script(Manners(extensions=["8BITMIME"]), transaction(content, [RECIPIENT]))

    for talk in exchange.conversations:
        for mail in talk.all("MAIL"):
            assert mail.parameters.get("BODY", "").upper() != "8BITMIME", f"the client said {mail.line!r}"

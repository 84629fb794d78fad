"""Clients: the message on the wire, from DATA to the reply after the final dot.

Knows DATA and transparency (RFC 5321, sections 3.3, 4.1.1.4 and 4.5.2). Must not know
any client.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answers
from suites.smtp.exchange import transaction
from suites.smtp.message import RECIPIENT, message, stuff
from suites.smtp.responder import Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

DOTS = {
    "first-line": b".first\r\nsecond\r\n",
    "every-line": b".\r\n..\r\n...\r\n.a\r\n",
    "lone-dot": b"before\r\n.\r\nafter\r\n",
    "inside": b"a.b\r\n. \r\nc.\r\n",
}
#: With one of these shifts a block of whatever size ends right before a dot, also where CRLF is one octet.
SHIFTS = {"none": 0, "one": 1, "two": 2}


@pytest.mark.parametrize("body", DOTS.values(), ids=DOTS)
@clause("rfc5321-4.5.2-leading-dot-doubled")
def test_leading_dots_are_doubled(client: Client, body: bytes) -> None:
    """A line that begins with a dot travels with one dot more, and arrives with its own."""
    sent = message(body)

    exchange, arrived = client.deliver(sent)

    assert exchange.conversation.payloads == [stuff(sent)], (
        f"the client sent {exchange.conversation.payloads}"
    )
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"


# long messages say the same however the replies are cut
@cuts("whole")
@pytest.mark.parametrize("shift", SHIFTS.values(), ids=SHIFTS)
@clause("rfc5321-4.5.2-leading-dot-doubled")
def test_dots_at_the_edge_of_a_block_are_doubled(client: Client, shift: int) -> None:
    """A dot that begins a line is doubled wherever a block of the client's reading may end."""
    sent = message(b"x" * shift + b"\r\n" + b".\r\n" * 30000)

    exchange = client.submit_to_script(Manners(), transaction(sent, [RECIPIENT]))

    payloads = exchange.conversation.payloads
    lengths = [len(payload) for payload in payloads]
    assert payloads == [stuff(sent)], f"of {len(stuff(sent))} octets these arrived: {lengths}"


@clause("rfc5321-4.5.2-leading-dot-doubled")
def test_dot_at_the_start_of_the_message_is_doubled(client: Client) -> None:
    """A message whose very first octet is a dot travels with two."""
    sent = b".\r\n" + SMALL_MESSAGE

    exchange = client.submit_to_script(Manners(), transaction(sent, [RECIPIENT]))

    assert exchange.conversation.payloads == [stuff(sent)], (
        f"the client sent {exchange.conversation.payloads}"
    )


WITHOUT_354 = {
    "503": b"503 5.5.1 out of order\r\n",
    "554": b"554 5.5.1 no valid recipients\r\n",
    "451": b"451 4.3.0 later\r\n",
    "250": b"250 2.0.0 fine\r\n",
}


@pytest.mark.parametrize("answer", WITHOUT_354.values(), ids=WITHOUT_354)
@clause("rfc5321-3.3-no-data-without-354")
def test_message_waits_for_354(client: Client, answer: bytes) -> None:
    """Unless DATA is answered 354, no line of the message is sent."""
    exchange = client.submit_to_script(Manners(answers={"DATA": answer}))

    said = b"".join(talk.transcript.octets("client") for talk in exchange.conversations)
    assert b"DATA" in said.upper(), f"the client did not come to DATA; it says {exchange.report}"
    assert b"Subject:" not in said, f"after {answer!r} the client sent its message"
    assert b"A line." not in said, f"after {answer!r} the client sent its message"


ENDS = {
    "one-line-end": message(b"A line.\r\n"),
    "empty-last-line": message(b"A line.\r\n\r\n"),
    "empty-body": message(b""),
    "three-empty-lines": message(b"\r\n\r\n\r\n"),
}


@pytest.mark.parametrize("content", ENDS.values(), ids=ENDS)
@clause("rfc5321-4.1.1.4-no-extra-line-at-end")
def test_no_line_is_added_at_the_end(client: Client, content: bytes) -> None:
    """The CRLF that ends the message begins the final dot line: none is added."""
    exchange = client.submit_to_script(Manners(), transaction(content, [RECIPIENT]))

    assert exchange.conversation.payloads == [stuff(content)], (
        f"the client sent {exchange.conversation.payloads}"
    )


OPEN_ENDS = {
    "letters": message(b"no line end"),
    "empty-body": message(b"").removesuffix(b"\r\n"),
    "dot": message(b"last line is a dot\r\n."),
}


@pytest.mark.parametrize("content", OPEN_ENDS.values(), ids=OPEN_ENDS)
@clause("rfc5321-4.1.1.4-missing-final-crlf-mended")
def test_missing_line_end_is_mended(client: Client, content: bytes) -> None:
    """A message that ends within a line gets its CRLF before the final dot, or is refused."""
    exchange = client.submit_to_script(Manners(), transaction(content, [RECIPIENT]))

    payloads = exchange.conversation.payloads
    mended = stuff(content)
    refused = not payloads and not exchange.done and not exchange.conversation.data_unfinished
    assert payloads == [mended] or refused, f"the client sent {payloads}, and says {exchange.report}"


BODIES = {
    "one-octet": b"x\r\n",
    "trailing-blanks": b"blanks  \r\ntab\t\r\n \t \r\n",
    "controls": bytes(octet for octet in range(1, 128) if octet not in b"\r\n") + b"\r\n",
    "empty-lines": b"\r\n\r\nbetween\r\n\r\n",
    "from-line": b"From here on\r\n>From there\r\n",
    "998-octets": b"x" * 998 + b"\r\n",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@clause("rfc5321-4.5.2-content-unchanged")
def test_content_travels_unchanged(client: Client, body: bytes) -> None:
    """What is given to the client is what travels, octet for octet, but for the dots."""
    sent = message(body)

    exchange = client.submit_to_script(Manners(), transaction(sent, [RECIPIENT]))

    assert exchange.conversation.payloads == [stuff(sent)], (
        f"the client sent {exchange.conversation.payloads}"
    )


# a long message says the same however the replies are cut
@cuts("whole")
@clause("rfc5321-4.5.2-content-unchanged")
def test_large_content_arrives_unchanged(client: Client) -> None:
    """A message of 100,000 octets arrives as it was given."""
    sent = message(
        b"".join(b"line %05d of a message that is read back\r\n" % number for number in range(2400))
    )

    _, arrived = client.deliver(sent)

    assert [octets.endswith(sent) for octets in arrived] == [True], f"{len(arrived)} messages arrived"


LONG_LINES = {"999": 999, "2000": 2000, "20000": 20000}


@pytest.mark.parametrize("length", LONG_LINES.values(), ids=LONG_LINES)
@clause("rfc5321-4.5.3.1-client-long-lines-avoided")
def test_lines_over_the_limit_are_not_sent(client: Client, length: int) -> None:
    """A line of more than 998 octets is encoded, folded or refused."""
    sent = message(b"x" * length + b"\r\n")

    exchange = client.submit_to_script(Manners(), transaction(sent, [RECIPIENT]))

    for talk in exchange.conversations:
        longest = max((len(line) for line in talk.transcript.octets("client").split(b"\n")), default=0) + 1
        assert longest <= 1000, f"the client sent a line of {longest} octets with its CRLF"


@needs("size")
@clause("rfc5321-4.5.3.1.7-size-used")
def test_size_of_large_messages_is_told(client: Client) -> None:
    """Where SIZE is on offer, MAIL tells the size of a large message."""
    sent = message(b"x" * 70 + b"\r\n" + b"line of text\r\n" * 8192)

    exchange = client.submit_to_script(Manners(extensions=["SIZE 20971520"]), transaction(sent, [RECIPIENT]))

    mail = exchange.conversation.one("MAIL")
    assert mail.parameters.get("SIZE", "").isdigit(), f"the client said {mail.line!r}"


@clause("rfc5321-4.4-no-return-path-sent")
def test_return_path_field_is_not_sent(client: Client) -> None:
    """A message that already has a Return-Path field is sent without it, or not at all."""
    sent = b"Return-Path: <old@lab.example>\r\n" + SMALL_MESSAGE

    exchange = client.submit_to_script(Manners(), transaction(sent, [RECIPIENT]))

    said = b"".join(talk.transcript.octets("client") for talk in exchange.conversations)
    assert b"return-path:" not in said.lower(), "the client sent the Return-Path field"


@clause("rfc5321-4.2.5-permanent-data-refusal-not-retried")
def test_refused_message_is_not_sent_again(client: Client) -> None:
    """A message that was refused for good after its last dot is left to the caller."""
    answers: dict[str, Answers] = {"END": b"554 5.6.0 no\r\n"}

    exchange = client.submit_to_script(Manners(answers=answers))

    mails = sum(len(talk.all("MAIL")) for talk in exchange.conversations)
    payloads = sum(len(talk.payloads) for talk in exchange.conversations)
    assert (mails, payloads) == (1, 1), f"the client said MAIL {mails} times and sent {payloads} messages"

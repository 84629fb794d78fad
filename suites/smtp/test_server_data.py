"""Servers: the message from DATA to the reply after the final dot, and what is stored of it."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import message
from suites.smtp.subjects import Server

pytestmark = role("server")

DOTS = {
    "first-line": b".first\r\nsecond\r\n",
    "every-line": b".\r\n..\r\n...\r\n.a\r\n",
    "lone-dot": b"before\r\n.\r\nafter\r\n",
}
#: What leads to DATA without an accepted recipient.
NO_RECIPIENT = {
    "no-mail": [],
    "no-rcpt": ["MAIL FROM:<sender@lab.example>"],
    "refused-rcpt": ["MAIL FROM:<sender@lab.example>", "RCPT TO:<somebody@elsewhere.example>"],
}
#: Messages whose header section or MIME structure is not what RFC 5322 and RFC 2045 ask for.
DEFECTIVE = {
    "no-header": b"just a line of text\r\n",
    "empty-header": b"\r\ntext\r\n",
    "no-from-no-date": b"Subject: defective\r\n\r\ntext\r\n",
    "no-field-name": b"Subject: defective\r\nthis line is no field\r\n\r\ntext\r\n",
    "two-subjects": b"Subject: one\r\nSubject: two\r\n\r\ntext\r\n",
    "bad-date": b"Date: the day before yesterday\r\n\r\ntext\r\n",
    "open-multipart": (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nnever closed\r\n"
    ),
    "bad-base64": b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n*** no base64 ***\r\n",
}
RESENT = {
    "to-alone": b"Resent-To: <other@lab.example>\r\n",
    "no-date": b"Resent-From: <a@lab.example>\r\nResent-To: <b@lab.example>\r\n",
    "two-from": b"Resent-From: <a@lab.example>\r\nResent-From: <b@lab.example>\r\nResent-To: <c@lab.example>\r\n",
}
ODD_TRACE = {
    "no-date": b"Received: from a.example by b.example\r\n",
    "free-text": b"Received: by hand, this morning\r\n",
    "empty": b"Received: \r\n",
    "folded-oddly": b"Received: from\r\n\t a.example\r\n by\tb.example;\r\n Mon, 2 Nov 2026 12:00:00 +0000\r\n",
    "unknown-clauses": b"Received: from [a] via pigeon with RFC1149 id <> ; 1 Apr 99 00:00 EST\r\n",
    "strange-return-path": b"Return-Path: nobody\r\n",
}


@needs("delivery")
@pytest.mark.parametrize("body", DOTS.values(), ids=DOTS)
@clause("rfc5321-4.5.2-leading-dot-removed")
def test_leading_dots_are_removed_once(server: Server, body: bytes) -> None:
    """Of each line that begins with a dot one dot is taken, and no more."""
    sent = message(body)
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, sent)

    assert reply.code == 250, f"the end of the data was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"


@clause("rfc5321-3.3-data-answered-354")
def test_data_is_answered_354_and_its_end_250(server: Server) -> None:
    """DATA is answered with 354, the end of the message with 250."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    begin = session.command("DATA")
    session.send(message() + b".\r\n")
    end = session.reply()

    assert begin.code == 354, f"DATA was answered {begin}"
    assert end.code == 250, f"the end of the data was answered {end}"


@pytest.mark.parametrize("commands", NO_RECIPIENT.values(), ids=NO_RECIPIENT)
@clause("rfc5321-3.3-data-without-recipient-refused")
def test_data_without_a_recipient_is_refused(server: Server, commands: list[str]) -> None:
    """DATA without an accepted recipient is refused with 503 or 554, at once or after the message."""
    session = server.greeted()
    for command in commands:
        session.command(command)

    reply = session.command("DATA")
    if reply.code == 354:
        session.send(message() + b".\r\n")
        reply = session.reply()

    assert reply.code in {503, 554}, f"a message for nobody was answered {reply}"


@needs("delivery")
@clause("rfc5321-4.1.1.4-success-is-confirmed")
def test_a_stored_message_is_confirmed_once(server: Server) -> None:
    """A message that is stored is answered with 250, once."""
    token, recipient = server.recipient()
    session = server.greeted()

    reply = session.deliver(recipient, message())
    after = session.quit()

    assert reply.code == 250, f"the message was answered {reply}"
    assert after.code == 221, f"after the reply to the data came {after}, not the one to QUIT"
    assert len(server.arrived(token)) == 1, "the message did not arrive"


# 20 MiB, which no cut makes more telling
@cuts("whole")
@needs("delivery")
@clause("rfc5321-4.1.1.4-failure-is-confirmed")
def test_a_message_that_is_too_large_is_refused(server: Server) -> None:
    """A message above the server's limit is refused at its end, and nothing of it is delivered."""
    token, recipient = server.recipient()
    line = b"x" * 998 + b"\r\n"

    reply = server.greeted().deliver(recipient, message(line * (MAXIMUM_SIZE // len(line) + 2)))

    assert reply.kind in {4, 5}, f"a message of more than {MAXIMUM_SIZE} octets was answered {reply}"
    stored = server.stored_after_all(token)
    assert stored == [], f"{len(stored)} messages arrived all the same"


@needs("delivery")
@pytest.mark.parametrize("sent", DEFECTIVE.values(), ids=DEFECTIVE)
@clause("rfc5321-3.3-defective-header-accepted")
def test_defective_messages_are_accepted(server: Server, sent: bytes) -> None:
    """A message is not refused for defects in its header section or its MIME structure."""
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, sent)

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"


@needs("delivery")
@pytest.mark.parametrize("fields", RESENT.values(), ids=RESENT)
@clause("rfc5321-3.3-resent-fields-accepted")
def test_resent_fields_that_do_not_match_are_accepted(server: Server, fields: bytes) -> None:
    """A message is not refused because its Resent fields do not match one another."""
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(headers=fields))

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"


@needs("delivery")
@pytest.mark.parametrize("fields", ODD_TRACE.values(), ids=ODD_TRACE)
@clause("rfc5321-3.7.2-odd-trace-accepted")
def test_odd_trace_fields_are_accepted(server: Server, fields: bytes) -> None:
    """A message is not refused for the form of its Received and Return-Path fields."""
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, fields + message())

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"

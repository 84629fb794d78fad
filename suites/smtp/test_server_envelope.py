"""Servers: sender and recipients of a transaction, and what clears them (RFC 5321, sections 3.3 and 4.1.1)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message
from suites.smtp.session import SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

#: Senders that a server may or may not take; whatever it says has to tell whether trying again helps.
ODD_SENDERS = {
    "two-ats": "<no@way@lab.example>",
    "brackets": "<><",
    "no-domain": "<sender>",
    "reserved-domain": "<sender@nowhere.invalid>",
    "long-local-part": f"<{'a' * 300}@lab.example>",
    "literal": "<sender@[192.0.2.1]>",
}


def assert_transaction_is_gone(session: SmtpSession, recipient: str) -> None:
    """Hold that sender and recipients are forgotten, and that a new transaction can begin."""
    rcpt = session.command(f"RCPT TO:<{recipient}>")
    assert rcpt.code == 503, f"RCPT was answered {rcpt}: the sender was not discarded"
    data = session.command("DATA")
    assert data.code in {503, 554}, f"DATA was answered {data}: the recipients were not discarded"
    session.mail()


@needs("delivery")
@clause("rfc5321-2.1-accepted-message-is-delivered")
def test_accepted_message_is_delivered(server: Server) -> None:
    """A message answered with 250 is there, with its sender and its content."""
    sent = message(b"one line\r\nand another\r\n")
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, sent, sender="someone@lab.example")

    assert reply.code == 250, f"the message was answered {reply}"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"
    sender = server.sender_of(token)
    assert sender == "someone@lab.example", f"the message arrived from {sender!r}"


@pytest.mark.parametrize("path", ODD_SENDERS.values(), ids=ODD_SENDERS)
@clause("rfc5321-3.3-unacceptable-sender-classified")
def test_odd_sender_is_accepted_or_refused_in_order(server: Server, path: str) -> None:
    """MAIL is answered with 250, 4yz or 5yz, and the session goes on."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:{path}")

    assert reply.code == 250 or reply.kind in {4, 5}, f"MAIL FROM:{path} was answered {reply}"
    assert session.usable(), f"after {reply} the session was not usable"


@needs("delivery")
@clause("rfc5321-3.3-many-transactions-one-session")
def test_three_transactions_in_one_session(server: Server) -> None:
    """Three messages in one session arrive, each with its own sender, recipient and text."""
    session = server.greeted()
    sent = {}
    for number in range(3):
        token, recipient = server.recipient()
        sent[token] = (f"sender{number}@lab.example", message(b"text %d\r\n" % number))
        reply = session.deliver(recipient, sent[token][1], sender=sent[token][0])
        assert reply.code == 250, f"message {number} was answered {reply}"

    for token, (sender, octets) in sent.items():
        arrived = server.arrived(token)
        assert [each.endswith(octets) for each in arrived] == [True], f"what arrived: {arrived}"
        seen = server.sender_of(token)
        assert seen == sender, f"the message from {sender} arrived from {seen!r}"


@needs("delivery")
@pytest.mark.parametrize("ending", ["message", "rset"])
@clause("rfc5321-4.1.1.2-mail-begins-anew")
def test_mail_begins_anew(server: Server, ending: str) -> None:
    """What an earlier transaction left, complete or dropped, does not appear in the next one."""
    old, old_recipient = server.recipient()
    new, new_recipient = server.recipient()
    session = server.greeted()
    session.mail("old@lab.example")
    session.rcpt(old_recipient)
    left = session.data(message(b"old text\r\n")) if ending == "message" else session.command("RSET")
    assert left.code == 250, f"the first transaction ended with {left}"

    reply = session.deliver(new_recipient, message(b"new text\r\n"), sender="new@lab.example")

    assert reply.code == 250, f"the second message was answered {reply}"
    sender = server.sender_of(new)
    assert sender == "new@lab.example", f"the second message arrived from {sender!r}"
    wanted = [b"old text"] if ending == "message" else []
    stored = server.stored_after_all(old)
    assert len(stored) == len(wanted), f"for the first recipient arrived {stored}"
    assert all(word in octets for word, octets in zip(wanted, stored, strict=True)), f"what arrived: {stored}"


@needs("delivery")
@clause("rfc5321-4.1.1.2-null-reverse-path-accepted")
def test_null_reverse_path_is_accepted(server: Server) -> None:
    """MAIL FROM:<> is accepted, and the message arrives with an empty sender."""
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(), sender="")

    assert reply.code == 250, f"the message was answered {reply}"
    sender = server.sender_of(token)
    assert sender == "", f"the message arrived from {sender!r}"


@needs("delivery")
@clause("rfc5321-4.1.1.3-recipients-add-up")
def test_recipients_add_up(server: Server) -> None:
    """Each RCPT adds a recipient; one that is refused takes none away, and the sender stays."""
    first, first_recipient = server.recipient()
    last, last_recipient = server.recipient()
    session = server.greeted()
    session.mail("stays@lab.example")
    session.rcpt(first_recipient)

    refused = session.command("RCPT TO:<somebody@elsewhere.example>")
    session.rcpt(last_recipient)
    reply = session.data(message())

    assert refused.kind in {4, 5}, f"a recipient elsewhere was answered {refused}"
    assert reply.code == 250, f"the message was answered {reply}"
    senders = [server.sender_of(token) for token in (first, last)]
    assert senders == ["stays@lab.example"] * 2, f"the message arrived from {senders}"


@clause("rfc5321-4.1.1.4-buffers-cleared-after-data")
def test_transaction_is_over_after_the_data(server: Server) -> None:
    """After the end of the data sender and recipients are gone."""
    _, recipient = server.recipient()
    session = server.greeted()

    reply = session.deliver(recipient, message())

    assert reply.code == 250, f"the message was answered {reply}"
    assert_transaction_is_gone(session, recipient)


@needs("delivery")
@clause("rfc5321-4.1.1.5-rset-discards")
def test_rset_discards_the_transaction(server: Server) -> None:
    """RSET discards sender and recipients: RCPT and DATA are out of order, and nothing is delivered."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    session.expect(250, "RSET")

    assert_transaction_is_gone(session, recipient)
    stored = server.stored_after_all(token)
    assert stored == [], f"something was delivered: {stored}"


@needs("delivery")
@pytest.mark.parametrize(
    "command", ["VRFY postmaster", "EXPN postmaster", "HELP"], ids=["vrfy", "expn", "help"]
)
@clause("rfc5321-4.1.1.6-vrfy-keeps-transaction")
def test_questions_leave_the_transaction(server: Server, command: str) -> None:
    """VRFY, EXPN and HELP in a transaction change nothing, whatever they are answered."""
    token, recipient = server.recipient()
    session = server.greeted()

    session.mail()
    session.command(command)
    session.rcpt(recipient)
    session.command(command)
    reply = session.data(message())

    assert reply.code == 250, f"the message was answered {reply}"
    sender = server.sender_of(token)
    assert sender == SENDER, f"the message arrived from {sender!r}"

"""Servers: what a submission server does to the messages that are submitted (RFC 6409, sections 4, 5 and 8)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("submission", "auth-plain", "delivery")]

DATE = b"Date: Mon, 02 Nov 2026 12:00:00 +0000\r\n"
FROM = b"From: <sender@lab.example>\r\n"
BODY = b"\r\nA line.\r\n"

#: Messages that lack what RFC 5322, section 3.6, asks for.
INCOMPLETE = {
    "no-date": FROM + BODY,
    "no-from": DATE + BODY,
    "no-field": BODY,
}
MESSAGE_ID = re.compile(rb"(?im)^Message-ID:[ \t]*<[^<>@\s]+@[^<>@\s]+>[ \t]*\r$")
ADDRESS_FIELD = re.compile(rb"(?im)^(?:From|To|Cc|Sender|Reply-To):[^\n]*\n(?:[ \t][^\n]*\n)*")


def submitted(server: Server, content: bytes, *, sender: str = SENDER) -> bytes | None:
    """Submit a message: it as it was stored, or ``None`` where it was refused for good."""
    token, recipient = server.recipient()
    session = server.authenticated("submission")
    mail = session.command(f"MAIL FROM:<{sender}>")
    if mail.kind == 5:
        return None
    assert mail.code == 250, f"MAIL was answered {mail}"
    session.rcpt(recipient)
    reply = session.data(content)
    if reply.kind == 5:
        return None
    assert reply.code == 250, f"the end of the data was answered {reply}"
    arrived = server.arrived(token)
    assert len(arrived) == 1, f"{len(arrived)} messages arrived"
    return arrived[0]


def header(stored: bytes) -> bytes:
    """The header section, its last CRLF included."""
    return stored.partition(b"\r\n\r\n")[0] + b"\r\n"


@clause("rfc6409-4.2-envelope-domains-qualified")
def test_a_stored_sender_has_a_qualified_domain(server: Server) -> None:
    """A sender at a domain of one label is refused, or completed before the message is stored."""
    token, recipient = server.recipient()
    session = server.authenticated("submission")
    if session.command("MAIL FROM:<a@sales>").kind == 5:
        return
    session.rcpt(recipient)
    reply = session.data(DATE + FROM + BODY)
    assert reply.code == 250, f"the end of the data was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message was accepted and did not arrive"

    senders = server.host.mailbox.senders(token)

    assert all("." in sender.rpartition("@")[2] for sender in senders), f"the stored envelope says {senders}"


@clause("rfc6409-4.2-header-domains-qualified")
def test_a_changed_header_has_qualified_domains(server: Server) -> None:
    """A server that does more than add trace fields completes the domains in address fields, or refuses."""
    sent = DATE + b"From: <a@sales>\r\nTo: <b@sales>\r\n" + BODY

    stored = submitted(server, sent)

    if stored is not None and not stored.endswith(sent):
        fields = b"".join(ADDRESS_FIELD.findall(header(stored)))
        assert not re.search(rb"@[^\s.>]+[\s>]", fields), (
            f"the message was changed, and its header says {fields!r}"
        )


@clause("rfc6409-5.1-illegal-header-address-rejected")
def test_a_server_that_changes_messages_refuses_illegal_addresses(server: Server) -> None:
    """A server that does more than add trace fields refuses illegal addresses in address fields."""
    sent = DATE + FROM + b"To: <a b@>\r\n" + BODY

    stored = submitted(server, sent)

    assert stored is None or stored.endswith(sent), f"the message was changed and stored: {stored!r}"


@pytest.mark.parametrize("sent", INCOMPLETE.values(), ids=INCOMPLETE)
@clause("rfc6409-8-delivered-message-conforms")
def test_a_stored_message_has_date_and_from(server: Server, sent: bytes) -> None:
    """A message that lacks Date or From is refused, or stored with one of each."""
    stored = submitted(server, sent)

    if stored is not None:
        counts = {
            name: len(re.findall(rb"(?im)^%s:[ \t]*\S" % name, header(stored))) for name in (b"Date", b"From")
        }
        assert set(counts.values()) == {1}, f"fields of the stored message: {counts}"


@clause("rfc6409-8.1-sender-field-valid")
def test_an_added_sender_field_holds_a_valid_address(server: Server) -> None:
    """Where the server adds a Sender field, mail to that address is taken."""
    stored = submitted(server, DATE + b"From: <somebody.else@lab.example>\r\n" + BODY)

    fields = re.findall(rb"(?im)^Sender:[ \t]*(?:[^<\r\n]*<)?([^<>\s]*)>?[ \t]*\r$", header(stored or b""))
    for address in fields:
        session = server.greeted()
        session.mail()
        reply = session.command(b"RCPT TO:<%s>" % address)
        assert reply.code == 250, f"the Sender field says {address!r}, to which RCPT gets {reply}"


@pytest.mark.parametrize("field", [b"", b"Message-ID: nonsense\r\n"], ids=["missing", "malformed"])
@clause("rfc6409-8.3-message-id-added")
def test_a_message_id_is_added(server: Server, field: bytes) -> None:
    """A message without Message-ID, or with one of no valid syntax, is stored with a valid one."""
    stored = submitted(server, DATE + FROM + field + BODY)

    assert stored is not None, "the message was refused"
    lines = re.findall(rb"(?im)^Message-ID:[^\n]*\n", header(stored))
    assert len(lines) == 1, f"the stored message has {lines}"
    assert MESSAGE_ID.match(lines[0]), f"the stored message has {lines[0]!r}"


@clause("rfc6409-8.8-forward-address-not-rewritten")
def test_the_local_part_of_a_recipient_stays_as_it_is(server: Server) -> None:
    """The local part of a recipient keeps its letters, in the envelope and in the header."""
    token, _ = server.recipient()
    recipient = server.host.recipient(f"MiXeD.Case-{token}")
    field = f"To: <{recipient}>\r\n".encode()
    session = server.authenticated("submission")

    reply = session.deliver(recipient, DATE + FROM + field + BODY)

    assert reply.code == 250, f"the end of the data was answered {reply}"
    (stored,) = server.arrived(token)
    assert field in header(stored), f"the To field was rewritten: {header(stored)!r}"
    assert recipient in server.host.mailbox.recipients(token), (
        f"the stored envelope says {server.host.mailbox.recipients(token)}"
    )

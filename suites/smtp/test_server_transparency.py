"""Servers: what is stored is what was sent, and nothing else (RFC 5321, sections 4.5.2, 6.3 and 7.2)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import message
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("delivery")]

#: Octets of US-ASCII by kind, CR and LF left out: they only come as line ends (section 2.3.8).
CHARACTERS = {
    "printable": bytes(range(32, 127)),
    "tabs": b"a\tb\t\tc\x0bd\x0ce",
    "controls": bytes(code for code in range(1, 32) if code not in b"\r\n"),
    "delete": b"a\x7fb",
    "nul": b"a\0b",
}
#: Bodies that a mailbox format or a careless line reader may spoil.
BODIES = {
    "blanks-at-the-end": b"one \r\ntwo\t\r\n  \r\nlast   \r\n",
    "from-lines": b"\r\nFrom somebody Mon Nov  2 12:00:00 2026\r\n>From here\r\n>>From there\r\n",
    "empty-lines": b"\r\n\r\nbetween\r\n\r\n\r\n",
    "dots": b".\r\n..\r\n. \r\n.x\r\n",
    "nothing": b"",
    "words-of-smtp": b"QUIT\r\nRSET\r\nMAIL FROM:<sender@lab.example>\r\n",
    "equals-signs": b"=20\r\n=\r\n=C3=BC\r\n",
}
#: What stands in a message's To field; its envelope always names somebody else.
HEADERS = {
    "others": b"From: <other@elsewhere.example>\r\nTo: <another@elsewhere.example>\r\n\r\ntext\r\n",
    "no-to": b"From: <other@elsewhere.example>\r\nSubject: for whom?\r\n\r\ntext\r\n",
    "group": b"From: <other@elsewhere.example>\r\nTo: undisclosed-recipients:;\r\n\r\ntext\r\n",
    "folded": b"To: <a@elsewhere.example>,\r\n <b@elsewhere.example>,\r\n\t<c@elsewhere.example>\r\n\r\ntext\r\n",
}
ADDRESS_FIELDS = frozenset({b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"apparently-to"})
RECEIVED = b"Received: from a%d.example by b%d.example; Mon, 02 Nov 2026 12:00:00 +0000\r\n"


def assert_arrives_unchanged(server: Server, sent: bytes) -> bytes:
    """Hold that a message arrives octet for octet, and return what the server put on top of it."""
    token, recipient = server.recipient()
    reply = server.greeted().deliver(recipient, sent)
    assert reply.code == 250, f"the message was answered {reply}"
    arrived = server.arrived(token)
    whole = [octets.endswith(server.host.mailbox.shown(sent)) for octets in arrived]
    assert whole == [True], f"of {sent!r} arrived {arrived}"
    return arrived[0][: -len(sent)]


@pytest.mark.parametrize("characters", CHARACTERS.values(), ids=CHARACTERS)
@clause("rfc5321-4.5.2-all-characters-delivered")
def test_all_characters_arrive(server: Server, characters: bytes) -> None:
    """Every character of US-ASCII in the data reaches the mailbox."""
    assert_arrives_unchanged(server, message(b"before\r\n" + characters + b"\r\nafter\r\n"))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@clause("rfc5321-4.5.2-transformations-reversible")
def test_storing_spoils_nothing(server: Server, body: bytes) -> None:
    """Whatever is done to a message for storing it is undone when it is read."""
    assert_arrives_unchanged(server, message(body))


@pytest.mark.parametrize(
    "body", [b"", b"text\r\n", b"text\r\n\r\n"], ids=["empty", "text", "blank-line-last"]
)
@clause("rfc5321-4.5.2-dot-line-ends-data")
def test_the_dot_line_ends_the_data_and_is_no_part_of_it(server: Server, body: bytes) -> None:
    """A line of one dot ends the message without being in it; what follows is a command."""
    token, recipient = server.recipient()
    sent = message(body)
    session = server.greeted()

    reply = session.deliver(recipient, sent)

    assert reply.code == 250, f"the dot line was answered {reply}"
    assert session.usable(), "the server did not go on to take commands"
    arrived = server.arrived(token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"of {sent!r} arrived {arrived}"


@pytest.mark.parametrize("sent", HEADERS.values(), ids=HEADERS)
@clause("rfc5321-7.2-envelope-does-not-alter-header")
def test_the_header_is_not_altered_by_the_envelope(server: Server, sent: bytes) -> None:
    """A header section that has nothing to do with the envelope arrives as it was, and no address is added to it."""
    added = assert_arrives_unchanged(server, sent)

    names = {name.lower() for name in re.findall(rb"(?m)^([!-9;-~]+)[ \t]*:", added)}
    assert names.isdisjoint(ADDRESS_FIELDS), f"on top of the message stands {added!r}"


@clause("rfc5321-7.2-server-keeps-blind-copies-blind")
def test_recipients_are_not_told_of_one_another(server: Server) -> None:
    """The copy that arrives for one recipient does not name all the others."""
    recipients = [server.recipient() for _ in range(3)]
    session = server.greeted()
    session.mail()
    for _, recipient in recipients:
        session.rcpt(recipient)

    reply = session.data(message())

    assert reply.code == 250, f"the message was answered {reply}"
    for token, _ in recipients:
        others = [other.encode() for other, _ in recipients if other != token]
        for octets in server.arrived(token):
            # one of them a FOR clause may name (section 4.4)
            named = [other for other in others if other in octets]
            assert len(named) < len(others), f"the copy for {token} names all others: {octets!r}"


@clause("rfc5321-6.3-hundred-received-fields")
def test_ninety_nine_received_fields_are_no_loop(server: Server) -> None:
    """A message with 99 Received fields is not taken for one that goes round in circles."""
    assert_arrives_unchanged(
        server, b"".join(RECEIVED % (number, number) for number in range(99)) + message()
    )

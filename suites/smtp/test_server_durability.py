"""Servers: a reply is a promise, of what is delivered and of what is not (RFC 5321, sections 4.2.5, 4.3.1 and 6.1)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailbox import wait_for
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import message, new_token, sized_message
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("delivery")]


@pytest.mark.parametrize("order", ["accepted-first", "refused-first"])
@clause("rfc5321-4.3.1-codes-mean-what-they-say")
def test_mail_goes_to_the_recipients_accepted_and_to_no_other(server: Server, order: str) -> None:
    """Of several recipients those answered 250 get the message; one that was refused does not."""
    token, accepted = server.recipient()
    refused = f"{token}@elsewhere.example"
    last, last_accepted = server.recipient()
    session = server.greeted()
    session.mail()

    named = [accepted, refused] if order == "accepted-first" else [refused, accepted]
    answers = {name: session.command(f"RCPT TO:<{name}>") for name in [*named, last_accepted]}
    reply = session.data(message())

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(last)) == 1, "the message did not arrive for the last recipient"
    promised = {name for name in named if answers[name].kind == 2}
    stored = server.recipients(token, count=len(promised))
    assert stored == promised, f"2yz was said to {promised}, the message arrived for {stored}"


# a process of its own is started for it, and the way a stream is cut has no part in it
@cuts("whole")
@clause("rfc5321-4.2.5-temporary-refusal-not-delivered")
def test_a_message_put_off_is_not_delivered_later(server: Server) -> None:
    """A message that could not be stored, and was refused, is not delivered once there is room again."""
    twin = server.twin()
    session = server.connect(to=twin)
    session.ehlo()
    token, mark = new_token(), new_token()

    with twin.folder.taken_away():
        refused = session.deliver(twin.recipient(token), message())

    assert refused.kind in {4, 5}, f"nothing could be stored; the message was answered {refused}"
    assert session.usable(), f"after {refused} the session was not usable"
    accepted = session.deliver(twin.recipient(mark), message())
    assert accepted.code == 250, f"with room again a message was answered {accepted}"
    assert len(wait_for(twin.mailbox, mark)) == 1, "with room again a message did not arrive"
    stored = twin.mailbox.find(token)
    assert stored == [], f"the message answered {refused} was delivered all the same"


# 20 MiB, which no cut makes more telling
@cuts("whole")
@clause("rfc5321-4.2.5-permanent-refusal-not-delivered")
def test_a_message_refused_for_good_is_not_delivered(server: Server) -> None:
    """A message above the server's limit is refused at its end, and does not arrive."""
    token, recipient = server.recipient()
    session = server.connect(timeout=20.0)
    session.ehlo()

    refused = session.deliver(recipient, sized_message(MAXIMUM_SIZE + 100_000, line=b"x" * 990))

    assert refused.kind in {4, 5}, f"a message above {MAXIMUM_SIZE} octets was answered {refused}"
    stored = server.stored_after_all(token)
    assert stored == [], f"the message answered {refused} was delivered all the same"


# a process of its own is started and killed; the way a stream is cut has no part in it
@cuts("whole")
@pytest.mark.parametrize("size", [1000, 1_000_000], ids=["small", "large"])
@clause("rfc5321-6.1-accepted-message-survives")
def test_an_accepted_message_survives_the_server(server: Server, size: int) -> None:
    """A message answered with 250 is there, and whole, though the server is killed right after."""
    twin = server.twin()
    session = server.connect(to=twin)
    session.ehlo()
    token, sent = new_token(), sized_message(size, line=b"x" * 70)

    reply = session.deliver(twin.recipient(token), sent)
    twin.kill()

    assert reply.code == 250, f"the message was answered {reply}"
    stored = twin.mailbox.find(token)
    assert [octets.endswith(sent) for octets in stored] == [True], (
        f"messages of {[len(octets) for octets in stored]} octets are there, {size} octets were sent"
    )

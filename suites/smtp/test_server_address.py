"""Servers: mailboxes, local-parts and source routes in a path (RFC 5321, sections 2.3, 2.4, 3.3, 4.1.1.3 and 4.1.2)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import message
from suites.smtp.subjects import Server

pytestmark = role("server")

#: Addresses elsewhere whose local-part looks like an address of ours.
DISGUISED = {
    "percent": "recipient%lab.example@elsewhere.example",
    "bang": "lab.example!recipient@elsewhere.example",
    "quoted-at": '"recipient@lab.example"@elsewhere.example',
}
#: Local-parts that the syntax allows, before the token that follows them.
LOCAL_PARTS = {
    "dot": "a.b.{}",
    "plus": "a+{}",
    "atext": "!#$&'*-/=?^_`{{|}}~{}",
    "percent": "a%b{}",
    "digits": "0{}",
    "quoted-blank": '"with blank {}"',
    "quoted-at": '"at@sign {}"',
    "quoted-bracket": '"angle>bracket {}"',
    "quoted-backslash": '"back\\\\slash {}"',
}
ROUTES = {"one-host": "@a.example:", "two-hosts": "@a.example,@b.example:"}


def local_part(server: Server, form: str) -> tuple[str, str]:
    """A fresh token and an address of ours with a local-part of this form.

    The server's own way of making addresses (an extension after the account's name, say) is kept to.
    """
    token, recipient = server.recipient()
    local, _, domain = recipient.partition("@")
    prefix = local.removesuffix(token)
    made = form.format(token)
    quoted = made.startswith('"')
    return token, f'"{prefix}{made[1:]}@{domain}' if quoted else f"{prefix}{made}@{domain}"


@pytest.mark.parametrize("word", ["Postmaster", "postmaster", "POSTMASTER"])
@clause("rfc5321-2.3.5-bare-postmaster-accepted")
def test_postmaster_without_a_domain(server: Server, word: str) -> None:
    """RCPT TO:<Postmaster> is accepted."""
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{word}>")

    assert reply.code in {250, 251, 252}, f"RCPT TO:<{word}> was answered {reply}"


@pytest.mark.parametrize("address", DISGUISED.values(), ids=DISGUISED)
@clause("rfc5321-2.3.11-foreign-local-part-not-interpreted")
def test_local_parts_of_others_are_not_interpreted(server: Server, address: str) -> None:
    """An address elsewhere is refused as such, though its local-part holds an address of ours."""
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{address}>")

    assert reply.kind == 5, f"RCPT TO:<{address}> was answered {reply}"


@needs("delivery")
@clause("rfc5321-2.4-server-local-part-case")
def test_local_parts_keep_their_case(server: Server) -> None:
    """Local-parts of sender and recipient arrive with the case that they were sent in."""
    token, recipient = local_part(server, "MiXeD{}")
    session = server.greeted()

    reply = session.deliver(recipient, message(), sender="SeNdEr@lab.example")

    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"
    stored = server.host.mailbox.recipients(token)
    assert stored == [recipient], f"the message for {recipient} arrived for {stored}"
    sender = server.sender_of(token)
    assert sender == "SeNdEr@lab.example", f"the message arrived from {sender!r}"


@needs("delivery")
@pytest.mark.parametrize("form", LOCAL_PARTS.values(), ids=LOCAL_PARTS)
@clause("rfc5321-4.1.1-server-local-part-syntax")
def test_every_form_of_local_part_is_understood(server: Server, form: str) -> None:
    """A local-part in any form that the syntax allows is no error; where it is accepted the message arrives."""
    token, recipient = local_part(server, form)
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>")

    # a site may define no such mailbox (section 4.1.1), but has to take the address for one
    assert reply.code in {250, 550, 553, 554}, f"RCPT TO:<{recipient}> was answered {reply}"
    if reply.code == 250:
        end = session.data(message())
        assert end.code == 250, f"the message was answered {end}"
        assert len(server.arrived(token)) == 1, f"the message for {recipient} did not arrive"


@needs("delivery")
@pytest.mark.parametrize("form", ['"{}"', '"\\{}"'], ids=["quoted", "quoted-pair"])
@clause("rfc5321-4.1.2-quoted-forms-equal")
def test_quoted_forms_are_the_same_mailbox(server: Server, form: str) -> None:
    """A local-part in quotes, or with a needless backslash, stands for the mailbox that the plain form names."""
    token, plain = server.recipient()
    local, _, domain = plain.partition("@")
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{form.format(local)}@{domain}>")

    assert reply.code == 250, f"RCPT TO:<{form.format(local)}@{domain}> was answered {reply}"
    end = session.data(message())
    assert end.code == 250, f"the message was answered {end}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"


# source routes


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@clause("rfc5321-4.1.1.3-source-route-recognised", "rfc5321-3.3-source-route-handled")
def test_source_routes_are_recognised(server: Server, route: str) -> None:
    """A source route is no syntax error: it is ignored, or declined as a matter of policy, and the session goes on."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{route}{recipient}>")

    assert reply.code in {250, 251, 550, 551, 553, 554}, f"a source route was answered {reply}"
    session.rcpt(recipient)


@needs("delivery")
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@clause("rfc5321-4.1.1.3-source-route-stripped")
def test_source_routes_are_stripped(server: Server, route: str) -> None:
    """A source route before a mailbox of ours is stripped, and the message delivered."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{route}{recipient}>")

    assert reply.code == 250, f"a source route was answered {reply}"
    end = session.data(message())
    assert end.code == 250, f"the message was answered {end}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"
    stored = server.host.mailbox.recipients(token)
    assert stored == [recipient], f"the message arrived for {stored}"


@needs("delivery")
@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
@clause("rfc5321-4.1.1.3-route-not-in-reverse-path")
def test_source_routes_stay_out_of_the_sender(server: Server, route: str) -> None:
    """Where a source route is accepted, its hosts do not appear in the sender."""
    token, recipient = server.recipient()
    session = server.greeted()
    session.mail("plain@lab.example")

    accepted = session.command(f"RCPT TO:<{route}{recipient}>").kind == 2

    if accepted:
        end = session.data(message())
        assert end.code == 250, f"the message was answered {end}"
        sender = server.sender_of(token)
        assert sender == "plain@lab.example", f"the message arrived from {sender!r}"

"""Servers: STARTTLS, and what is forgotten when TLS begins (RFC 3207)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import StreamError
from suites.smtp.mailhost import PortName
from suites.smtp.message import SENDER, message
from suites.smtp.parameters import SECURE_PORTS
from suites.smtp.session import DRIVER_NAME
from suites.smtp.subjects import Server

pytestmark = role("server")

#: What an attacker may put behind the STARTTLS line, in the same segment.
INJECTED = {
    "noop": b"NOOP\r\n",
    "unknown-command": b"XERLE\r\n",
    "mail": b"EHLO attacker.example\r\nMAIL FROM:<attacker@lab.example>\r\n",
}

#: Commands that a server which demands TLS refuses without it, with words that are right otherwise.
REFUSED_WITHOUT_TLS = {
    "mail": f"MAIL FROM:<{SENDER}>",
    "rcpt": "RCPT TO:<postmaster@lab.example>",
    "data": "DATA",
    "rset": "RSET",
    "vrfy": "VRFY postmaster",
}


@needs("starttls")
@clause("rfc3207-4-starttls-220")
def test_starttls_gets_220_and_a_handshake(server: Server) -> None:
    """An offer of STARTTLS is kept: 220, a handshake, and a session inside TLS."""
    session = server.greeted()
    assert "STARTTLS" in session.extensions, f"EHLO lists {sorted(session.extensions)}"

    session.starttls()

    reply = session.command(f"EHLO {DRIVER_NAME}")
    assert reply.code == 250, f"EHLO inside TLS was answered {reply}"


@needs("starttls")
@clause("rfc3207-4-starttls-parameter-501")
def test_starttls_with_a_parameter_gets_501(server: Server) -> None:
    """STARTTLS with a parameter gets 501 and the session goes on in the clear."""
    session = server.greeted()

    reply = session.command("STARTTLS now")

    assert reply.code == 501, f"STARTTLS with a parameter was answered {reply}"
    assert session.usable(), "the session did not go on in the clear"


@needs("starttls")
@clause("rfc3207-4.2-forgets-client-after-tls")
def test_a_transaction_does_not_outlive_starttls(server: Server) -> None:
    """A transaction begun in the clear is gone inside TLS."""
    session = server.greeted()
    session.mail()
    starttls = session.command("STARTTLS")
    if starttls.code != 220:
        # a server may refuse to begin TLS in a transaction; then the clear transaction is to end first
        assert starttls.kind in {4, 5}, f"STARTTLS in a transaction was answered {starttls}"
        session.expect(250, "RSET")
        session.expect(220, "STARTTLS")
    session.handshake()

    # no EHLO comes between: it would end the transaction by itself
    reply = session.command(f"RCPT TO:<{server.recipient()[1]}>")

    assert reply.code == 503, f"RCPT after a MAIL that was said in the clear was answered {reply}"


@needs("starttls", "trace", "delivery")
@clause("rfc3207-4.2-forgets-client-after-tls")
def test_the_name_said_before_starttls_is_forgotten(server: Server) -> None:
    """The name that EHLO gave in the clear is in no trace field of mail that came inside TLS."""
    token, recipient = server.recipient()
    session = server.connect()
    session.ehlo("said-in-the-clear.example")
    session.starttls()
    session.ehlo("said-inside-tls.example")

    session.deliver(recipient, message())

    (arrived,) = server.arrived(token)
    assert b"said-in-the-clear.example" not in arrived, f"what arrived names the forgotten host: {arrived!r}"


@needs("starttls")
@clause("rfc3207-4.2-initial-state-after-tls")
def test_starttls_leads_back_to_the_initial_state(server: Server) -> None:
    """After the handshake the server says nothing of its own and treats MAIL as it does after its greeting."""
    fresh = server.connect().command(f"MAIL FROM:<{SENDER}>")
    session = server.greeted()
    session.starttls()

    reply = session.command(f"MAIL FROM:<{SENDER}>")

    assert reply.code == fresh.code, (
        f"MAIL before EHLO was answered {fresh} on a fresh connection and {reply} after STARTTLS"
    )


@needs("starttls")
@cuts("whole")  # the attack is one segment; cut, the rest is a broken handshake
@pytest.mark.parametrize("injected", INJECTED.values(), ids=INJECTED)
@clause("rfc3207-4.2-plaintext-after-starttls-not-executed")
def test_commands_behind_starttls_are_not_executed_inside_tls(server: Server, injected: bytes) -> None:
    """Commands that came in the clear behind STARTTLS get no reply and have no effect inside TLS."""
    session = server.greeted()
    session.send(b"STARTTLS\r\n" + injected)
    starttls = session.reply()
    if starttls.code != 220:
        return  # a server may turn the whole segment down; nothing then runs inside TLS
    try:
        session.handshake()
    except StreamError:
        return  # nor does it where the handshake breaks

    codes = [session.command(line).code for line in ("XERLE", f"RCPT TO:<{SENDER}>", f"EHLO {DRIVER_NAME}")]

    assert codes[2] == 250, f"the replies inside TLS are out of step: {codes}"
    assert all(code >= 500 for code in codes[:2]), f"XERLE and RCPT at the start of TLS were answered {codes}"


@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc3207-4.2-starttls-not-offered-over-tls")
def test_starttls_is_not_offered_inside_tls(server: Server, port: PortName) -> None:
    """The reply to EHLO inside TLS does not list STARTTLS."""
    session = server.greeted(port)
    if port == "plain":
        session.starttls()
        session.ehlo()

    offered = session.extensions

    assert "STARTTLS" not in offered, f"EHLO inside TLS lists {sorted(offered)}"


@needs("starttls", "delivery")
@clause("rfc3207-4-local-delivery-without-tls")
def test_local_mail_is_taken_without_tls(server: Server) -> None:
    """Mail for the server's own domain is taken in the clear though STARTTLS is offered."""
    token, recipient = server.recipient()
    session = server.greeted()

    reply = session.deliver(recipient, message())

    assert reply.code == 250, f"a message in the clear was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message was accepted and did not arrive"


@needs("starttls", "delivery")
@clause("rfc3207-6-opportunistic-server")
def test_mail_is_taken_with_tls_and_without(server: Server) -> None:
    """The same port takes mail from those who ask for TLS and from those who do not."""
    token, recipient = server.recipient()

    replies = [session.deliver(recipient, message()) for session in (server.greeted(), server.secure())]

    assert [reply.code for reply in replies] == [250, 250], f"in the clear and inside TLS: {replies}"
    assert len(server.arrived(token, count=2)) == 2, "not both messages arrived"


@needs("starttls", "submission", "auth-plain", "delivery")
@clause("rfc3207-6-can-require-tls-server")
def test_submission_in_the_clear_is_refused(server: Server) -> None:
    """The submission port takes no message in the clear, and takes it inside TLS."""
    token, recipient = server.recipient()
    clear = server.greeted("submission")

    codes = [clear.command(line).code for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{recipient}>", "DATA")]
    secure = server.authenticated("submission").deliver(recipient, message())

    assert codes[2] != 354, f"MAIL, RCPT and DATA in the clear were answered {codes}"
    assert secure.code == 250, f"the message inside TLS was answered {secure}"
    assert len(server.arrived(token)) == 1, "not exactly the message sent inside TLS arrived"


@needs("starttls", "submission")
@pytest.mark.parametrize("command", REFUSED_WITHOUT_TLS.values(), ids=REFUSED_WITHOUT_TLS)
@clause("rfc3207-4-tls-required-530")
def test_commands_that_need_tls_get_530(server: Server, command: str) -> None:
    """Where TLS is demanded, commands without it get 530."""
    session = server.greeted("submission")

    reply = session.command(command)

    assert reply.code == 530, f"{command} in the clear was answered {reply}"


@needs("starttls", "submission")
@clause("rfc3207-4-tls-required-530")
def test_noop_ehlo_and_quit_need_no_tls(server: Server) -> None:
    """Where TLS is demanded, NOOP, EHLO and QUIT are answered as ever."""
    session = server.connect("submission")

    codes = [session.command(line).code for line in ("NOOP", f"EHLO {DRIVER_NAME}", "QUIT")]

    assert codes == [250, 250, 221], f"NOOP, EHLO and QUIT in the clear were answered {codes}"


@needs("starttls", "submission", "enhanced-status-codes")
@clause("rfc3207-4-tls-required-5.7.0")
def test_the_refusal_for_want_of_tls_says_5_7_0(server: Server) -> None:
    """The refusal of a command for want of TLS carries the enhanced status code 5.7.0."""
    session = server.greeted("submission")

    reply = session.command(f"MAIL FROM:<{SENDER}>")

    assert reply.kind == 5, f"MAIL in the clear was answered {reply}"
    assert reply.enhanced == (5, 7, 0), f"the refusal says {reply}"

"""Servers: AUTH as a command: what is offered when, and how it is answered (RFC 4954)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.mailhost import PortName
from suites.smtp.message import DOMAIN, SENDER, message
from suites.smtp.parameters import MECHANISMS, SECURE_PORTS
from suites.smtp.replies import Reply
from suites.smtp.sasl import authenticate, credentials
from suites.smtp.session import DRIVER_NAME, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

#: RFC 4422, section 3.1.
MECHANISM_NAME = re.compile(r"[A-Z0-9_-]{1,20}")
#: The mechanisms by which a listener on the line learns the password.
PLAINTEXT_MECHANISMS = {"PLAIN", "LOGIN"}

#: How clients that have not logged in say who submitted the message (section 5, with its own example).
SUBMITTERS = {"unknown": "AUTH=<>", "named": "AUTH=e+3Dmc2@example.com"}

#: Commands to which want of authentication is no hindrance (section 6), with their usual replies.
NEVER_530 = {f"EHLO {DRIVER_NAME}": 250, "NOOP": 250, "RSET": 250, "QUIT": 221}


def cancelled(session: SmtpSession, reply: Reply) -> None:
    """Leave the exchange where the reply has opened one."""
    if reply.code == 334:
        session.command("*")


@needs("auth-plain")
@clause("rfc4954-3-mechanism-list")
def test_each_mechanism_listed_can_be_begun(server: Server) -> None:
    """AUTH lists names of mechanisms with single spaces between, and each of them begins an exchange."""
    session = server.secure()
    listed = session.extensions.get("AUTH", [])
    assert listed, f"EHLO lists {session.extensions}"
    assert all(MECHANISM_NAME.fullmatch(name) for name in listed), f"AUTH lists {listed}"

    for name in listed:
        reply = session.command(f"AUTH {name}")

        assert reply.code in {334, 235} or (reply.kind == 5 and reply.code != 504), (
            f"AUTH {name} was answered {reply}"
        )
        cancelled(session, reply)


@pytest.mark.parametrize("mechanism", MECHANISMS)
@clause("rfc4954-4-success-235")
def test_success_gets_235(server: Server, mechanism: str) -> None:
    """An exchange with the right password is answered with 235."""
    session = server.secure()

    reply = authenticate(session, mechanism, server.account)

    assert reply.code == 235, f"{mechanism} with the right password was answered {reply}"


@needs("auth-plain")
@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc4954-4-plain-over-tls-server")
def test_plain_works_inside_tls(server: Server, port: PortName) -> None:
    """PLAIN is listed inside TLS, and the right password gets 235."""
    session = server.secure() if port == "plain" else server.greeted("tls")
    assert "PLAIN" in session.extensions.get("AUTH", []), f"EHLO inside TLS lists {session.extensions}"

    reply = session.command(b"AUTH PLAIN " + credentials(server.account))

    assert reply.code == 235, f"PLAIN with the right password was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-4-second-auth-503")
def test_auth_after_success_gets_503(server: Server) -> None:
    """After one AUTH has succeeded a second one gets 503."""
    session = server.authenticated()

    reply = session.command(b"AUTH PLAIN " + credentials(server.account))

    assert reply.code == 503, f"the second AUTH was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-4-auth-in-transaction-503")
def test_auth_in_a_transaction_gets_503(server: Server) -> None:
    """AUTH between MAIL and the end of the transaction gets 503."""
    session = server.secure()
    session.mail()

    reply = session.command(b"AUTH PLAIN " + credentials(server.account))

    assert reply.code == 503, f"AUTH after MAIL was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-4-unknown-mechanism-504")
def test_an_unknown_mechanism_gets_504(server: Server) -> None:
    """AUTH with a mechanism that the server does not support gets 504."""
    session = server.secure()

    reply = session.command("AUTH X-ERLE")

    assert reply.code == 504, f"AUTH X-ERLE was answered {reply}"


@needs("auth-plain", "enhanced-status-codes")
@clause("rfc4954-4-unknown-mechanism-5.5.4")
def test_the_refusal_of_an_unknown_mechanism_says_5_5_4(server: Server) -> None:
    """The refusal of a mechanism that the server does not support carries 5.5.4."""
    session = server.secure()

    reply = session.command("AUTH X-ERLE")

    assert reply.enhanced == (5, 5, 4), f"AUTH X-ERLE was answered {reply}"


@needs("auth-plain")
@pytest.mark.parametrize("stranger", ["", "nobody-here"], ids=["wrong-password", "unknown-user"])
@clause("rfc4954-4-bad-credentials-535")
def test_bad_credentials_get_535(server: Server, stranger: str) -> None:
    """Credentials that do not hold get 535."""
    session = server.secure()

    reply = session.auth_plain(stranger or server.account.username, "not the password")

    assert reply.code == 535, f"bad credentials were answered {reply}"


@needs("auth-plain", "enhanced-status-codes")
@clause("rfc4954-6-suggested-codes")
def test_replies_to_auth_carry_the_suggested_status_codes(server: Server) -> None:
    """Success says 2.7.0, credentials that do not hold 5.7.8."""
    session = server.secure()

    wrong = session.auth_plain(server.account.username, "not the password")
    right = session.auth_plain(server.account.username, server.account.password)

    assert (wrong.enhanced, right.enhanced) == ((5, 7, 8), (2, 7, 0)), f"the replies: {wrong}, {right}"


@needs("starttls", "auth-plain")
@clause("rfc4954-4-no-plaintext-passwords-without-tls", "rfc4954-9-protected-passwords-server")
def test_plain_is_refused_in_the_clear(server: Server) -> None:
    """AUTH PLAIN with the right password is refused in the clear and works inside TLS."""
    session = server.greeted()

    reply = session.command(b"AUTH PLAIN " + credentials(server.account))

    assert reply.kind == 5, f"AUTH PLAIN in the clear was answered {reply}"
    server.authenticated()


@needs("starttls", "auth-login")
@clause("rfc4954-4-no-plaintext-passwords-without-tls", "rfc4954-9-protected-passwords-server")
def test_login_is_refused_in_the_clear_before_it_asks(server: Server) -> None:
    """AUTH LOGIN is refused in the clear before a name or a password is asked for."""
    session = server.greeted()

    reply = session.command("AUTH LOGIN")

    assert reply.kind == 5, f"AUTH LOGIN in the clear was answered {reply}"


@needs("starttls", "auth-plain")
@clause("rfc4954-9-protected-passwords-server")
def test_plaintext_mechanisms_are_not_listed_in_the_clear(server: Server) -> None:
    """Mechanisms that show the password are not listed without TLS."""
    session = server.greeted()

    listed = set(session.extensions.get("AUTH", []))

    assert not listed & PLAINTEXT_MECHANISMS, f"EHLO in the clear lists AUTH {sorted(listed)}"


@needs("starttls", "auth-plain")
@clause("rfc4954-6-no-unusable-mechanisms-listed")
def test_what_is_listed_in_the_clear_can_be_used_in_the_clear(server: Server) -> None:
    """No mechanism is listed in the clear that is then refused for want of encryption."""
    session = server.greeted()

    for name in session.extensions.get("AUTH", []):
        reply = session.command(f"AUTH {name}")

        assert reply.code not in {504, 530, 538}, f"AUTH {name}, listed in the clear, was answered {reply}"
        cancelled(session, reply)

    secure = server.secure()
    assert "PLAIN" in secure.extensions.get("AUTH", []), f"EHLO inside TLS lists {secure.extensions}"


@needs("auth-plain")
@pytest.mark.parametrize("parameter", SUBMITTERS.values(), ids=SUBMITTERS)
@clause("rfc4954-5-mail-auth-parameter-accepted")
def test_mail_takes_the_auth_parameter(server: Server, parameter: str) -> None:
    """Where AUTH is listed MAIL takes its parameter, also from a client that has not logged in."""
    session = server.secure()

    reply = session.command(f"MAIL FROM:<{SENDER}> {parameter}")

    assert reply.code == 250, f"MAIL with {parameter} was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-3-mail-line-500-longer")
def test_the_auth_parameter_makes_mail_500_longer(server: Server) -> None:
    """MAIL with the longest path and an AUTH parameter of almost 500 characters is taken."""
    session = server.secure()
    domain = ".".join(["d" * 60] * 3) + ".example"
    sender = f"{'s' * (253 - len(domain))}@{domain}"
    submitter = "+41" * 160 + f"@{DOMAIN}"
    line = f"MAIL FROM:<{sender}> AUTH={submitter}"
    assert len(sender) == 254

    reply = session.command(line)

    assert reply.code == 250, f"MAIL of {len(line) + 2} octets with AUTH was answered {reply}"


@needs("auth-plain")
@pytest.mark.parametrize(
    "command", ["aUtH PLAIN %s", "AUTH pLaIn %s", "auth plain %s"], ids=["verb", "mechanism", "both"]
)
@clause("rfc4954-8-case-insensitive-server")
def test_auth_is_understood_in_any_case(server: Server, command: str) -> None:
    """AUTH and the name of the mechanism are understood in any mix of cases."""
    session = server.secure()

    reply = session.command(command.encode() % credentials(server.account))

    assert reply.code == 235, f"{command % '…'} was answered {reply}"


@needs("auth-plain")
@clause("rfc4954-8-case-insensitive-server")
def test_the_auth_parameter_is_understood_in_any_case(server: Server) -> None:
    """MAIL with its AUTH parameter in lower case is answered as with capitals."""
    session = server.secure()
    capitals = session.command(f"MAIL FROM:<{SENDER}> AUTH=<>")
    session.expect(250, "RSET")

    reply = session.command(f"MAIL FROM:<{SENDER}> auth=<>")

    assert reply.code == capitals.code, f"AUTH=<> was answered {capitals}, auth=<> {reply}"


@needs("auth-plain")
@clause("rfc4954-9-three-attempts")
def test_two_failures_do_not_end_the_connection(server: Server) -> None:
    """Two wrong passwords leave room for a third attempt with the right one."""
    session = server.secure()
    account = server.account

    replies = [
        session.auth_plain(account.username, password) for password in ("wrong", "again", account.password)
    ]

    assert replies[0].kind == replies[1].kind == 5, f"the wrong passwords were answered {replies[:2]}"
    assert replies[2].code == 235, f"the right password at the third attempt was answered {replies[2]}"


@needs("auth-plain", "submission")
@clause("rfc4954-6-auth-required-530")
def test_want_of_authentication_gets_530(server: Server) -> None:
    """Where a login is demanded MAIL gets 530 without it; EHLO, NOOP, RSET and QUIT do not."""
    session = server.secure("submission")

    mail = session.command(f"MAIL FROM:<{SENDER}>")
    others = {line: session.command(line).code for line in NEVER_530}

    assert mail.code == 530, f"MAIL without authentication was answered {mail}"
    assert others == NEVER_530, f"the commands that need no login were answered {others}"


@needs("auth-plain", "trace", "delivery")
@clause("rfc4954-7-received-with-esmtpa")
def test_the_trace_field_says_esmtpsa(server: Server) -> None:
    """The Received field of a message from a client that logged in inside TLS says "with ESMTPSA"."""
    token, recipient = server.recipient()
    session = server.authenticated()

    session.deliver(recipient, message())

    (arrived,) = server.arrived(token)
    received = re.search(rb"(?im)^Received:(?:[^\n]*\n[ \t])*[^\n]*", arrived)
    assert received, f"there is no Received field: {arrived!r}"
    assert re.search(rb"\swith\s+ESMTPSA\b", received[0]), f"the field says {received[0]!r}"

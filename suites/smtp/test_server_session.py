"""Servers: the greeting, EHLO and HELO, and what they say of the server (RFC 5321, sections 2.2, 3.2, 4.1.1.1, 4.1.4)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message
from suites.smtp.replies import Reply
from suites.smtp.session import DRIVER_NAME, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

#: The keywords of IANA's registry of SMTP service extensions.
REGISTRY = """
    8BITMIME ATRN AUTH BINARYMIME BURL CHECKPOINT CHUNKING CONNEG CONPERM DELIVERBY DSN ENHANCEDSTATUSCODES
    ETRN EXPN FUTURERELEASE HELP LIMITS MT-PRIORITY MTRK NO-SOLICITING ONEX PIPELINING REQUIRETLS RRVS SAML SEND
    SIZE SMTPUTF8 SOML STARTTLS SUBMITTER TURN UTF8SMTP VERB
"""
# VRFY is a required command, and may be listed as a convenience (RFC 5321, section 3.5.2)
REGISTERED = frozenset([*REGISTRY.split(), "VRFY"])
DOMAIN_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
EHLO_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*( [!-~]+)*")
#: What shows that a command is supported → the keyword that has to be listed then, and the commands up to it.
OPTIONAL_COMMANDS = {
    "help": ("HELP", ["HELP"]),
    "etrn": ("ETRN", ["ETRN lab.example"]),
    "starttls": ("STARTTLS", ["STARTTLS"]),
    "auth": ("AUTH", ["AUTH PLAIN"]),
    "bdat": ("CHUNKING", [f"MAIL FROM:<{SENDER}>", "RCPT TO:<{}>", "BDAT 0"]),
}
ODD_EHLOS = {
    "no-argument": b"EHLO",
    "space-only": b"EHLO ",
    "two-words": b"EHLO driver.lab.example and more",
    "control-character": b"EHLO driver\x01.lab.example",
    "latin-1": b"EHLO dr\xefver.lab.example",
    "utf-8": "EHLO drïver.lab.example".encode(),
    "open-literal": b"EHLO [127.0.0.1",
}


def own_name(reply: Reply) -> str:
    """By which name the server calls itself: the first word after the code."""
    return reply.lines[0].split(" ", 1)[0]


def assert_accepts_a_message(session: SmtpSession, recipient: str) -> None:
    """Hold that a plain transaction works in this session."""
    reply = session.deliver(recipient, message())
    assert reply.code == 250, f"a plain message was answered {reply}"


@clause("rfc5321-2.2.1-ehlo-supported")
def test_ehlo_is_understood(server: Server) -> None:
    """EHLO is answered with 250."""
    session = server.connect()

    reply = session.command(f"EHLO {DRIVER_NAME}")

    assert session.greeting.code == 220, f"the greeting was {session.greeting}"
    assert reply.code == 250, f"EHLO was answered {reply}"


@needs("delivery")
@clause("rfc5321-2.2.1-helo-supported")
def test_helo_opens_a_session_for_mail(server: Server) -> None:
    """HELO is answered with 250, and a message can be handed over after it."""
    token, recipient = server.recipient()
    session = server.connect()

    session.expect(250, f"HELO {DRIVER_NAME}")

    assert_accepts_a_message(session, recipient)
    assert len(server.arrived(token)) == 1, "the message was accepted and did not arrive"


@clause("rfc5321-3.2-helo-reply-unextended")
def test_helo_reply_lists_no_extensions(server: Server) -> None:
    """The reply to HELO is not the extended one of EHLO."""
    first = server.greeted()
    second = server.connect()

    reply = second.expect(250, f"HELO {DRIVER_NAME}")

    listed = [line for line in reply.lines[1:] if line.split(" ")[0].upper() in first.extensions]
    assert listed == [], f"the reply to HELO lists extensions: {reply}"


@clause("rfc5321-2.2.2-only-registered-keywords")
def test_keywords_in_the_clear_are_registered(server: Server) -> None:
    """Every keyword of the EHLO reply is registered, or begins with X."""
    session = server.greeted()

    strange = [word for word in session.extensions if word not in REGISTERED and not word.startswith("X")]

    assert strange == [], f"EHLO lists {strange}, which IANA does not know"


@needs("starttls")
@clause("rfc5321-2.2.2-only-registered-keywords")
def test_keywords_inside_tls_are_registered(server: Server) -> None:
    """Inside TLS, too, every keyword of the EHLO reply is registered, or begins with X."""
    session = server.secure()

    strange = [word for word in session.extensions if word not in REGISTERED and not word.startswith("X")]

    assert strange == [], f"EHLO lists {strange}, which IANA does not know"


@clause("rfc5321-4.1.1.1-ehlo-reply-syntax")
def test_ehlo_reply_keeps_to_its_grammar(server: Server) -> None:
    """The EHLO reply is a domain first, then one keyword with its parameters a line."""
    reply = server.greeted().ehlo()

    assert reply.problems == (), f"{reply}: {'; '.join(reply.problems)}"
    assert DOMAIN_NAME.fullmatch(own_name(reply)), f"{reply.lines[0]!r} does not begin with a domain"
    wrong = [line for line in reply.lines[1:] if not EHLO_LINE.fullmatch(line)]
    assert wrong == [], f"not a keyword with parameters: {wrong}"


@pytest.mark.parametrize(("keyword", "commands"), OPTIONAL_COMMANDS.values(), ids=OPTIONAL_COMMANDS)
@clause("rfc5321-4.1.1.1-commands-listed")
def test_supported_commands_are_listed(server: Server, keyword: str, commands: list[str]) -> None:
    """A command beyond the required ones that is carried out is listed in the EHLO reply."""
    _, recipient = server.recipient()
    session = server.greeted()

    replies = [session.command(command.format(recipient)) for command in commands]

    if replies[-1].kind in {2, 3}:
        assert keyword in session.extensions, (
            f"{commands[-1]} was answered {replies[-1]}; {keyword} is not listed"
        )


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param("size=100", marks=needs("size"), id="size"),
        pytest.param("Body=8bitmime", marks=needs("8bitmime"), id="8bitmime"),
        pytest.param("sMtPuTf8", marks=needs("smtputf8"), id="smtputf8"),
    ],
)
@clause("rfc5321-4.1.1.1-server-keywords-any-case")
def test_extension_keywords_in_any_case(server: Server, parameter: str) -> None:
    """A client may write an extension's keyword in any case of letters."""
    reply = server.greeted().command(f"MAIL FROM:<{SENDER}> {parameter}")

    assert reply.code == 250, f"MAIL with {parameter} was answered {reply}"


@clause("rfc5321-2.4-eightbitmime-offered")
def test_8bitmime_is_offered(server: Server) -> None:
    """The server offers 8BITMIME."""
    session = server.greeted()

    assert "8BITMIME" in session.extensions, f"EHLO lists {sorted(session.extensions)}"


# the server's own name


@clause("rfc5321-2.3.4-server-named-not-numbered")
def test_server_calls_itself_by_a_name(server: Server) -> None:
    """In greeting and EHLO reply the server gives its name, not an address literal."""
    session = server.connect()

    names = [own_name(session.greeting), own_name(session.ehlo())]

    assert [name for name in names if name.startswith("[")] == [], f"the server calls itself {names}"


@clause("rfc5321-2.3.5-server-no-local-alias")
def test_server_name_is_fully_qualified(server: Server) -> None:
    """The name in greeting and EHLO reply has a domain, or is an address literal."""
    session = server.connect()

    names = [own_name(session.greeting), own_name(session.ehlo())]

    local = [name for name in names if not name.startswith("[") and "." not in name.strip(".")]
    assert local == [], f"the server calls itself {names}"


@clause("rfc5321-4.1.2-server-name-ldh")
def test_server_name_is_of_letters_digits_and_hyphens(server: Server) -> None:
    """The labels of the server's name hold letters, digits and hyphens only."""
    session = server.connect()

    names = [own_name(session.greeting), own_name(session.ehlo())]

    wrong = [name for name in names if not name.startswith("[") and not DOMAIN_NAME.fullmatch(name)]
    assert wrong == [], f"the server calls itself {wrong}"


# the argument of EHLO


@pytest.mark.parametrize(
    "literal", ["[127.0.0.1]", "[IPv6:::1]", "[IPv6:2001:db8::1]"], ids=["ipv4", "ipv6", "ipv6-long"]
)
@clause("rfc5321-4.1.3-ehlo-literal-accepted")
def test_ehlo_with_an_address_literal(server: Server, literal: str) -> None:
    """EHLO with an address literal is accepted, and mail after it."""
    _, recipient = server.recipient()
    session = server.connect()

    session.ehlo(literal)

    assert_accepts_a_message(session, recipient)


@pytest.mark.parametrize(
    "name", ["mail.elsewhere.example", "[192.0.2.1]", "[IPv6:2001:db8::25]"], ids=["name", "ipv4", "ipv6"]
)
@clause("rfc5321-4.1.4-ehlo-mismatch-accepted")
def test_ehlo_with_somebody_elses_name(server: Server, name: str) -> None:
    """Mail is taken from a client whose name in EHLO does not belong to its address."""
    _, recipient = server.recipient()
    session = server.connect()

    session.ehlo(name)

    assert_accepts_a_message(session, recipient)


@pytest.mark.parametrize("line", ODD_EHLOS.values(), ids=ODD_EHLOS)
@clause("rfc5321-4.1.4-bad-ehlo-codes")
def test_refused_ehlo_has_a_code_of_its_own(server: Server, line: bytes) -> None:
    """An EHLO that the server does not accept is answered with 500, 501, 502 or 550."""
    session = server.connect()

    reply = session.command(line)

    assert reply.code in {250, 500, 501, 502, 550}, f"{line!r} was answered {reply}"


@pytest.mark.parametrize("line", ODD_EHLOS.values(), ids=ODD_EHLOS)
@clause("rfc5321-4.1.4-bad-ehlo-keeps-state")
def test_refused_ehlo_leaves_the_transaction(server: Server, line: bytes) -> None:
    """An EHLO that is refused in a transaction leaves it as it was."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    refused = session.command(line).kind == 5

    if refused:
        reply = session.data(message())
        assert reply.code == 250, f"after a refused EHLO the message was answered {reply}"


@clause("rfc5321-4.1.4-later-ehlo-resets")
def test_later_ehlo_ends_the_transaction(server: Server) -> None:
    """EHLO in a transaction resets the state as RSET does."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    session.ehlo()

    rcpt = session.command(f"RCPT TO:<{recipient}>")
    assert rcpt.code == 503, f"RCPT after a second EHLO was answered {rcpt}"
    data = session.command("DATA")
    assert data.code in {503, 554}, f"DATA after a second EHLO was answered {data}"
    session.mail()

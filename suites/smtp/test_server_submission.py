"""Servers: the submission port: who may submit, what it lists, which addresses it takes (RFC 6409)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.smtp.mailhost import MAXIMUM_SIZE
from suites.smtp.message import DOMAIN, message, sized_message
from suites.smtp.session import MAIL
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("submission", "auth-plain")]

#: Extensions that a submission server is to have, with the clause that says so (section 7).
LISTED = [
    pytest.param("PIPELINING", marks=clause("rfc6409-7-pipelining-supported")),
    pytest.param("DSN", marks=clause("rfc6409-7-dsn-supported")),
    pytest.param("8BITMIME", marks=clause("rfc6409-7-8bitmime-supported")),
]
#: Extensions that it must not have.
NOT_LISTED = [
    pytest.param("ETRN", marks=clause("rfc6409-7-no-etrn")),
    pytest.param("ATRN", marks=clause("rfc6409-7-no-atrn")),
]

#: Commands with something improper, after what has to be said before.
IMPROPER = {
    "sender-syntax": ([], "MAIL FROM:<"),
    "sender-too-large": ([], f"{MAIL} SIZE={MAXIMUM_SIZE + 1}"),
    "sender-parameter": ([], f"{MAIL} XERLE=1"),
    "recipient-syntax": ([MAIL], f"RCPT TO:<@{DOMAIN}>"),
    "recipient-parameter": ([MAIL], f"RCPT TO:<postmaster@{DOMAIN}> XERLE=1"),
    "recipient-out-of-order": ([], f"RCPT TO:<postmaster@{DOMAIN}>"),
    "data-without-recipient": ([MAIL], "DATA"),
}
#: Codes that RFC 5321 (section 4.3.2), 4954 and 6409 give a meaning for MAIL, RCPT and DATA, and 554 for the rest.
PERMANENT_CODES = {500, 501, 503, 504, 530, 550, 551, 552, 553, 554, 555}

ILLEGAL = {
    "two-at-signs": ([], "MAIL FROM:<a@b@c.example>"),
    "no-local-part": ([MAIL], f"RCPT TO:<@{DOMAIN}>"),
    "space": ([MAIL], f"RCPT TO:<a b@{DOMAIN}>"),
    "two-dots": ([MAIL], f"RCPT TO:<a..b@{DOMAIN}>"),
}

#: References to domains that cannot be, or are not fully qualified.
IMPROPER_DOMAINS = {
    "single-label-recipient": ([MAIL], "RCPT TO:<b@sales>"),
    "single-label-sender": ([], "MAIL FROM:<a@sales>"),
    "hyphens": ([], "MAIL FROM:<a@-bad-.example>"),
}


@clause("rfc6409-3.1-esmtp-spoken")
def test_the_submission_port_speaks_esmtp(server: Server) -> None:
    """EHLO on the submission port gets 250 and a list of extensions."""
    session = server.greeted("submission")

    assert session.extensions, "EHLO was answered without any extension"


@clause("rfc6409-3.2-null-return-path-permitted")
def test_the_null_return_path_may_be_submitted(server: Server) -> None:
    """MAIL FROM:<> is no ground to refuse a submission."""
    _, recipient = server.recipient()
    session = server.authenticated("submission")

    reply = session.deliver(recipient, message(), sender="")

    assert reply.code == 250, f"a message from <> was answered {reply}"


@clause("rfc6409-4.3-authentication-required")
def test_submission_without_authentication_is_refused(server: Server) -> None:
    """MAIL is refused until the client has logged in, and taken then."""
    session = server.secure("submission")

    before = session.command(MAIL)

    assert before.kind == 5, f"MAIL without authentication was answered {before}"
    server.authenticated("submission").mail()


@clause("rfc6409-4.3-authentication-required-530")
def test_the_refusal_for_want_of_authentication_is_530(server: Server) -> None:
    """MAIL from a client that has not logged in gets 530."""
    session = server.secure("submission")

    reply = session.command(MAIL)

    assert reply.code == 530, f"MAIL without authentication was answered {reply}"


@pytest.mark.parametrize("keyword", LISTED)
def test_submission_lists_what_it_should(server: Server, keyword: str) -> None:
    """EHLO on the submission port lists the extensions that a submission server should have."""
    session = server.secure("submission")

    assert keyword in session.extensions, f"EHLO lists {sorted(session.extensions)}"


@pytest.mark.parametrize("keyword", NOT_LISTED)
def test_submission_lacks_what_it_must_not_have(server: Server, keyword: str) -> None:
    """EHLO on the submission port does not list mail for those who come to fetch it, and the command is refused."""
    session = server.authenticated("submission")
    session.ehlo()

    reply = session.command(f"{keyword} {DOMAIN}")

    assert keyword not in session.extensions, f"EHLO lists {sorted(session.extensions)}"
    assert reply.kind == 5, f"{keyword} was answered {reply}"


@clause("rfc6409-7-auth-supported")
def test_submission_lists_auth_and_lets_users_in(server: Server) -> None:
    """EHLO inside TLS lists AUTH, and the right password gets 235."""
    session = server.secure("submission")
    listed = session.extensions.get("AUTH", [])

    reply = session.auth_plain(server.account.username, server.account.password)

    assert listed, f"EHLO lists {session.extensions}"
    assert reply.code == 235, f"the right password was answered {reply}"


@clause("rfc6409-7-enhanced-status-codes-supported")
def test_submission_uses_enhanced_status_codes(server: Server) -> None:
    """EHLO lists ENHANCEDSTATUSCODES, and replies good and bad carry codes."""
    session = server.authenticated("submission")

    replies = [session.command(line) for line in (MAIL, "RCPT TO:<", "RSET", "XERLE")]

    assert "ENHANCEDSTATUSCODES" in session.extensions, f"EHLO lists {sorted(session.extensions)}"
    assert all(reply.enhanced for reply in replies), (
        f"MAIL, a bad RCPT, RSET and XERLE were answered {replies}"
    )


@pytest.mark.parametrize(("before", "command"), IMPROPER.values(), ids=IMPROPER)
@clause("rfc6409-4.1-general-rejection-554", "rfc6409-7-no-521")
def test_improper_commands_are_refused_with_known_codes(
    server: Server, before: list[str], command: str
) -> None:
    """A refusal has 554 or a code that says more; 521 is none of them."""
    session = server.authenticated("submission")
    for line in before:
        session.expect(250, line)

    reply = session.command(command)

    assert reply.code in PERMANENT_CODES, f"{command} was answered {reply}"


@pytest.mark.parametrize("port", ["submission", "secure"])
@clause("rfc6409-7-no-521")
def test_nobody_is_turned_away_with_521(server: Server, port: str) -> None:
    """Neither the greeting nor the refusal of a client that may not submit is 521."""
    session = server.secure("submission") if port == "secure" else server.connect("submission")

    replies = [session.greeting, *(session.command(line) for line in (MAIL, "RCPT TO:<a@b.example>", "DATA"))]

    assert all(reply.code != 521 for reply in replies), f"greeting, MAIL, RCPT and DATA: {replies}"


@pytest.mark.parametrize(("before", "command"), ILLEGAL.values(), ids=ILLEGAL)
@clause("rfc6409-5.1-illegal-envelope-address-rejected")
def test_illegal_addresses_are_refused(server: Server, before: list[str], command: str) -> None:
    """MAIL and RCPT with an address of illegal syntax are refused."""
    session = server.authenticated("submission")
    for line in before:
        session.expect(250, line)

    reply = session.command(command)

    assert reply.kind == 5, f"{command} was answered {reply}"


@pytest.mark.parametrize(("before", "command"), ILLEGAL.values(), ids=ILLEGAL)
@clause("rfc6409-5.1-illegal-address-501")
def test_illegal_addresses_get_501(server: Server, before: list[str], command: str) -> None:
    """The refusal of an address of illegal syntax is 501."""
    session = server.authenticated("submission")
    for line in before:
        session.expect(250, line)

    reply = session.command(command)

    assert reply.code == 501, f"{command} was answered {reply}"


@pytest.mark.parametrize(("before", "command"), IMPROPER_DOMAINS.values(), ids=IMPROPER_DOMAINS)
@clause("rfc6409-4.2-improper-domain-554")
def test_the_refusal_of_an_improper_domain_is_554(server: Server, before: list[str], command: str) -> None:
    """Where an improper domain is refused, it is with 554, or with 501 or 550, which say more."""
    session = server.authenticated("submission")
    for line in before:
        session.expect(250, line)

    reply = session.command(command)

    assert reply.code in {250, 501, 550, 554}, f"{command} was answered {reply}"


@clause("rfc6409-4.2-incomplete-domains-not-expanded")
def test_incomplete_domains_are_not_expanded(server: Server) -> None:
    """Where a single-level domain is taken, to be completed, an incomplete one of two levels is refused."""
    session = server.authenticated("submission")
    session.mail()

    single = session.command("RCPT TO:<b@sales>")
    double = session.command("RCPT TO:<b@squeaky.sales>")

    assert single.kind == 5 or double.kind == 5, (
        f"<b@sales> was answered {single}, <b@squeaky.sales> {double}"
    )


@cuts("whole")  # 20 MB: cutting costs time and the size stays the same
@clause("rfc6409-5.3-replies-within-two-minutes")
def test_replies_come_within_two_minutes(server: Server) -> None:
    """Every reply of a submission, the one to a large message included, comes in less than two minutes."""
    _, recipient = server.recipient()
    session = server.authenticated("submission")
    session.stream.timeout = 119.0
    large = sized_message(MAXIMUM_SIZE * 9 // 10, line=b"x" * 990)

    reply = session.deliver(recipient, large)

    assert reply.code == 250, f"a message of {len(large)} octets was answered {reply}"

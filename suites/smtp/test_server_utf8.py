"""Servers: SMTPUTF8, addresses and header fields beyond ASCII (RFC 6531)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import DOMAIN, SENDER, eight_bit_message, message
from suites.smtp.replies import Reply
from suites.smtp.session import MAIL
from suites.smtp.subjects import Server

pytestmark = [role("server"), needs("smtputf8")]

LINE_LIMIT = 512
PARAMETER = " SMTPUTF8"

A_LABEL_HOST = "xn--e1afmkfd.example"
U_LABEL_HOST = "пример.example"

SENDERS = {
    "cyrillic": f"пример@{DOMAIN}",
    "chinese": f"用户@{DOMAIN}",
    "quoted": f'"при мер"@{DOMAIN}',
    "u-label": f"sender@{U_LABEL_HOST}",
    "four-octets": f"\N{GRINNING FACE}@{DOMAIN}",
}

MALFORMED = {
    "no-lead-octet": b"\xff\xfe",
    "overlong": b"\xc0\xaf",
    "lone-surrogate": b"\xed\xa0\x80",
    "cut-short": b"\xd0",
}

HEADERS = message(
    b"A line.\r\n",
    headers="X-Erle: приклад\r\nReply-To: пример <пример@lab.example>\r\n".encode(),
    subject="Grüße, 世界",
)

#: Commands whose replies have no business with non-ASCII octets, whatever the command says.
ECHOING = {
    "unknown-command": "ПРИМЕР",
    "noop": "NOOP п",
    "help": "HELP п",
    "mail": f"MAIL FROM:<п@{DOMAIN}> SMTPUTF8",
    "mail-without-parameter": f"MAIL FROM:<п@{DOMAIN}>",
    "rcpt-out-of-order": f"RCPT TO:<п@{DOMAIN}>",
    "rcpt-foreign": "RCPT TO:<п@elsewhere.example>",
}


def ascii_only(*replies: Reply) -> None:
    """Judge that no reply has an octet over 127."""
    for reply in replies:
        assert reply.octets.isascii(), f"a reply is not ASCII: {reply}"


@clause("rfc6531-3.1-keyword-without-parameter")
def test_smtputf8_is_listed_without_a_parameter(server: Server) -> None:
    """EHLO lists SMTPUTF8 and nothing behind it."""
    session = server.greeted()

    assert session.extensions.get("SMTPUTF8") == [], f"EHLO lists {session.extensions}"


@needs("delivery")
@clause("rfc6531-3.1-8bitmime-announced")
def test_smtputf8_comes_with_8bitmime(server: Server) -> None:
    """A server with SMTPUTF8 lists 8BITMIME too, and takes a body with high octets."""
    token, recipient = server.recipient()
    sent = eight_bit_message("Grüße\r\n".encode())
    session = server.greeted()
    assert "8BITMIME" in session.extensions, f"EHLO lists {sorted(session.extensions)}"

    reply = session.deliver(recipient, sent, "SMTPUTF8", "BODY=8BITMIME")

    assert reply.code == 250, f"the end of the data was answered {reply}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(sent), f"what arrived: {arrived!r}"


@clause("rfc6531-3.1-mail-line-10-longer")
def test_the_smtputf8_parameter_makes_mail_10_longer(server: Server) -> None:
    """MAIL as long as a line may be, with SMTPUTF8 and ten octets more, is not too long."""
    session = server.greeted()
    # no path fills a line (RFC 5321, section 4.5.3.1.3), so white space at the end does (section 4.1.1)
    padded = f"{MAIL}{PARAMETER}".ljust(LINE_LIMIT + 10 - 2)

    reply = session.command(padded)

    assert reply.code != 500, f"MAIL of {len(padded) + 2} octets was answered {reply}"
    session.expect(250, "RSET")
    session.expect(250, MAIL + PARAMETER)


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
@clause("rfc6531-3.2-mailboxes-accepted")
def test_senders_beyond_ascii_are_taken(server: Server, sender: str) -> None:
    """MAIL with SMTPUTF8 takes mailboxes in UTF-8, quoted and with U-labels too."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<{sender}> SMTPUTF8")

    assert reply.code == 250, f"MAIL FROM:<{sender}> was answered {reply}"


@needs("delivery")
@clause("rfc6531-3.2-mailboxes-accepted")
def test_mail_to_a_recipient_beyond_ascii_arrives(server: Server) -> None:
    """RCPT takes a mailbox in UTF-8, and its mail arrives."""
    token, _ = server.recipient()
    recipient = server.host.recipient(f"приклад-{token}")
    session = server.greeted()

    reply = session.deliver(recipient, message(), "SMTPUTF8")

    assert reply.code == 250, f"mail to {recipient} was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message was accepted and did not arrive"


@needs("delivery")
@clause("rfc6531-3.2-headers-preserved")
def test_header_fields_in_utf8_arrive_as_they_were_sent(server: Server) -> None:
    """Header fields in UTF-8 are stored octet for octet."""
    token, recipient = server.recipient()
    session = server.greeted()

    reply = session.deliver(recipient, HEADERS, "SMTPUTF8", "BODY=8BITMIME")

    assert reply.code == 250, f"the end of the data was answered {reply}"
    (arrived,) = server.arrived(token)
    assert arrived.endswith(HEADERS), f"what arrived: {arrived!r}"


@needs("dsn")
@pytest.mark.parametrize("address", ["\\x{43F}", "п"], ids=["escaped", "raw"])
@clause("rfc6531-3.2-dsn-implies-rfc6533")
def test_orcpt_takes_addresses_beyond_ascii(server: Server, address: str) -> None:
    """ORCPT takes the address type utf-8, escaped and raw (RFC 6533, section 3)."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail(SENDER, "SMTPUTF8")

    reply = session.command(f"RCPT TO:<{recipient}> ORCPT=utf-8;{address}@{DOMAIN}")

    assert reply.code == 250, f"ORCPT=utf-8;{address}@{DOMAIN} was answered {reply}"


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
@clause("rfc6531-3.3-malformed-utf8-refused")
def test_octets_that_are_no_utf8_make_no_mailbox(server: Server, octets: bytes) -> None:
    """MAIL with octets that are no UTF-8 is refused."""
    session = server.greeted()

    reply = session.command(b"MAIL FROM:<%s@%s> SMTPUTF8" % (octets, DOMAIN.encode()))

    assert reply.kind == 5, f"a mailbox with {octets!r} was answered {reply}"
    assert session.usable(), "the session did not go on"


@clause("rfc6531-3.4-parameter-has-no-value-server")
def test_smtputf8_with_a_value_is_refused(server: Server) -> None:
    """MAIL with a value on SMTPUTF8 is refused."""
    session = server.greeted()

    reply = session.command(f"{MAIL} SMTPUTF8=yes")

    assert reply.kind == 5, f"SMTPUTF8=yes was answered {reply}"


@clause("rfc6531-3.4-non-ascii-without-parameter-refused")
def test_a_sender_beyond_ascii_needs_the_parameter(server: Server) -> None:
    """MAIL with a mailbox beyond ASCII and no SMTPUTF8 is refused."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<пример@{DOMAIN}>")

    assert reply.kind == 5, f"MAIL without SMTPUTF8 was answered {reply}"


@clause("rfc6531-3.4-non-ascii-without-parameter-refused")
def test_a_recipient_beyond_ascii_needs_the_parameter(server: Server) -> None:
    """RCPT with a mailbox beyond ASCII after MAIL without SMTPUTF8 is refused."""
    recipient = server.host.recipient(f"приклад-{server.recipient()[0]}")
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>")

    assert reply.kind == 5, f"RCPT after MAIL without SMTPUTF8 was answered {reply}"


@clause("rfc6531-3.5-non-ascii-refusal-codes")
def test_the_refusal_of_a_sender_beyond_ascii_is_550(server: Server) -> None:
    """MAIL that needs an ASCII address gets 550, with 5.6.7 where there are enhanced status codes."""
    session = server.greeted()

    reply = session.command(f"MAIL FROM:<пример@{DOMAIN}>")

    assert reply.code == 550, f"MAIL without SMTPUTF8 was answered {reply}"
    if "ENHANCEDSTATUSCODES" in session.extensions:
        assert reply.enhanced == (5, 6, 7), f"MAIL without SMTPUTF8 was answered {reply}"


@clause("rfc6531-3.5-non-ascii-refusal-codes")
def test_the_refusal_of_a_recipient_beyond_ascii_is_553(server: Server) -> None:
    """RCPT that needs an ASCII address gets 553, with 5.6.7 where there are enhanced status codes."""
    recipient = server.host.recipient(f"приклад-{server.recipient()[0]}")
    session = server.greeted()
    session.mail()

    reply = session.command(f"RCPT TO:<{recipient}>")

    assert reply.code == 553, f"RCPT after MAIL without SMTPUTF8 was answered {reply}"
    if "ENHANCEDSTATUSCODES" in session.extensions:
        assert reply.enhanced == (5, 6, 7), f"RCPT after MAIL without SMTPUTF8 was answered {reply}"


@pytest.mark.parametrize(
    "parameters", ["SMTPUTF8 BODY=8BITMIME", "BODY=8BITMIME SMTPUTF8"], ids=["first", "last"]
)
@clause("rfc6531-3.6-body-8bitmime-combined")
def test_smtputf8_and_body_go_together(server: Server, parameters: str) -> None:
    """MAIL takes SMTPUTF8 and BODY=8BITMIME in either order."""
    session = server.greeted()

    reply = session.command(f"{MAIL} {parameters}")

    assert reply.code == 250, f"MAIL with {parameters} was answered {reply}"


@clause("rfc6531-3.7.1-ehlo-reply-domain-ascii")
def test_the_reply_to_ehlo_is_ascii(server: Server) -> None:
    """Greeting and EHLO reply are ASCII, also for a client whose name is an A-label."""
    session = server.connect()

    reply = session.ehlo(A_LABEL_HOST)

    ascii_only(session.greeting, reply)


@pytest.mark.parametrize("line", ECHOING.values(), ids=ECHOING)
@clause("rfc6531-3.7.4.2-replies-ascii-otherwise")
def test_replies_do_not_echo_octets_beyond_ascii(server: Server, line: str) -> None:
    """Replies are ASCII though the command was not."""
    session = server.greeted()
    if line.startswith("RCPT TO:<п@elsewhere"):
        session.mail(SENDER, "SMTPUTF8")

    reply = session.command(line)

    ascii_only(reply)


@clause("rfc6531-3.7.4.1-no-utf8-in-251-551")
def test_251_and_551_without_smtputf8_are_ascii(server: Server) -> None:
    """Without SMTPUTF8 on MAIL no RCPT, good or bad, gets 251 or 551 with a mailbox beyond ASCII."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    replies = [
        session.command(f"RCPT TO:<{address}>")
        for address in (recipient, "nobody@elsewhere.example", "п@elsewhere.example", f"п@{DOMAIN}")
    ]

    ascii_only(*(reply for reply in replies if reply.code in {251, 551}))


@needs("vrfy")
@pytest.mark.parametrize("command", ["VRFY postmaster", "VRFY п", "EXPN п"], ids=["known", "vrfy", "expn"])
@clause("rfc6531-3.7.4.2-vrfy-ascii-without-parameter")
def test_vrfy_without_smtputf8_gets_ascii(server: Server, command: str) -> None:
    """VRFY and EXPN without SMTPUTF8 get replies in ASCII."""
    session = server.greeted()

    reply = session.command(command)

    ascii_only(reply)


@needs("vrfy")
@clause("rfc6531-3.7.4.2-vrfy-252-or-550")
def test_vrfy_that_would_need_utf8_gets_252_or_550(server: Server) -> None:
    """VRFY of a mailbox beyond ASCII, without SMTPUTF8, gets 252 or 550."""
    session = server.greeted()

    reply = session.command(f"VRFY {server.host.recipient('приклад')}")

    # 502 says that there is no VRFY at all, of which RFC 5321 has to judge
    assert reply.code in {252, 502, 550}, f"VRFY was answered {reply}"


@needs("vrfy")
@pytest.mark.parametrize("parameter", ["", " SMTPUTF8"], ids=["without", "with"])
@clause("rfc6531-3.7.4.2-vrfy-250-has-mailbox", "rfc6531-3.7.4.2-vrfy-250-form")
def test_vrfy_250_gives_the_mailbox(server: Server, parameter: str) -> None:
    """A 250 to VRFY is a mailbox, or a name and the mailbox in angle brackets."""
    mailbox = server.recipient()[1]
    session = server.greeted()

    reply = session.command(f"VRFY {mailbox}{parameter}")

    text = re.sub(r"^2\.\d{1,3}\.\d{1,3} ", "", reply.lines[-1])
    if reply.code == 250:
        assert re.fullmatch(r"(?:[^<>]+ )?<[^<>@ ]+@[^<>@ ]+>|[^<>@ ]+@[^<>@ ]+", text), f"it says {text!r}"


@needs("delivery", "trace")
@clause("rfc6531-3.7.3-trace-u-label")
def test_the_trace_field_has_u_labels(server: Server) -> None:
    """Where the added Received field names the client's host, it does so in U-labels."""
    token, recipient = server.recipient()
    session = server.connect()
    session.ehlo(A_LABEL_HOST)

    session.deliver(recipient, HEADERS, "SMTPUTF8")

    (arrived,) = server.arrived(token)
    added = arrived.removesuffix(HEADERS)
    assert A_LABEL_HOST.encode() not in added, f"the trace fields say {added!r}"


@needs("delivery", "trace", "starttls", "auth-plain")
@pytest.mark.parametrize(
    ("how", "protocol"),
    [("greeted", b"UTF8SMTP"), ("secure", b"UTF8SMTPS"), ("authenticated", b"UTF8SMTPSA")],
    ids=["clear", "tls", "auth"],
)
@clause("rfc6531-3.7.3-with-utf8smtp")
def test_the_trace_field_says_utf8smtp(server: Server, how: str, protocol: bytes) -> None:
    """The "with" clause of the Received field says UTF8SMTP, with S for TLS and A for AUTH."""
    token, recipient = server.recipient()
    opened = {"greeted": server.greeted, "secure": server.secure, "authenticated": server.authenticated}
    session = opened[how]()

    session.deliver(recipient, HEADERS, "SMTPUTF8")

    (arrived,) = server.arrived(token)
    found = re.search(rb"(?i)\swith\s+((?:UTF8|E)?[SL]MTP[SA]*)\b", arrived.removesuffix(HEADERS))
    assert found, f"no trace field says with what the message came: {arrived!r}"
    assert found[1] == protocol, f"the trace field says with {found[1]!r}"

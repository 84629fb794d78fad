"""Servers: which command lines are understood, and which are refused and how (RFC 5321, sections 2.4 and 4.1)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message, stuff
from suites.smtp.subjects import Server

pytestmark = role("server")

BAD_CHARACTERS = {"nul": b"\0", "control": b"\x01", "delete": b"\x7f"}
#: MAIL commands whose argument is no reverse-path.
BAD_SENDERS = {
    "no-argument": "MAIL",
    "no-colon": "MAIL FROM",
    "no-path": "MAIL FROM:",
    "wrong-word": "MAIL TO:<sender@lab.example>",
    "open-bracket": "MAIL FROM:<sender@lab.example",
    "no-domain": "MAIL FROM:<sender@>",
    "two-ats": "MAIL FROM:<no@way@lab.example>",
    "two-dots": "MAIL FROM:<sender@lab..example>",
    "space": "MAIL FROM:<sen der@lab.example>",
}
BAD_ARGUMENTS = {**BAD_SENDERS, "stuff-after": f"MAIL FROM:<{SENDER}> bad stuff after"}
#: RCPT commands whose argument is no forward-path; ``{}`` stands for a recipient of ours.
BAD_RECIPIENTS = {
    "no-argument": "RCPT",
    "no-colon": "RCPT TO",
    "no-path": "RCPT TO:",
    "wrong-word": "RCPT FROM:<{}>",
    "open-bracket": "RCPT TO:<{}",
    "empty": "RCPT TO:<>",
    "no-domain": "RCPT TO:<recipient@>",
    "no-local-part": "RCPT TO:<@lab.example>",
    "two-dots": "RCPT TO:<recipient@lab..example>",
    "two-ats": "RCPT TO:<no@way@lab.example>",
}
NON_ASCII = {
    "recipient-utf-8": "RCPT TO:<grün@lab.example>".encode(),
    "recipient-latin-1": "RCPT TO:<grün@lab.example>".encode("latin-1"),
    "noop-utf-8": "NOOP ü".encode(),
    "help-latin-1": "HELP ü".encode("latin-1"),
}
#: Commands in the state that three earlier ones led to; each is followed by a blank or a tab.
TRAILING = {
    "noop": "NOOP",
    "rset": "RSET",
    "ehlo": "EHLO driver.lab.example",
    "mail": f"MAIL FROM:<{SENDER}>",
}
UNREGISTERED = ["FROB", "DEBUG", "WIZ", "KILL", "SHOW"]


@needs("delivery")
@clause("rfc5321-2.4-verbs-in-any-case")
def test_verbs_in_any_case(server: Server) -> None:
    """Verbs, FROM: and TO: are understood in any mixture of cases."""
    token, recipient = server.recipient()
    session = server.connect()

    for line in ["eHlO driver.lab.example", "rSeT", f"mAiL fRoM:<{SENDER}>", f"RcPt tO:<{recipient}>"]:
        session.expect(250, line)
    session.expect(354, "dAtA")
    session.send(stuff(message()))

    reply = session.reply()
    assert reply.code == 250, f"the message was answered {reply}"
    assert len(server.arrived(token)) == 1, "the message did not arrive"
    session.expect(221, "qUiT")


@pytest.mark.parametrize("line", NON_ASCII.values(), ids=NON_ASCII)
@clause("rfc5321-2.4-non-ascii-command-rejected")
def test_commands_outside_ascii_are_refused(server: Server, line: bytes) -> None:
    """A command with octets outside US-ASCII is refused where no extension permits them."""
    session = server.greeted()
    session.mail()

    reply = session.command(line)

    assert reply.kind == 5, f"{line!r} was answered {reply}"


@pytest.mark.parametrize("bad", BAD_CHARACTERS.values(), ids=BAD_CHARACTERS)
@clause("rfc5321-4.1.2-invalid-characters-501")
def test_invalid_characters_in_a_sender_are_answered_501(server: Server, bad: bytes) -> None:
    """MAIL with a control character in its path is refused with 501."""
    reply = server.greeted().command(b"MAIL FROM:<sen" + bad + b"der@lab.example>")

    assert reply.code == 501, f"MAIL with {bad!r} was answered {reply}"


@pytest.mark.parametrize("bad", BAD_CHARACTERS.values(), ids=BAD_CHARACTERS)
@clause("rfc5321-4.1.2-invalid-characters-501")
def test_invalid_characters_in_a_recipient_are_answered_501(server: Server, bad: bytes) -> None:
    """RCPT with a control character in its path is refused with 501."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()

    reply = session.command(b"RCPT TO:<" + recipient.encode().replace(b"@", bad + b"@") + b">")

    assert reply.code == 501, f"RCPT with {bad!r} was answered {reply}"


@pytest.mark.parametrize("line", BAD_SENDERS.values(), ids=BAD_SENDERS)
@clause("rfc5321-4.1.2-malformed-path-rejected")
def test_malformed_senders_are_refused(server: Server, line: str) -> None:
    """MAIL whose argument is no reverse-path is refused."""
    reply = server.greeted().command(line)

    assert reply.kind == 5, f"{line!r} was answered {reply}"


@pytest.mark.parametrize("line", BAD_RECIPIENTS.values(), ids=BAD_RECIPIENTS)
@clause("rfc5321-4.1.2-malformed-path-rejected")
def test_malformed_recipients_are_refused(server: Server, line: str) -> None:
    """RCPT whose argument is no forward-path is refused."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    line = line.format(recipient)

    reply = session.command(line)

    assert reply.kind == 5, f"{line!r} was answered {reply}"


@pytest.mark.parametrize("line", BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
@clause("rfc5321-4.1.4-bad-mail-argument-501")
def test_refused_mail_argument_leaves_the_state(server: Server, line: str) -> None:
    """MAIL with an argument that the server does not take is answered with 501, and begins no transaction."""
    _, recipient = server.recipient()
    session = server.greeted()

    reply = session.command(line)

    if reply.kind != 2:
        # 553: the mailbox name is not allowed (section 4.2.3); 555: what follows is no known parameter (4.1.1.11)
        assert reply.code in {501, 553, 555}, f"{line!r} was answered {reply}"
        session.expect(503, f"RCPT TO:<{recipient}>")
        session.mail()


@pytest.mark.parametrize("verb", ["MAIL", "RCPT"], ids=["mail", "rcpt"])
@clause("rfc5321-4.1.1.11-unknown-parameter-555")
def test_unknown_parameters_are_answered_555(server: Server, verb: str) -> None:
    """MAIL or RCPT with a parameter that the server does not know is answered with 555."""
    _, recipient = server.recipient()
    session = server.greeted()
    if verb == "RCPT":
        session.mail()
    line = f"MAIL FROM:<{SENDER}>" if verb == "MAIL" else f"RCPT TO:<{recipient}>"

    reply = session.command(f"{line} FROBNICATE=1")

    assert reply.code == 555, f"{verb} with an unknown parameter was answered {reply}"
    session.expect(250, line)


# order


@clause("rfc5321-3.3-rcpt-before-mail")
def test_rcpt_without_mail_is_answered_503(server: Server) -> None:
    """RCPT without MAIL is answered with 503: at first, after a transaction, after RSET."""
    _, recipient = server.recipient()
    session = server.greeted()
    rcpt = f"RCPT TO:<{recipient}>"

    at_first = session.command(rcpt)
    session.deliver(recipient, message())
    after_transaction = session.command(rcpt)
    session.mail()
    session.expect(250, "RSET")
    after_rset = session.command(rcpt)

    codes = [at_first.code, after_transaction.code, after_rset.code]
    assert codes == [503, 503, 503], f"RCPT without MAIL was answered {codes}"


@needs("delivery")
@clause("rfc5321-4.1.4-out-of-order-503")
def test_commands_out_of_order_change_nothing(server: Server) -> None:
    """DATA and RCPT too early are answered with 503, and the transaction goes on as it was."""
    token, recipient = server.recipient()
    session = server.greeted()

    rcpt = session.command(f"RCPT TO:<{recipient}>")
    data_first = session.command("DATA")
    session.mail("first@lab.example")
    data_after_mail = session.command("DATA")
    session.rcpt(recipient)
    end = session.data(message())

    assert rcpt.code == 503, f"RCPT before MAIL was answered {rcpt}"
    # 554 says that there is no recipient (section 3.3)
    assert data_first.code in {503, 554}, f"DATA before MAIL was answered {data_first}"
    assert data_after_mail.code in {503, 554}, f"DATA before RCPT was answered {data_after_mail}"
    assert end.code == 250, f"the message was answered {end}"
    sender = server.sender_of(token)
    assert sender == "first@lab.example", f"the message arrived from {sender!r}"


@pytest.mark.parametrize(
    "line", ["NOOP", "RSET", "HELP", "VRFY postmaster", "EXPN postmaster"], ids=lambda line: line[:4].lower()
)
@clause("rfc5321-4.1.4-non-mail-before-ehlo")
def test_commands_before_ehlo(server: Server, line: str) -> None:
    """NOOP, RSET, HELP, VRFY and EXPN before EHLO are not answered with 503."""
    reply = server.connect().command(line)

    assert reply.code != 503, f"{line} before EHLO was answered {reply}"


# single commands


@pytest.mark.parametrize(
    "before",
    [[], ["EHLO driver.lab.example"], ["EHLO driver.lab.example", f"MAIL FROM:<{SENDER}>", "RCPT TO:<{}>"]],
    ids=["before-ehlo", "after-ehlo", "in-a-transaction"],
)
@clause("rfc5321-4.1.1.5-rset-250")
def test_rset_is_answered_250(server: Server, before: list[str]) -> None:
    """RSET is answered with 250 at any time."""
    _, recipient = server.recipient()
    session = server.connect()
    for line in before:
        session.expect(250, line.format(recipient))

    reply = session.command("RSET")

    assert reply.code == 250, f"RSET was answered {reply}"


@needs("delivery")
@clause("rfc5321-4.1.1.9-noop-keeps-transaction")
def test_noop_leaves_the_transaction(server: Server) -> None:
    """NOOP between the commands of a transaction is answered with 250 and changes nothing."""
    token, recipient = server.recipient()
    session = server.greeted()

    codes = [session.command("NOOP").code]
    session.mail()
    codes.append(session.command("NOOP").code)
    session.rcpt(recipient)
    codes.append(session.command("NOOP").code)
    end = session.data(message())

    assert codes == [250, 250, 250], f"NOOP was answered {codes}"
    assert end.code == 250, f"the message was answered {end}"
    sender = server.sender_of(token)
    assert sender == SENDER, f"the message arrived from {sender!r}"


@clause("rfc5321-4.1.1.9-noop-argument-ignored")
def test_noop_with_an_argument(server: Server) -> None:
    """NOOP ignores an argument."""
    reply = server.greeted().command("NOOP ignored")

    assert reply.code == 250, f"NOOP with an argument was answered {reply}"


@pytest.mark.parametrize("line", TRAILING.values(), ids=TRAILING)
@pytest.mark.parametrize("space", [" ", "  ", "\t"], ids=["blank", "two-blanks", "tab"])
@clause("rfc5321-4.1.1-trailing-space-tolerated")
def test_space_before_the_line_end(server: Server, line: str, space: str) -> None:
    """White space before the CRLF of a command is tolerated."""
    reply = server.greeted().command(line + space)

    assert reply.code == 250, f"{line + space!r} was answered {reply}"


@pytest.mark.parametrize("line", ["RSET x", "DATA x", "QUIT x"], ids=["rset", "data", "quit"])
@clause("rfc5321-4.1.1-parameters-on-bare-commands-rejected")
def test_parameters_where_none_are_allowed(server: Server, line: str) -> None:
    """RSET, DATA and QUIT with a parameter are refused."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    reply = session.command(line)

    assert reply.kind == 5, f"{line!r} was answered {reply}"


@pytest.mark.parametrize("verb", UNREGISTERED, ids=str.lower)
@clause("rfc5321-4.1.5-server-only-registered-verbs")
def test_unregistered_verbs_are_refused(server: Server, verb: str) -> None:
    """A verb that no standard or registered extension knows, and that does not begin with X, is refused."""
    reply = server.greeted().command(verb)

    assert reply.kind == 5, f"{verb} was answered {reply}"


@pytest.mark.parametrize("line", ["XFROB", "X-FROB 1"], ids=["bare", "argument"])
@clause("rfc5321-4.1.5-unknown-private-command-500")
def test_unknown_private_commands_are_answered_500(server: Server, line: str) -> None:
    """A command beginning with X that the server does not know is answered with 500."""
    reply = server.greeted().command(line)

    assert reply.code == 500, f"{line} was answered {reply}"

"""Servers: the form of replies and their codes, whatever is asked (RFC 5321, sections 4.2 and 4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message, stuff
from suites.smtp.replies import Reply, split_replies
from suites.smtp.session import DRIVER_NAME, MAIL, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

EHLO = f"EHLO {DRIVER_NAME}"
RCPT = "RCPT TO:<{}>"
#: How a conversation names the message and its final dot.
END_OF_DATA = "(end of data)"
#: Conversations whose replies are looked at; ``{}`` stands for a recipient of ours. Few are errors: a server may
#: close on many of them.
CONVERSATIONS = {
    "transaction": [EHLO, "NOOP", MAIL, RCPT, "DATA", END_OF_DATA, "RSET", f"HELO {DRIVER_NAME}"],
    "questions": [
        EHLO,
        "HELP",
        "HELP MAIL",
        "VRFY postmaster",
        "VRFY nobody@elsewhere.example",
        "EXPN postmaster",
    ],
    "errors": [
        EHLO,
        "FROB",
        "MAIL",
        RCPT,
        "DATA",
        MAIL,
        "RCPT TO:<somebody@elsewhere.example>",
        MAIL,
        "EHLO",
    ],
    "echoes": [EHLO, "FR\x07OB", "VRFY us\x07er", "MAIL FROM:<sen\x1bder@lab.example>", "HELP \x7f\x01"],
}
LONG_ECHOES = {
    "verb": "F" * 1500,
    "ehlo": f"EHLO {'a.' * 700}example",
    "mail": f"MAIL FROM:<{'s' * 900}@lab.example>",
    "rcpt": f"RCPT TO:<{'r' * 900}@elsewhere.example>",
    "vrfy": f"VRFY {'v' * 900}",
    "help": f"HELP {'h' * 900}",
}
#: Keywords of EHLO → a command that they promise; ``{}`` stands for the first mechanism listed.
KEYWORDS = {
    "HELP": "HELP",
    "VRFY": "VRFY postmaster",
    "EXPN": "EXPN postmaster",
    "TURN": "TURN",
    "SEND": f"SEND FROM:<{SENDER}>",
    "SOML": f"SOML FROM:<{SENDER}>",
    "SAML": f"SAML FROM:<{SENDER}>",
    "ETRN": "ETRN lab.example",
    "ATRN": "ATRN lab.example",
    "CHUNKING": "BDAT 0 LAST",
    "SIZE": f"{MAIL} SIZE=100",
    "8BITMIME": f"{MAIL} BODY=8BITMIME",
    "SMTPUTF8": f"{MAIL} SMTPUTF8",
    "DSN": f"{MAIL} RET=HDRS",
    "AUTH": "AUTH {}",
    # last: what follows the handshake would be another session
    "STARTTLS": "STARTTLS",
}
REPLY_LINE = re.compile(rb"[2-5][0-5][0-9](?:[ -][\t\x20-\x7e]*)?")
NEGATIVE = frozenset({421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 550, 551, 552, 553, 554, 555})
#: Section 4.2.2; and 530 for a command that needs TLS or AUTH first (RFC 3207 and 4954).
LISTED = NEGATIVE | {211, 214, 220, 221, 250, 251, 252, 354, 530}
#: Section 4.3.2: the command of a case, those before it, and the codes of its row.
TABLE: dict[str, tuple[str, list[str], set[int]]] = {
    "ehlo": (EHLO, [], {250, 502, 504, 550}),
    "helo": (f"HELO {DRIVER_NAME}", [], {250, 502, 504, 550}),
    "mail": (MAIL, [EHLO], {250, 552, 451, 452, 550, 553, 503, 455, 555}),
    "mail-twice": (MAIL, [EHLO, MAIL], {250, 552, 451, 452, 550, 553, 503, 455, 555}),
    "rcpt": (RCPT, [EHLO, MAIL], {250, 251, 550, 551, 552, 553, 450, 451, 452, 503, 455, 555}),
    "rcpt-first": (RCPT, [EHLO], {550, 551, 552, 553, 450, 451, 452, 503, 455, 555}),
    "rcpt-elsewhere": (
        "RCPT TO:<somebody@elsewhere.example>",
        [EHLO, MAIL],
        {250, 251, 550, 551, 552, 553, 450, 451, 452, 503, 455, 555},
    ),
    "data": ("DATA", [EHLO, MAIL, RCPT], {354, 503, 554}),
    "data-first": ("DATA", [EHLO], {354, 503, 554}),
    "end-of-data": (END_OF_DATA, [EHLO, MAIL, RCPT, "DATA"], {250, 552, 554, 451, 452, 450, 550}),
    "rset": ("RSET", [EHLO], {250}),
    "vrfy": ("VRFY postmaster", [EHLO], {250, 251, 252, 550, 551, 553, 502, 504}),
    "expn": ("EXPN postmaster", [EHLO], {250, 252, 550, 500, 502, 504}),
    "help": ("HELP", [EHLO], {211, 214, 502, 504}),
    "noop": ("NOOP", [EHLO], {250}),
    "quit": ("QUIT", [EHLO], {221}),
}
#: "In addition … any SMTP command can return": a line too long or a name unknown, bad syntax, shutting down.
ANY_TIME = {500, 501, 421}


def say(session: SmtpSession, line: str, recipient: str) -> Reply:
    """Say one line of a conversation and read the reply."""
    if line == END_OF_DATA:
        session.send(stuff(message()))
        return session.reply()
    return session.command(line.format(recipient))


def converse(server: Server, conversation: str) -> Iterator[tuple[str, Reply]]:
    """What is said and how it is answered, one after the other: the greeting first, QUIT last."""
    _, recipient = server.recipient()
    session = server.connect()
    yield "the connection", session.greeting
    for line in [*CONVERSATIONS[conversation], "QUIT"]:
        yield line, say(session, line, recipient)


in_every_conversation = pytest.mark.parametrize("conversation", CONVERSATIONS)


@in_every_conversation
@clause("rfc5321-4.2-one-reply-per-command")
def test_each_command_gets_one_reply(server: Server, conversation: str) -> None:
    """Every command is answered once, and nothing is said unasked."""
    _, recipient = server.recipient()
    session = server.connect()
    lines = [*CONVERSATIONS[conversation], "QUIT"]

    last = [say(session, line, recipient) for line in lines][-1]
    session.stream.receive_to_end()

    said = split_replies(session.stream.transcript.octets("server"))
    assert len(said) == 1 + len(lines), (
        f"after the greeting {len(lines)} commands had {len(said) - 1} replies: {' '.join(map(str, said))}"
    )
    assert last.code == 221, f"what stood in the place of the reply to QUIT was {last}"


@in_every_conversation
@clause("rfc5321-4.2-first-digit-two-to-five")
def test_first_digits_are_two_to_five(server: Server, conversation: str) -> None:
    """The first digit of every code is 2, 3, 4 or 5."""
    for line, reply in converse(server, conversation):
        assert reply.octets[:1] in {b"2", b"3", b"4", b"5"}, f"{line!r} was answered {reply}"


@in_every_conversation
@clause("rfc5321-4.3.2-three-digit-codes")
def test_codes_have_three_digits(server: Server, conversation: str) -> None:
    """Every line of a reply begins with three digits, the first of them 2 to 5, and no fourth."""
    for line, reply in converse(server, conversation):
        wrong = [each for each in reply.octets.splitlines() if not re.match(rb"[2-5]\d\d(?!\d)", each)]
        assert wrong == [], f"{line!r} was answered {reply}"


@in_every_conversation
@clause("rfc5321-4.2-reply-syntax")
def test_replies_keep_to_their_grammar(server: Server, conversation: str) -> None:
    """Each line of a reply is a code, a hyphen or a space, and printable text, even where a command was not."""
    for line, reply in converse(server, conversation):
        wrong = [
            each
            for each in reply.octets.removesuffix(b"\r\n").split(b"\r\n")
            if not REPLY_LINE.fullmatch(each)
        ]
        assert wrong == [], f"{line!r} was answered {reply}"


@in_every_conversation
@clause("rfc5321-4.2.1-same-code-on-all-lines")
def test_all_lines_of_a_reply_carry_one_code(server: Server, conversation: str) -> None:
    """The lines of a multiline reply carry the same code."""
    for line, reply in converse(server, conversation):
        codes = {each[:3] for each in reply.octets.split(b"\r\n")[:-1]}
        assert len(codes) == 1, f"{line!r} was answered {reply}"


@in_every_conversation
@clause("rfc5321-4.2-only-listed-codes")
def test_codes_are_listed_ones(server: Server, conversation: str) -> None:
    """Every code is one of those that the specification lists."""
    for line, reply in converse(server, conversation):
        assert reply.code in LISTED, f"{line!r} was answered {reply}"


@in_every_conversation
@clause("rfc5321-4.2-no-bare-codes")
def test_codes_come_with_text(server: Server, conversation: str) -> None:
    """No reply is only a code."""
    for line, reply in converse(server, conversation):
        assert reply.text.strip(), f"{line!r} was answered {reply}"


@pytest.mark.parametrize("line", LONG_ECHOES.values(), ids=LONG_ECHOES)
@clause("rfc5321-4.5.3.1-server-long-replies-avoided")
def test_reply_lines_have_512_octets_at_most(server: Server, line: str) -> None:
    """A reply line has no more than 512 octets, not even where a long command is repeated in it."""
    session = server.greeted()
    if line.startswith("RCPT"):
        session.mail()

    session.command(line)
    session.command("HELP")
    session.ehlo()

    said = session.stream.transcript.octets("server").split(b"\r\n")
    longest = max(said, key=len)
    assert len(longest) + 2 <= 512, f"a reply line has {len(longest) + 2} octets: {longest[:100]!r}…"


@clause("rfc5321-4.2-greeting-names-server")
def test_the_greeting_begins_with_the_servers_name(server: Server) -> None:
    """The greeting has code 220, and its first word is a full domain name or an address literal."""
    greeting = server.connect().greeting

    assert greeting.code == 220, f"the greeting was {greeting}"
    word = greeting.lines[0].split(" ")[0]
    label = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    assert re.fullmatch(rf"{label}(?:\.{label})+|\[[^\[\]\s]+\]", word), f"the greeting was {greeting}"


@pytest.mark.parametrize(("command", "before", "codes"), TABLE.values(), ids=TABLE)
@clause("rfc5321-4.3.1-replies-as-tabled")
def test_each_command_is_answered_from_its_row(
    server: Server, command: str, before: list[str], codes: set[int]
) -> None:
    """A command is answered with a code of its row in the table of commands and replies."""
    _, recipient = server.recipient()
    session = server.connect()
    for line in before:
        say(session, line, recipient)

    reply = say(session, command, recipient)

    assert reply.code in codes | ANY_TIME, f"{command} was answered {reply}"


# not recognised, not implemented, not without arguments


@pytest.mark.parametrize("line", ["FROB", "FROBNICATE one two", "1234", "MAILS FROM:<>"])
@clause("rfc5321-4.2.4-500-for-unknown")
def test_unrecognised_commands_are_answered_500(server: Server, line: str) -> None:
    """A word that is no command is answered with 500."""
    reply = server.greeted().command(line)

    assert reply.code == 500, f"{line} was answered {reply}"


@pytest.mark.parametrize(
    "line",
    [
        *("TURN", "SEND FROM:<sender@lab.example>", "SOML FROM:<sender@lab.example>"),
        *("SAML FROM:<sender@lab.example>", "ETRN lab.example", "EXPN postmaster", "HELP", "VRFY postmaster"),
    ],
    ids=lambda line: line[:4].lower(),
)
@clause("rfc5321-4.2.4-502-for-known-unimplemented")
def test_recognised_commands_are_not_answered_500(server: Server, line: str) -> None:
    """A command that the server knows, since it answers no made-up word like that, is not answered with 500."""
    session = server.greeted()
    verb, space, argument = line.partition(" ")

    unknown = session.command(f"FROB{space}{argument}")
    reply = session.command(line)

    told_apart = reply.octets.replace(verb.encode(), b"FROB") != unknown.octets
    assert not (told_apart and reply.code == 500), f"{line} was answered {reply}, FROB {unknown}"


@pytest.mark.parametrize("port", ["clear", pytest.param("tls", marks=needs("starttls"))])
@clause("rfc5321-4.2.4-no-listing-of-unimplemented")
def test_what_is_listed_is_implemented(server: Server, port: str) -> None:
    """No command that an EHLO keyword stands for is answered with 500 or 502."""
    session = server.greeted() if port == "clear" else server.secure()
    mechanism = "".join(session.extensions.get("AUTH", [])[:1])

    for keyword in [word for word in KEYWORDS if word in session.extensions]:
        command = KEYWORDS[keyword].format(mechanism)
        reply = session.command(command)
        assert reply.code not in {500, 502}, f"{keyword} is listed; {command} was answered {reply}"
        if reply.code == 334:
            session.command("*")
        if keyword != "STARTTLS":
            session.expect(250, "RSET")


@pytest.mark.parametrize("line", ["DATA x", "RSET x", "QUIT x"], ids=["data", "rset", "quit"])
@clause("rfc5321-4.3.2-arguments-to-bare-commands-501")
def test_arguments_of_bare_commands_are_answered_501(server: Server, line: str) -> None:
    """DATA, RSET and QUIT with an argument are answered with 501."""
    _, recipient = server.recipient()
    session = server.greeted()
    session.mail()
    session.rcpt(recipient)

    reply = session.command(line)

    assert reply.code == 501, f"{line} was answered {reply}"

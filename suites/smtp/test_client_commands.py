"""Clients: command lines: their octets, their order, and what is never among them.

Knows the syntax of commands (RFC 5321, sections 2.3.8, 2.4, 3.3 and 4.1). Must not know
any client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.answers import Answers, Held
from suites.smtp.contract import Transaction
from suites.smtp.conversation import Command
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import eight_bit_message, message, stuff
from suites.smtp.responder import EHLO_DEFAULT, Manners, ehlo_reply
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

ONE, TWO, THREE = "one@lab.example", "two@lab.example", "three@lab.example"
#: IANA's list of SMTP verbs; SEND, SOML, SAML and TURN are on it as deprecated and have cases of their own.
REGISTERED = {
    *("EHLO", "HELO", "MAIL", "RCPT", "DATA", "BDAT", "BURL", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP"),
    *("STARTTLS", "AUTH", "ETRN", "ATRN", "SEND", "SOML", "SAML", "TURN"),
}


@dataclass(frozen=True)
class Talk:
    """A session that shows how a client writes its commands."""

    transactions: list[Transaction]
    answers: dict[str, Answers] = field(default_factory=dict)

    def with_(self, client: Client) -> Exchange:
        """Hold it with this client."""
        return client.submit_to_script(Manners(answers=self.answers), *self.transactions)


TALKS = {
    "one-recipient": Talk([transaction(SMALL_MESSAGE, [ONE])]),
    "three-recipients": Talk([transaction(SMALL_MESSAGE, [ONE, TWO, THREE])]),
    "two-messages": Talk([transaction(SMALL_MESSAGE, [ONE]), transaction(SMALL_MESSAGE, [TWO])]),
    "recipient-refused": Talk(
        [transaction(SMALL_MESSAGE, [ONE]), transaction(SMALL_MESSAGE, [TWO])], {"RCPT": b"550 no\r\n"}
    ),
    "no-ehlo": Talk([transaction(SMALL_MESSAGE, [ONE])], {"EHLO": b"502 no\r\n"}),
}
every_talk = pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)


def commands(exchange: Exchange) -> list[Command]:
    """All command lines of all connections."""
    found = [command for talk in exchange.conversations for command in talk.commands]
    assert found, f"the client said nothing; it says {exchange.report}"
    return found


@every_talk
@clause("rfc5321-2.3.8-commands-end-in-crlf")
def test_command_lines_end_in_crlf(client: Client, talk: Talk) -> None:
    """Every command ends in CRLF and holds no other CR or LF."""
    for command in commands(talk.with_(client)):
        assert command.ending == b"\r\n", f"{command.line!r} ends in {command.ending!r}"
        assert b"\r" not in command.line, f"{command.line!r} holds a bare CR"


@every_talk
@clause("rfc5321-3.3-no-space-around-colon")
def test_paths_follow_the_colon_directly(client: Client, talk: Talk) -> None:
    """MAIL FROM:< and RCPT TO:< are written without a space."""
    for command in commands(talk.with_(client)):
        if command.verb in ("MAIL", "RCPT"):
            assert re.match(rb"(?i)(MAIL FROM|RCPT TO):<", command.line), f"the client said {command.line!r}"


@every_talk
@clause("rfc5321-4.1.1-no-parameters-on-bare-commands")
def test_rset_data_and_quit_stand_alone(client: Client, talk: Talk) -> None:
    """RSET, DATA and QUIT have no parameters."""
    for command in commands(talk.with_(client)):
        if command.verb in ("RSET", "DATA", "QUIT"):
            assert command.line.upper() == command.verb.encode(), f"the client said {command.line!r}"


@every_talk
@clause("rfc5321-4.1.5-client-only-registered-verbs")
def test_verbs_are_registered(client: Client, talk: Talk) -> None:
    """Every verb is registered or begins with X."""
    verbs = {command.verb for command in commands(talk.with_(client))}

    assert not {verb for verb in verbs - REGISTERED if not verb.startswith("X")}, f"the client said {verbs}"


@every_talk
@clause("rfc5321-F.1-client-no-turn")
def test_turn_is_not_said(client: Client, talk: Talk) -> None:
    """The client does not ask to change places."""
    verbs = {command.verb for command in commands(talk.with_(client))}

    assert "TURN" not in verbs, f"the client said {verbs}"


@every_talk
@clause("rfc5321-F.6-client-no-send")
def test_send_soml_and_saml_are_not_said(client: Client, talk: Talk) -> None:
    """Mail starts with MAIL and never with its obsolete relatives."""
    verbs = {command.verb for command in commands(talk.with_(client))}

    assert not verbs & {"SEND", "SOML", "SAML"}, f"the client said {verbs}"


@every_talk
@clause("rfc5321-3.3-commands-in-order")
def test_transactions_keep_the_order(client: Client, talk: Talk) -> None:
    """In each transaction MAIL comes first, then RCPT, then DATA."""
    exchange = talk.with_(client)

    for conversation in exchange.conversations:
        said = "".join(f"{verb} " for verb in conversation.verbs if verb in ("MAIL", "RCPT", "DATA"))
        assert re.fullmatch(r"(MAIL (RCPT )*(DATA )?)*", said), f"the client said {conversation.verbs}"
        assert "MAIL DATA" not in said, f"the client said {conversation.verbs}"
    assert any("MAIL" in conversation.verbs for conversation in exchange.conversations), "no mail was started"


UNOFFERED = {
    "ordinary": SMALL_MESSAGE,
    "large": message(b"0123456789 " * 7 + b"\r\n" + b"line\r\n" * 16384),
    "eight-bit": eight_bit_message("grün\r\n".encode()),
}
OFFERS = {"none": ehlo_reply([]), "unknown-to-both": ehlo_reply(["HELP", "X-SIZE 5"]), "helo": b"502 no\r\n"}


@pytest.mark.parametrize("reply", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("content", UNOFFERED.values(), ids=UNOFFERED)
@clause("rfc5321-4.1.1.3-only-offered-parameters")
def test_only_offered_parameters_are_sent(client: Client, content: bytes, reply: bytes) -> None:
    """A server that offers no extension gets no parameter."""
    manners = Manners(answers={"EHLO": reply})

    exchange = client.submit_to_script(manners, transaction(content, [ONE]))

    for command in commands(exchange):
        if command.verb in ("MAIL", "RCPT"):
            assert not command.parameters, f"the client said {command.line!r}"


@clause("rfc5321-4.1.1.3-only-offered-parameters")
def test_body_is_not_sent_where_only_size_is_offered(client: Client) -> None:
    """A server that offers SIZE alone gets no other parameter."""
    exchange = client.submit_to_script(
        Manners(extensions=["SIZE 1000000"]), transaction(UNOFFERED["eight-bit"], [ONE])
    )

    for command in commands(exchange):
        if command.verb in ("MAIL", "RCPT"):
            assert not set(command.parameters) - {"SIZE"}, f"the client said {command.line!r}"


STEPS = {
    "EHLO": ehlo_reply(["SIZE 1000000", "8BITMIME"]),
    "MAIL": b"250 fine\r\n",
    "RCPT": b"250 fine\r\n",
    "DATA": b"354 go on\r\n",
    "END": b"250 queued\r\n",
}


# a pause is waited for: once is enough
@cuts("whole")
@pytest.mark.parametrize("step", STEPS)
@clause("rfc5321-4.3.1-waits-for-reply")
def test_every_reply_is_awaited(client: Client, step: str) -> None:
    """Without PIPELINING nothing is sent before the last octet of the reply."""
    reply = STEPS[step]
    held = Held(reply[:6], reply[6:-1], reply[-1:])
    answers: dict[str, Answers] = {step: held}
    extensions = [word for word in EHLO_DEFAULT if word != "PIPELINING"]

    exchange = client.submit_to_script(Manners(extensions=extensions, answers=answers))

    assert not held.early, f"before the reply to {step} ended the client said {held.early!r}"
    assert exchange.conversation.payloads == [stuff(SMALL_MESSAGE)], f"the client says {exchange.report}"


GIVEN_UP: dict[str, dict[str, Answers]] = {
    "recipients-refused": {"RCPT": [b"550 5.1.1 no\r\n", b"250 fine\r\n"]},
    "data-refused": {"DATA": [b"554 5.5.1 no\r\n", b"354 go on\r\n"]},
    "data-put-off": {"DATA": [b"451 4.3.0 later\r\n", b"354 go on\r\n"]},
}


@pytest.mark.parametrize("answers", GIVEN_UP.values(), ids=GIVEN_UP)
@clause("rfc5321-4.1.4-no-nested-mail")
def test_open_transaction_is_ended_before_the_next(client: Client, answers: dict[str, Answers]) -> None:
    """After a transaction that came to nothing there is RSET, EHLO or a new connection before the next MAIL."""
    both = [transaction(SMALL_MESSAGE, [ONE]), transaction(SMALL_MESSAGE, [TWO])]
    # without PIPELINING, where DATA is under way before the recipients are refused (RFC 2920, section 3.1)
    extensions = [word for word in EHLO_DEFAULT if word != "PIPELINING"]

    exchange = client.submit_to_script(Manners(extensions=extensions, answers=answers), *both)

    for conversation in exchange.conversations:
        first, *later = " ".join(conversation.verbs).split("MAIL")[:-1]
        assert "EHLO" in first, f"the client said {conversation.verbs}"
        for between in later:
            assert {"RSET", "EHLO", "HELO"} & set(between.split()), f"the client said {conversation.verbs}"


WIDE_ADDRESSES = {
    "recipient": ("sender@lab.example", "grün@lab.example"),
    "recipient-domain": ("sender@lab.example", "user@grün.example"),
    "sender": ("jürg@lab.example", "recipient@lab.example"),
}


@pytest.mark.parametrize(("sender", "recipient"), WIDE_ADDRESSES.values(), ids=WIDE_ADDRESSES)
@clause("rfc5321-2.4-envelope-in-ascii")
def test_commands_are_in_ascii(client: Client, sender: str, recipient: str) -> None:
    """Where SMTPUTF8 is not on offer no octet of a command is above 127, whatever the address."""
    manners = Manners(extensions=["SIZE 1000000", "8BITMIME"])

    exchange = client.submit_to_script(manners, transaction(SMALL_MESSAGE, [recipient], sender=sender))

    for conversation in exchange.conversations:
        assert conversation.transcript.octets("client").isascii(), f"the client said {conversation.commands}"


CONTROLS = {
    "crlf": "\r\n",
    "lf": "\n",
    "cr": "\r",
    "tab": "\t",
    "delete": "\x7f",
    "escape": "\x1b",
}


@pytest.mark.parametrize("control", CONTROLS.values(), ids=CONTROLS)
@pytest.mark.parametrize("place", ["sender", "recipient"])
@clause("rfc5321-4.1.2-no-control-characters-in-commands")
def test_control_characters_do_not_reach_commands(client: Client, place: str, control: str) -> None:
    """An address that holds a control character is not sent, and no command is smuggled in by one."""
    hostile = f"user@lab.example>{control}RCPT TO:<victim@lab.example"
    sender, recipient = (hostile, ONE) if place == "sender" else ("sender@lab.example", hostile)

    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [recipient], sender=sender))

    for conversation in exchange.conversations:
        for command in conversation.commands:
            assert re.fullmatch(rb"[\x20-\x7e]*", command.line), f"the client said {command.line!r}"
            assert command.path != b"victim@lab.example", f"a command was smuggled in: {command.line!r}"

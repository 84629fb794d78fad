"""Clients: how a session opens and ends: greeting, EHLO and HELO, what EHLO offers, QUIT.

Knows what sections 2.2, 3.1, 3.2 and 4.1.1.1 of RFC 5321 ask of a client. Must not know
any client.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answers, Held, close, reset, say_and_close, silence
from lab.wire.transcript import Transcript
from suites.smtp.conversation import Conversation
from suites.smtp.message import stuff
from suites.smtp.responder import Manners, ehlo_reply
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

NOT_RECOGNISED = {"500": b"500 5.5.1 what?\r\n", "502": b"502 5.5.1 not here\r\n"}
UNWELCOME = {"554": b"554 no mail here\r\n", "421": b"421 too busy\r\n", "450": b"450 not now\r\n"}
REFUSALS: dict[str, dict[str, Answers]] = {
    "nothing": {},
    "mail": {"MAIL": b"550 5.7.1 no\r\n"},
    "every-recipient": {"RCPT": b"550 5.1.1 no\r\n"},
    "data": {"DATA": b"554 5.5.1 no\r\n"},
    "message": {"END": b"554 5.6.0 no\r\n"},
}
HELLOS_REFUSED: dict[str, list[str]] = {"neither": [], "ehlo": ["EHLO"], "both": ["EHLO", "HELO"]}
HELLO_REFUSED = b"550 5.7.1 no\r\n"
NOBODY_WELCOME: dict[str, Manners] = {
    "greeting-554": Manners(greeting=b"554 no mail here\r\n"),
    "hello-refused": Manners(answers={"EHLO": HELLO_REFUSED, "HELO": HELLO_REFUSED}),
}


def sent_whole(conversations: tuple[Conversation, ...]) -> bool:
    """Whether the small message went over whole, once."""
    return [payload for talk in conversations for payload in talk.payloads] == [stuff(SMALL_MESSAGE)]


def hung_up_first(transcript: Transcript) -> bool:
    """Whether the client left before it said QUIT."""
    said = b""
    for event in transcript.events():
        if event.side == "client" and event.kind == "data":
            said = (said + event.data)[-64:]
        elif event.side == "client" and event.kind in ("eof", "reset"):
            return not said.upper().endswith(b"QUIT\r\n")
        elif event.side == "server" and event.kind in ("eof", "reset"):
            return False
    return False


@clause("rfc5321-2.2.1-ehlo-preferred", "rfc5321-4.1.4-client-ehlo-first")
def test_session_opens_with_ehlo(client: Client) -> None:
    """The first command is EHLO."""
    exchange = client.submit_to_script(Manners())

    assert exchange.conversation.verbs[:1] == ["EHLO"], f"the client said {exchange.conversation.verbs}"


@pytest.mark.parametrize("refusal", NOT_RECOGNISED.values(), ids=NOT_RECOGNISED)
@clause("rfc5321-2.2.1-helo-fallback")
def test_helo_serves_where_ehlo_is_unknown(client: Client, refusal: bytes) -> None:
    """A server that knows HELO only gets the message, without parameters."""
    exchange = client.submit_to_script(Manners(answers={"EHLO": refusal}))

    assert sent_whole(exchange.conversations), (
        f"the message did not go over; the client says {exchange.report}"
    )
    last = exchange.conversations[-1]
    assert "HELO" in last.verbs, f"the client said {last.verbs}"
    parameters = last.one("MAIL").parameters | last.one("RCPT").parameters
    assert not parameters, f"after HELO the client used {parameters}"


@pytest.mark.parametrize("refusal", NOT_RECOGNISED.values(), ids=NOT_RECOGNISED)
@clause("rfc5321-3.2-helo-after-ehlo-not-recognised")
def test_helo_follows_on_the_same_connection(client: Client, refusal: bytes) -> None:
    """When EHLO is not recognised, HELO comes next on the same connection."""
    exchange = client.submit_to_script(Manners(answers={"EHLO": refusal}))

    verbs = [talk.verbs for talk in exchange.conversations]
    assert len(verbs) == 1, f"the client opened several connections: {verbs}"
    assert verbs[0][:2] == ["EHLO", "HELO"], f"the client said {verbs[0]}"


@pytest.mark.parametrize("greeting", UNWELCOME.values(), ids=UNWELCOME)
@clause("rfc5321-3.1-refusing-greeting-ends-mail")
def test_refusing_greeting_ends_the_mail(client: Client, greeting: bytes) -> None:
    """No mail is started with a server that greets with a refusal, and the caller learns of it."""
    exchange = client.submit_to_script(Manners(greeting=greeting))

    assert "MAIL" not in exchange.conversation.verbs, f"the client said {exchange.conversation.verbs}"
    assert not exchange.done, f"the client says {exchange.report}"


@pytest.mark.parametrize("refused", HELLOS_REFUSED.values(), ids=HELLOS_REFUSED)
@clause("rfc5321-4.1.1.1-hello-before-mail")
def test_mail_waits_for_an_accepted_hello(client: Client, refused: list[str]) -> None:
    """MAIL comes after an EHLO or HELO that was accepted, and never comes when both were refused."""
    exchange = client.submit_to_script(Manners(answers=dict.fromkeys(refused, HELLO_REFUSED)))

    for talk in exchange.conversations:
        before = talk.verbs[: talk.verbs.index("MAIL")] if "MAIL" in talk.verbs else ["HELO", "EHLO"]
        accepted = {"EHLO", "HELO"}.difference(refused).intersection(before)
        assert "MAIL" not in talk.verbs or accepted, f"refused: {refused}; the client said {talk.verbs}"


@clause("rfc5321-4.1.1.1-one-ehlo-argument")
def test_ehlo_has_one_argument(client: Client) -> None:
    """EHLO is followed by one space, one name, and nothing else."""
    line = client.submit_to_script(Manners()).conversation.one("EHLO").line

    assert line.count(b" ") == 1, f"the client said {line!r}"
    assert not line.endswith(b" "), f"the client said {line!r}"


KEYWORDS_OF_ALL_KINDS = [
    "X-FOO bar baz",
    "8",
    "9FANCY",
    "SIZE",
    "DELIVERBY 600 x=y !",
    "STARTTLS-NOT",
    "XAUTH=PLAIN",
]
EHLO_REPLIES = {
    "one-line": ehlo_reply([]),
    "no-text": b"250-script.lab.example\r\n250-HELP\r\n250 NOOP\r\n",
    "greeting-words": ehlo_reply(["HELP"], first="script.lab.example at your service, client"),
    "unknown-keywords": ehlo_reply(KEYWORDS_OF_ALL_KINDS),
    "forty-keywords": ehlo_reply([f"X-KEYWORD-{number} value" for number in range(40)]),
    "unknown-parameters": ehlo_reply(["SIZE 0", "8BITMIME strict", "PIPELINING 7", "DSN a b c"]),
}


@pytest.mark.parametrize("reply", EHLO_REPLIES.values(), ids=EHLO_REPLIES)
@clause("rfc5321-4.1.1.1-unknown-keywords-ignored")
def test_every_legal_ehlo_reply_is_coped_with(client: Client, reply: bytes) -> None:
    """Whatever a server lists within the syntax, the message goes over."""
    exchange = client.submit_to_script(Manners(answers={"EHLO": reply}))

    assert sent_whole(exchange.conversations), (
        f"the message did not go over; the client says {exchange.report}"
    )


@needs("size")
@clause("rfc5321-4.1.1.1-client-keywords-any-case")
def test_size_is_recognised_in_any_case(client: Client) -> None:
    """A server that writes its keyword as Size is sent the size."""
    exchange = client.submit_to_script(Manners(extensions=["Size 1000000"]))

    assert "SIZE" in exchange.conversation.one("MAIL").parameters, (
        f"MAIL was {exchange.conversation.one('MAIL').line!r}"
    )


@needs("starttls")
@clause("rfc5321-4.1.1.1-client-keywords-any-case")
def test_starttls_is_recognised_in_any_case(client: Client) -> None:
    """A server that writes its keyword as StartTls is asked for TLS."""
    answers: dict[str, Answers] = {"EHLO": [ehlo_reply(["StartTls"]), ehlo_reply([])]}

    exchange = client.submit_to_script(Manners(answers=answers, tls=client.tls), security="starttls")

    verbs = exchange.conversation.verbs
    assert "STARTTLS" in verbs, f"the client said {verbs}; it says {exchange.report}"


@pytest.mark.parametrize("answers", REFUSALS.values(), ids=REFUSALS)
@clause("rfc5321-4.1.1.10-quit-before-close", "rfc5321-4.1.4-quit-last")
def test_session_ends_with_quit(client: Client, answers: dict[str, Answers]) -> None:
    """The last word of a session is QUIT, also after a refusal."""
    exchange = client.submit_to_script(Manners(answers=answers))

    for talk in exchange.conversations:
        assert talk.ended_in_order, f"the client said {talk.verbs} and then {talk.unfinished!r}"
        assert not hung_up_first(talk.transcript), "the client left before its QUIT"


# a pause is waited for: once is enough
@cuts("whole")
@clause("rfc5321-4.1.1.10-quit-reply-awaited")
def test_reply_to_quit_is_awaited(client: Client) -> None:
    """The client stays on the line until QUIT is answered."""
    farewell = Held(b"221 2.0.0 bye\r\n")

    exchange = client.submit_to_script(Manners(answers={"QUIT": farewell}))

    assert exchange.conversation.ended_in_order, f"the client said {exchange.conversation.verbs}"
    assert not farewell.left, "the client closed the connection before the reply to QUIT"


@pytest.mark.parametrize("manners", NOBODY_WELCOME.values(), ids=NOBODY_WELCOME)
@clause("rfc5321-4.1.4-quit-without-hello")
def test_quit_is_said_where_no_session_was_opened(client: Client, manners: Manners) -> None:
    """A client that was never let in asks for the end with QUIT."""
    exchange = client.submit_to_script(manners)

    for talk in exchange.conversations:
        assert talk.ended_in_order, f"the client said {talk.verbs}"


# a pause is waited for: once is enough
@cuts("whole")
@clause("rfc5321-4.3.1-waits-for-greeting")
def test_greeting_is_awaited(client: Client) -> None:
    """The client says nothing before the greeting has come to its end."""
    greeting = Held(b"220 script.lab", b".example ESMTP", b"\r\n")

    client.submit_to_script(Manners(greeting=greeting))

    assert not greeting.early, f"before the greeting ended the client said {greeting.early!r}"
    assert not greeting.left, "the client left before the greeting ended"


FAREWELLS: dict[str, Answers] = {
    "closes": close,
    "resets": reset,
    "refuses": say_and_close(b"421 4.3.2 going down\r\n"),
    "errs": b"500 5.5.1 what?\r\n",
}


@pytest.mark.parametrize("farewell", FAREWELLS.values(), ids=FAREWELLS)
@clause("rfc5321-2.1-handed-over-is-done")
def test_trouble_with_quit_does_not_undo_the_mail(client: Client, farewell: Answers) -> None:
    """A message that the server took is sent, however the session ends."""
    exchange = client.submit_to_script(Manners(answers={"QUIT": farewell}))

    outcomes = [part["outcome"] for part in exchange.report["transactions"]]
    assert outcomes == ["done"], f"the server took the message; the client says {exchange.report}"


# the client's patience is waited for: once is enough
@cuts("whole")
@clause("rfc5321-2.1-handed-over-is-done")
def test_silence_after_quit_does_not_undo_the_mail(client: Client) -> None:
    """A message that the server took is sent, even if QUIT is never answered."""
    exchange = client.submit_to_script(Manners(answers={"QUIT": silence}), timeout=0.3)

    outcomes = [part["outcome"] for part in exchange.report["transactions"]]
    assert outcomes == ["done"], f"the server took the message; the client says {exchange.report}"

"""Clients: STARTTLS, from the offer to the first commands inside TLS (RFC 3207)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Held, close
from lab.wire.stream import RecordedStream
from suites.smtp.contract import Security
from suites.smtp.conversation import Conversation
from suites.smtp.mailhost import ACCOUNT
from suites.smtp.responder import EHLO_DEFAULT, Manners, ehlo_reply
from suites.smtp.subjects import Client
from suites.smtp.tls_records import begins_handshake, outside_records

pytestmark = [role("client"), needs("starttls")]

AUTH = "AUTH PLAIN LOGIN"
GO_AHEAD = b"220 2.0.0 go ahead\r\n"
NO_RECORD = b"220 this is no TLS record, and never was one\r\n"


def offering(*more: str) -> tuple[str, ...]:
    """The usual extensions and STARTTLS, with these."""
    return (*EHLO_DEFAULT, "STARTTLS", *more)


def break_handshake(stream: RecordedStream) -> None:
    """Say 220 and answer the handshake with text; what the client says then is read to its end."""
    stream.send(GO_AHEAD)
    stream.receive_exactly(5)
    stream.send(NO_RECORD)
    stream.receive_to_end()
    close(stream)


def after_starttls(conversation: Conversation) -> bytes:
    """All that the client sent after the line STARTTLS."""
    said = conversation.transcript.octets("client")
    parts = re.split(rb"(?i)(?:^|\n)STARTTLS\r\n", said, maxsplit=1)
    assert len(parts) == 2, f"the client sent no line STARTTLS: {said!r}"
    return parts[1]


#: Hosts with which a client cannot come to TLS; each offers AUTH in the clear all the same.
NO_TLS = {
    "not-offered": Manners(extensions=(*EHLO_DEFAULT, AUTH)),
    "refused-454": Manners(extensions=offering(AUTH), answers={"STARTTLS": b"454 4.7.0 not now\r\n"}),
    "refused-502": Manners(extensions=offering(AUTH), answers={"STARTTLS": b"502 5.5.1 not here\r\n"}),
    "broken-handshake": Manners(extensions=offering(AUTH), answers={"STARTTLS": break_handshake}),
}


@clause("rfc3207-4-starttls-without-parameters")
def test_starttls_has_no_argument(client: Client) -> None:
    """STARTTLS is one word."""
    exchange = client.submit_to_script(Manners(tls=client.tls), security="starttls")

    line = exchange.conversation.one("STARTTLS").line
    assert line.upper() == b"STARTTLS", f"the client sent {line!r}"


@clause("rfc3207-4-nothing-between-220-and-handshake")
def test_handshake_follows_the_go_ahead(client: Client) -> None:
    """After 220 to STARTTLS come the first octets of a TLS handshake and no command."""

    def answer(stream: RecordedStream) -> None:
        stream.send(GO_AHEAD)
        stream.receive_exactly(5)
        close(stream)

    exchange = client.submit_to_script(
        Manners(extensions=offering(), answers={"STARTTLS": answer}), security="starttls"
    )

    octets = after_starttls(exchange.conversation)
    assert begins_handshake(octets), f"after the 220 the client sent {octets[:80]!r}"


@clause("rfc3207-4-failed-start-aborts")
def test_failed_handshake_ends_the_connection(client: Client) -> None:
    """A client that gets no TLS after the 220 gives the connection up without another command."""
    manners = Manners(extensions=offering(AUTH), answers={"STARTTLS": break_handshake})

    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    clear = outside_records(after_starttls(exchange.conversation))
    assert clear == b"", f"after the broken handshake the client sent {clear!r}"
    assert exchange.conversation.transcript.saw("client", "eof") or exchange.conversation.transcript.saw(
        "client", "reset"
    ), "the client left the connection open"
    assert exchange.report["outcome"] == "failed", f"the client says {exchange.report}"


@clause("rfc3207-4-starttls-ends-a-group", "rfc2920-3.1-other-extensions-commands-last")
@cuts("whole")  # waits for silence
def test_nothing_is_sent_before_the_reply_to_starttls(client: Client) -> None:
    """Where PIPELINING is offered, too, nothing follows STARTTLS before its reply."""
    held = Held(b"454 4.7.0 not now\r\n")

    exchange = client.submit_to_script(
        Manners(extensions=offering(AUTH), answers={"STARTTLS": held}), security="starttls", account=ACCOUNT
    )

    assert "STARTTLS" in exchange.conversation.verbs, f"the client said {exchange.conversation.verbs}"
    assert held.early == b"", f"before the reply to STARTTLS the client sent {held.early!r}"


@clause("rfc3207-4-starttls-only-when-offered")
def test_no_mail_where_starttls_is_not_offered(client: Client) -> None:
    """A client told to use STARTTLS hands nothing over where the EHLO reply does not list it."""
    exchange = client.submit_to_script(NO_TLS["not-offered"], security="starttls", account=ACCOUNT)

    assert exchange.handed_over == [], f"without TLS the client said {exchange.conversation.verbs}"
    assert not exchange.done, f"the client says {exchange.report}"


@clause("rfc3207-4-454-is-decided")
def test_no_mail_after_454_to_starttls(client: Client) -> None:
    """A client told to use STARTTLS hands nothing over after 454."""
    exchange = client.submit_to_script(NO_TLS["refused-454"], security="starttls", account=ACCOUNT)

    assert exchange.handed_over == [], f"without TLS the client said {exchange.conversation.verbs}"
    assert not exchange.done, f"the client says {exchange.report}"


@pytest.mark.parametrize("manners", NO_TLS.values(), ids=NO_TLS)
@clause(
    "rfc3207-6-can-require-tls-client",
    "rfc8314-5-minimum-confidentiality-configurable",
    "rfc8314-5.2-nothing-below-minimum",
)
def test_no_mail_without_tls(client: Client, manners: Manners) -> None:
    """A client that was told to require TLS sends no mail and no credentials without it."""
    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    assert exchange.handed_over == [], f"without TLS the client said {exchange.conversation.verbs}"
    assert not exchange.done, f"the client says {exchange.report}"


@pytest.mark.parametrize("manners", NO_TLS.values(), ids=NO_TLS)
@needs("auth-plain")
@clause("rfc4954-9-protected-passwords-client")
def test_no_password_without_tls(client: Client, manners: Manners) -> None:
    """AUTH offered in the clear does not make a client that wants TLS log in there."""
    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    assert "AUTH" not in exchange.handed_over, f"in the clear the client said {exchange.conversation.verbs}"


@clause("rfc8314-5.2-nothing-below-minimum")
def test_only_capabilities_and_starttls_in_the_clear(client: Client) -> None:
    """Before TLS a client asks for capabilities and for STARTTLS, whatever else is offered."""
    manners = Manners(extensions=offering(AUTH), secure_extensions=(*EHLO_DEFAULT, AUTH), tls=client.tls)

    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    clear = {command.verb for command in exchange.conversation.commands if not command.after_tls}
    harmless = {"EHLO", "HELO", "NOOP", "RSET", "STARTTLS", "QUIT"}
    assert clear <= harmless, f"in the clear the client said {sorted(clear - harmless)}"


@clause("rfc3207-4.2-ehlo-first-after-tls")
def test_ehlo_opens_the_session_inside_tls(client: Client) -> None:
    """The first command inside TLS is EHLO."""
    exchange = client.submit_to_script(Manners(tls=client.tls), security="starttls")

    inside = [command.verb for command in exchange.conversation.commands if command.after_tls]
    assert inside[:1] == ["EHLO"], f"inside TLS the client said {inside}"


@clause("rfc3207-4.2-forgets-server-after-tls")
def test_parameters_offered_in_the_clear_are_not_used(client: Client) -> None:
    """Extensions listed only before TLS lend MAIL no parameter inside it."""
    manners = Manners(extensions=offering(AUTH), secure_extensions=(), tls=client.tls)

    exchange = client.submit_to_script(manners, security="starttls")

    mail = exchange.conversation.one("MAIL")
    assert mail.parameters == {}, f"the client sent {mail.line!r}"


@needs("auth-plain")
@clause("rfc3207-4.2-forgets-server-after-tls")
def test_mechanisms_offered_in_the_clear_are_not_used(client: Client) -> None:
    """AUTH listed only before TLS is not used inside it."""
    manners = Manners(extensions=offering(AUTH), secure_extensions=EHLO_DEFAULT, tls=client.tls)

    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    inside = [command.verb for command in exchange.conversation.commands if command.after_tls]
    assert "EHLO" in inside, f"inside TLS the client said {inside}"
    assert "AUTH" not in inside, f"inside TLS the client said {inside}"


@needs("auth-plain")
@clause("rfc3207-4.2-plaintext-reply-after-220-not-used")
@cuts("whole")  # the injected octets have to come in one segment with the 220
def test_replies_injected_behind_the_go_ahead_are_not_used(client: Client) -> None:
    """An EHLO reply that came in the clear behind the 220 is not the reply to EHLO inside TLS."""
    injected = ehlo_reply([*EHLO_DEFAULT, AUTH], "injected.example")
    held = Held(ehlo_reply(EHLO_DEFAULT))

    def answer(stream: RecordedStream) -> None:
        stream.send(GO_AHEAD + injected)
        stream.start_tls(client.tls)

    manners = Manners(answers={"EHLO": [ehlo_reply(offering()), held], "STARTTLS": answer})
    exchange = client.submit_to_script(manners, security="starttls", account=ACCOUNT)

    assert "STARTTLS" in exchange.conversation.verbs, f"the client said {exchange.conversation.verbs}"
    assert held.early == b"", f"before the true reply to EHLO the client sent {held.early!r}"
    assert "AUTH" not in exchange.conversation.verbs, "the client used the injected list of mechanisms"


@pytest.mark.parametrize("security", ["starttls", "tls"])
@clause("rfc3207-4.2-no-second-starttls")
def test_starttls_is_not_sent_inside_tls(client: Client, security: Security) -> None:
    """A STARTTLS offered inside TLS is left alone, and the mail is sent."""
    manners = Manners(extensions=offering(), secure_extensions=offering(), tls=client.tls)

    exchange = client.submit_to_script(replace(manners, immediate_tls=security == "tls"), security=security)

    inside = [command.verb for command in exchange.conversation.commands if command.after_tls]
    assert "STARTTLS" not in inside, f"inside TLS the client said {inside}"
    assert exchange.conversation.payloads, f"inside TLS the client said {inside}; it says {exchange.report}"

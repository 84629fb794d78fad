"""Clients: TLS from the first octet, versions and suites, the end of a TLS connection (RFC 8314)."""

from __future__ import annotations

import ssl

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import close
from lab.wire.stream import Overdue, RecordedStream
from suites.smtp.certificates import Certificates
from suites.smtp.contract import Security
from suites.smtp.exchange import Exchange
from suites.smtp.parameters import WAYS, both_ways
from suites.smtp.responder import Manners
from suites.smtp.subjects import Client
from suites.smtp.tls_records import begins_handshake

pytestmark = role("client")

#: RFC 7525, section 4.2: those of its recommended suites that need no parameters from the server's side.
RECOMMENDED = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
#: OpenSSL speaks TLS 1.0 only where its security level lets it.
OLD_CIPHERS = "ALL:@SECLEVEL=0"


def sent(exchange: Exchange) -> int:
    """How many messages came."""
    return sum(len(conversation.payloads) for conversation in exchange.conversations)


def submit(client: Client, context: ssl.SSLContext, security: Security) -> Exchange:
    """Send one message to a scripted host with this context."""
    return client.submit_to_script(Manners(tls=context, immediate_tls=security == "tls"), security=security)


@needs("implicit-tls")
@clause("rfc8314-3.3-implicit-tls-handshake-at-once")
@cuts("whole")  # the host says nothing that could be cut
def test_handshake_comes_before_any_greeting(client: Client) -> None:
    """On a TLS port the client begins the handshake without waiting for a word."""

    def listen(stream: RecordedStream) -> None:
        stream.receive_exactly(5)
        close(stream)

    exchange = client.submit_to_script(Manners(greeting=listen), security="tls")

    octets = exchange.conversation.transcript.octets("client")
    assert begins_handshake(octets), f"the client began with {octets[:80]!r}"


@needs("implicit-tls")
@clause("rfc8314-3.3-implicit-tls-handshake-at-once")
def test_whole_dialogue_is_inside_tls(client: Client) -> None:
    """On a TLS port a message goes from greeting to QUIT inside TLS."""
    exchange = submit(client, client.tls, "tls")

    clear = [command.verb for command in exchange.conversation.commands if not command.after_tls]
    assert clear == [], f"in the clear the client said {clear}"
    assert sent(exchange) == 1, f"the client says {exchange.report}"


@needs("starttls", "implicit-tls")
@clause("rfc8314-3.3-starttls-and-implicit-tls-client")
def test_both_ways_to_tls(client: Client) -> None:
    """One client sends by STARTTLS and over a TLS port."""
    for security in WAYS:
        exchange = submit(client, client.tls, security)

        assert sent(exchange) == 1, f"{security}: the client says {exchange.report}"


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc8314-3.4-close-alert-client")
@cuts("whole")  # the end of the connection has nothing to cut
def test_close_alert_comes_before_the_end(client: Client, security: Security) -> None:
    """A client that leaves closes TLS first, then TCP."""
    ends: list[str] = []

    def watch(stream: RecordedStream) -> None:
        stream.send(b"221 2.0.0 bye\r\n")
        try:
            stream.receive_to_end(timeout=1.0)
        except Overdue:
            return  # it waits for this end to close, and may
        ends.append("without an alert" if stream.truncated else str(stream.ended))

    manners = Manners(answers={"QUIT": watch}, tls=client.tls, immediate_tls=security == "tls")
    exchange = client.submit_to_script(manners, security=security)

    assert sent(exchange) == 1, f"the client says {exchange.report}"
    assert ends in ([], ["eof"]), f"the client's TLS stream ended {ends}"


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc8314-5-tls-1.2-implemented")
@cuts("whole")  # the handshake is not cut
def test_tls_1_2_or_later(client: Client, certificates: Certificates, security: Security) -> None:
    """The client gets along with a host of TLS 1.2 alone, or with one of TLS 1.3 alone."""
    versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

    exchanges = [submit(client, certificates.held_to(version), security) for version in versions]

    assert any(sent(exchange) for exchange in exchanges), f"it says {[one.report for one in exchanges]}"


@pytest.mark.parametrize("suite", RECOMMENDED)
@needs("implicit-tls")
@clause("rfc8314-5-recommended-ciphers-client")
@cuts("whole")  # the handshake is not cut
def test_recommended_cipher_suite(client: Client, certificates: Certificates, suite: str) -> None:
    """The client gets along with a host that has one recommended suite of TLS 1.2."""
    context = certificates.held_to(ssl.TLSVersion.TLSv1_2, ciphers=suite, kind="right-rsa")

    exchange = submit(client, context, "tls")

    assert sent(exchange) == 1, f"the client says {exchange.report}"


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc8314-5.2-default-minimum-validates")
@cuts("whole")  # the handshake is not cut
def test_tls_1_0_is_not_enough(client: Client, certificates: Certificates, security: Security) -> None:
    """No mail is handed over where the host has nothing better than TLS 1.0."""
    context = certificates.held_to(ssl.TLSVersion.TLSv1, ciphers=OLD_CIPHERS)

    exchange = submit(client, context, security)

    assert exchange.handed_over == [], f"over TLS 1.0 the client handed over {exchange.handed_over}"
    assert not exchange.done, f"the client says {exchange.report}"


@needs("starttls")
@clause("rfc8314-5.2-minimum-per-account")
def test_minimum_is_set_for_each_account(client: Client) -> None:
    """Mail that may go in the clear does not take along mail that may not."""
    lax = client.submit_to_script(Manners())
    strict = client.submit_to_script(Manners(), security="starttls")

    assert sent(lax) == 1, f"without TLS asked for, the client says {lax.report}"
    assert strict.handed_over == [], (
        f"with TLS asked for, the client handed over {strict.handed_over} in the clear"
    )

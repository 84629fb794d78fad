"""Clients: which certificate is good enough to hand mail and passwords over (RFC 3207, 4954, 8314)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import RecordedStream
from suites.smtp.certificates import CLAIMED, UNSOUND, Certificates
from suites.smtp.contract import Security
from suites.smtp.exchange import Exchange
from suites.smtp.mailhost import ACCOUNT, Account
from suites.smtp.parameters import both_ways
from suites.smtp.responder import EHLO_DEFAULT, Manners, ehlo_reply
from suites.smtp.subjects import Client

# what a client makes of a certificate does not hang on how the clear stream is cut
pytestmark = [role("client"), cuts("whole")]

WITH_AUTH = (*EHLO_DEFAULT, "AUTH PLAIN")
UNVERIFIED = ["unknown-authority", "expired", "self-signed"]


def show(
    client: Client,
    certificates: Certificates,
    kind: str,
    security: Security,
    *,
    account: Account | None = None,
    host: str | None = None,
    says: str = "script.lab.example",
    extensions: Sequence[str] = EHLO_DEFAULT,
) -> Exchange:
    """Send to a scripted host with a certificate of this kind, which calls itself by the name it ``says``."""
    manners = Manners(
        greeting=f"220 {says} ESMTP\r\n".encode(),
        answers={"EHLO": ehlo_reply(extensions if security == "tls" else [*extensions, "STARTTLS"], says)},
        tls=certificates.context(kind),
        immediate_tls=security == "tls",
    )
    return client.submit_to_script(manners, security=security, account=account, host=host)


def assert_nothing_handed_over(exchange: Exchange) -> None:
    """No command with mail or credentials, and no claim that all went well."""
    assert exchange.handed_over == [], (
        f"the client handed over {exchange.handed_over}; it says {exchange.report}"
    )
    assert not exchange.done, f"the client says {exchange.report}"


def assert_mail_sent(exchange: Exchange) -> None:
    """One message came."""
    sent = [payload for conversation in exchange.conversations for payload in conversation.payloads]
    assert len(sent) == 1, f"{len(sent)} messages came; the client says {exchange.report}"


@pytest.mark.parametrize("kind", UNSOUND)
@needs("starttls")
@clause(
    "rfc8314-5.3-certificate-checked-by-pkix",
    "rfc8314-5-unvalidated-is-not-confidential",
    "rfc8314-5.2-default-minimum-validates",
    "rfc3207-4.1-decides-after-handshake-client",
)
def test_unsound_certificate_ends_starttls(client: Client, certificates: Certificates, kind: str) -> None:
    """After STARTTLS with a certificate that does not hold, no mail is sent."""
    assert_nothing_handed_over(show(client, certificates, kind, "starttls"))


@pytest.mark.parametrize("kind", UNSOUND)
@needs("implicit-tls")
@clause(
    "rfc8314-5.3-certificate-checked-by-pkix",
    "rfc8314-3.3-certificate-validated",
    "rfc8314-5.2-default-minimum-validates",
)
def test_unsound_certificate_ends_implicit_tls(client: Client, certificates: Certificates, kind: str) -> None:
    """On a TLS port with a certificate that does not hold, no mail is sent."""
    assert_nothing_handed_over(show(client, certificates, kind, "tls"))


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc8314-5.3-certificate-checked-by-pkix")
def test_intermediate_authority_is_followed(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """A chain by way of an intermediate authority leads to the trusted one, and the mail is sent."""
    assert_mail_sent(show(client, certificates, "by-intermediate", security))


@pytest.mark.parametrize("kind", UNSOUND)
@needs("starttls")
@clause("rfc3207-4.1-not-secure-enough-quit")
def test_quit_where_the_certificate_is_unfit(client: Client, certificates: Certificates, kind: str) -> None:
    """A handshake that was ended but is not good enough is followed by QUIT; breaking it off is as good."""
    exchange = show(client, certificates, kind, "starttls")

    transcript = exchange.conversation.transcript
    secured = [event.data for event in transcript.events() if event.kind == "tls"]
    inside = [command.verb for command in exchange.conversation.commands if command.after_tls]
    assert len(secured) == 1, (
        f"the client began {len(secured)} handshakes; it said {exchange.conversation.verbs}"
    )
    assert b"failed" in secured[0] or inside == ["QUIT"], f"inside TLS the client said {inside}"


@pytest.mark.parametrize("kind", UNVERIFIED)
@both_ways
@needs("starttls", "implicit-tls", "auth-plain")
@clause("rfc4954-14-no-plain-without-valid-certificate")
def test_no_password_with_an_unverified_certificate(
    client: Client, certificates: Certificates, kind: str, security: Security
) -> None:
    """AUTH PLAIN is not tried with a host whose certificate does not verify."""
    exchange = show(client, certificates, kind, security, account=ACCOUNT, extensions=WITH_AUTH)

    assert "AUTH" not in exchange.handed_over, f"the client handed over {exchange.handed_over}"


@both_ways
@needs("starttls", "implicit-tls", "auth-plain")
@clause("rfc4954-14-host-name-checked", "rfc4954-14-no-plain-after-name-mismatch")
def test_no_password_for_another_host(client: Client, certificates: Certificates, security: Security) -> None:
    """Neither password nor mail is given to a host whose certificate is for another name."""
    exchange = show(client, certificates, "other-name", security, account=ACCOUNT, extensions=WITH_AUTH)

    assert_nothing_handed_over(exchange)


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-name-used-to-connect")
def test_name_used_to_connect_is_compared(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """A certificate for the name that was connected to is good, whatever the host calls itself."""
    assert_mail_sent(show(client, certificates, "host-alone", security, says=CLAIMED))


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-name-used-to-connect")
def test_name_not_used_to_connect_is_not_enough(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """Connected to by address, a certificate for the name of that address alone is for another host."""
    assert_nothing_handed_over(show(client, certificates, "host-alone", security, host="127.0.0.1"))


@both_ways
@needs("starttls", "implicit-tls", "auth-plain")
@clause("rfc4954-14-no-name-from-insecure-source")
def test_name_the_host_claims_is_not_compared(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """A certificate for the name that greeting and EHLO reply claim is still for another host."""
    exchange = show(
        client, certificates, "claimed-name", security, says=CLAIMED, account=ACCOUNT, extensions=WITH_AUTH
    )

    assert_nothing_handed_over(exchange)


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-dns-alternative-name-first")
def test_common_name_does_not_count_beside_alternative_names(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """With alternative names in the certificate, a common name that fits is not enough."""
    assert_nothing_handed_over(show(client, certificates, "common-name-alone", security))


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-dns-alternative-name-first")
def test_alternative_name_counts_before_the_common_name(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """An alternative name that fits is enough beside a common name that does not."""
    assert_mail_sent(show(client, certificates, "alternative-name-alone", security))


@pytest.mark.parametrize("host", ["LOCALHOST", "LocalHost"], ids=["capitals", "mixed"])
@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-name-case-insensitive")
def test_case_of_the_name_does_not_matter(
    client: Client, certificates: Certificates, security: Security, host: str
) -> None:
    """A name written in other cases than in the certificate is the same name."""
    assert_mail_sent(show(client, certificates, "host-alone", security, host=host))


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc4954-14-any-of-several-names")
def test_one_name_of_several_is_enough(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """It does not matter which of a certificate's names fits."""
    assert_mail_sent(show(client, certificates, "several-names", security))


@both_ways
@needs("starttls", "implicit-tls")
@clause("rfc8314-5.5-no-unasked-client-certificate")
def test_no_client_certificate_is_shown(
    client: Client, certificates: Certificates, security: Security
) -> None:
    """Asked for a certificate of its own, a client that was given none shows none and sends its mail."""
    shown: list[bytes | None] = []

    def look(stream: RecordedStream) -> None:
        shown.append(stream.peer_certificate)
        stream.send(b"250 2.1.0 fine\r\n")

    manners = Manners(
        answers={"MAIL": look},
        tls=certificates.asking(),
        immediate_tls=security == "tls",
    )

    exchange = client.submit_to_script(manners, security=security)

    assert shown == [None], f"the client showed {shown}; it says {exchange.report}"
    assert_mail_sent(exchange)

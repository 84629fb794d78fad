"""Mutants of the exemplar client: TLS and certificates (RFC 3207, RFC 8314)."""

from __future__ import annotations

import ssl

from suites.smtp.contract import Security
from suites.smtp.exemplar_client import Client
from suites.smtp.exemplar_client_edge import SocketChannel
from suites.smtp.exemplar_talk import Lost, Reply, Turned, Unsendable
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()

# STARTTLS

breaks.says(
    "starttls-now",
    "STARTTLS has an argument.",
    "^STARTTLS$",
    "STARTTLS now",
    "rfc3207-4-starttls-without-parameters",
)


@breaks(
    "rfc3207-4-starttls-only-when-offered",
    "rfc3207-4-454-is-decided",
    "rfc3207-6-can-require-tls-client",
    "rfc4954-9-protected-passwords-client",
    "rfc8314-5-minimum-confidentiality-configurable",
    "rfc8314-5.2-minimum-per-account",
    "rfc8314-5.2-nothing-below-minimum",
)
class Opportunist(Client):
    """Where TLS cannot be had the session goes on in the clear."""

    def start_tls(self) -> None:
        try:
            super().start_tls()
        except (Unsendable, Turned):
            return


@breaks("rfc3207-4-nothing-between-220-and-handshake")
class CommandBeforeHandshake(SocketChannel):
    """A command is sent between the 220 and the handshake."""

    def start_tls(self, host: str) -> None:
        self.send(b"NOOP\r\n")
        super().start_tls(host)


@breaks("rfc3207-4-failed-start-aborts")
class BackToClear(SocketChannel):
    """After a handshake that failed the session goes on in the clear."""

    def start_tls(self, host: str) -> None:
        spare = self.opened().dup()
        try:
            super().start_tls(host)
        except Lost:
            self.sock = spare
            return
        spare.close()


@breaks("rfc3207-4-starttls-ends-a-group", "rfc2920-3.1-other-extensions-commands-last")
class StarttlsAndMore(Client):
    """A command follows STARTTLS in the same group."""

    def command(self, line: str) -> Reply:
        if line != "STARTTLS":
            return super().command(line)
        self.send_commands([line, "NOOP"])
        return self.read_reply()


@breaks("rfc3207-4.2-forgets-server-after-tls")
class RemembersExtensions(Client):
    """What was offered in the clear counts inside TLS."""

    def hello(self, name: str | None) -> None:
        before = dict(self.extensions)
        super().hello(name)
        self.extensions = {**before, **self.extensions}


@breaks("rfc3207-4.2-plaintext-reply-after-220-not-used")
class UsesInjected(SocketChannel):
    """Replies that came in the clear behind the 220 count inside TLS."""

    def start_tls(self, host: str) -> None:
        kept = bytes(self.received)
        super().start_tls(host)
        self.received += kept


@breaks("rfc3207-4.2-ehlo-first-after-tls")
class NoSecondEhlo(Client):
    """There is no EHLO inside TLS."""

    def hello(self, name: str | None) -> None:
        if not (self.channel.secured and self.extensions):
            super().hello(name)


@breaks("rfc3207-4.2-no-second-starttls")
class TlsInTls(Client):
    """STARTTLS is said again where it is offered inside TLS."""

    def hello(self, name: str | None) -> None:
        super().hello(name)
        if self.channel.secured and "STARTTLS" in self.extensions:
            self.command("STARTTLS")


# certificates


def _trust_everybody(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def _trust_any_name(context: ssl.SSLContext) -> None:
    context.check_hostname = False


breaks.secures(
    "trusts-everybody",
    "Certificates are not checked.",
    _trust_everybody,
    "rfc3207-4.1-decides-after-handshake-client",
    "rfc3207-4.1-not-secure-enough-quit",
    "rfc4954-14-no-plain-without-valid-certificate",
    "rfc8314-3.3-certificate-validated",
    "rfc8314-5-unvalidated-is-not-confidential",
    "rfc8314-5.2-default-minimum-validates",
    "rfc8314-5.3-certificate-checked-by-pkix",
)
breaks.secures(
    "trusts-any-name",
    "The name in the certificate is not checked.",
    _trust_any_name,
    "rfc4954-14-host-name-checked",
    "rfc4954-14-no-plain-after-name-mismatch",
)


@breaks("rfc4954-14-name-used-to-connect", "rfc4954-14-no-name-from-insecure-source")
class NameFromGreeting(Client):
    """The name in the certificate is compared with the one in the greeting."""

    def read_reply(self) -> Reply:
        reply = super().read_reply()
        if reply.code == 220 and not self.extensions and reply.text:
            self.host = reply.text.split()[0]
        return reply


class OwnNameCheck(SocketChannel):
    """Compares names in a way of its own, the chain being checked as ever."""

    def tls_context(self) -> ssl.SSLContext:
        context = super().tls_context()
        context.check_hostname = False
        return context

    def start_tls(self, host: str) -> None:
        super().start_tls(host)
        certificate = self.sock.getpeercert() if isinstance(self.sock, ssl.SSLSocket) else None
        found = certificate or {}
        alternative = [str(name[1]) for name in self.pairs(found.get("subjectAltName"))]
        common = [
            str(pair[1])
            for part in self.pairs(found.get("subject"))
            for pair in self.pairs(part)
            if pair[0] == "commonName"
        ]
        if not self.fits(host, alternative, common):
            raise Lost("the certificate is another's")

    def pairs(self, value: object) -> list[tuple[object, ...]]:
        """The tuples of a certificate's field."""
        return [part for part in value if isinstance(part, tuple)] if isinstance(value, tuple) else []

    def fits(self, host: str, alternative: list[str], common: list[str]) -> bool:
        """Whether the certificate is the host's."""
        return host.lower() in {name.lower() for name in alternative}


@breaks("rfc4954-14-dns-alternative-name-first")
class CommonNameCounts(OwnNameCheck):
    """The common name counts beside alternative names."""

    def fits(self, host: str, alternative: list[str], common: list[str]) -> bool:
        return host.lower() in {name.lower() for name in [*alternative, *common]}


@breaks("rfc4954-14-name-case-insensitive")
class CaseCounts(OwnNameCheck):
    """Host names are compared with their case."""

    def fits(self, host: str, alternative: list[str], common: list[str]) -> bool:
        return host in alternative


@breaks("rfc4954-14-any-of-several-names")
class FirstNameCounts(OwnNameCheck):
    """Only the first name in the certificate counts."""

    def fits(self, host: str, alternative: list[str], common: list[str]) -> bool:
        return host.lower() in [name.lower() for name in alternative[:1]]


# TLS itself


def _only_old(context: ssl.SSLContext) -> None:
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3


def _only_odd(context: ssl.SSLContext) -> None:
    context.options |= ssl.OP_NO_TLSv1_3
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA")


breaks.secures("old-tls-only", "TLS ends at version 1.1.", _only_old, "rfc8314-5-tls-1.2-implemented")
breaks.secures(
    "odd-ciphers-only", "Suites of yesterday are spoken.", _only_odd, "rfc8314-5-recommended-ciphers-client"
)


@breaks("rfc8314-5.5-no-unasked-client-certificate")
class ShowsCertificate(SocketChannel):
    """A certificate of the client's own is shown to whoever asks."""

    def tls_context(self) -> ssl.SSLContext:
        # imported by this one mutant: it is not quick
        import trustme  # noqa: PLC0415

        context = super().tls_context()
        trustme.CA().issue_cert("client.lab.example").configure_cert(context)
        return context


@breaks("rfc8314-3.4-close-alert-client")
class NoAlertAtEnd(SocketChannel):
    """TLS ends without its alert."""

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None


@breaks("rfc8314-3.3-implicit-tls-handshake-at-once")
class ClearFirst(Client):
    """On a TLS port EHLO is said in the clear first."""

    def begin(self, name: str | None, security: Security, username: str | None, password: str | None) -> None:
        if security == "tls":
            self.send_commands([f"EHLO {name or self.own_name()}"])
        super().begin(name, security, username, password)


@breaks("rfc8314-3.3-starttls-and-implicit-tls-client")
class StarttlsOnly(Client):
    """TLS from the first octet is not known."""

    def begin(self, name: str | None, security: Security, username: str | None, password: str | None) -> None:
        if security == "tls":
            raise Unsendable("TLS from the start is not supported")
        super().begin(name, security, username, password)

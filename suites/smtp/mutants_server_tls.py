"""Mutants of the exemplar server: TLS (RFC 3207, RFC 8314)."""

from __future__ import annotations

import socket
import ssl

from suites.smtp.exemplar_edge import Edge
from suites.smtp.exemplar_framing import PortName, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()

# STARTTLS

breaks.answers(
    "tls-required-554",
    "What needs TLS or AUTH is refused with 554.",
    {"* 530": "554 5.7.0 No"},
    "rfc3207-4-tls-required-530",
    "rfc4954-6-auth-required-530",
    "rfc6409-4.3-authentication-required-530",
)
breaks.answers(
    "tls-required-5.7.1",
    "The refusal for want of TLS carries 5.7.1.",
    {"* 530": "530 5.7.1 No"},
    "rfc3207-4-tls-required-5.7.0",
)
breaks.answers(
    "starttls-parameter-500",
    "STARTTLS with an argument is answered with 500.",
    {"STARTTLS 501": "500 5.5.4 No"},
    "rfc3207-4-starttls-parameter-501",
)


@breaks("rfc3207-4-starttls-220", "rfc8314-4-starttls-listed-only-if-it-works")
class NoTls(Session):
    """STARTTLS is listed and answered with 454."""

    def starttls(self, argument: str) -> None:
        raise Refused(454, "4.7.0", "TLS is not available")


@breaks("rfc8314-3.3-starttls-and-implicit-tls-server")
class TlsPortClear(Edge):
    """The TLS port speaks in the clear."""

    def run(self, connection: socket.socket, port: PortName, peer: str) -> None:
        super().run(connection, "plain" if port == "tls" else port, peer)


@breaks("rfc3207-4-local-delivery-without-tls", "rfc3207-6-opportunistic-server")
class TlsForAll(Session):
    """Every port asks for TLS."""

    def gate(self, verb: str) -> None:
        if self.cipher is None and verb not in {"NOOP", "EHLO", "STARTTLS", "QUIT"}:
            raise Refused(530, "5.7.0", "STARTTLS comes first")
        super().gate(verb)


@breaks("rfc3207-4.2-forgets-client-after-tls")
class Remembers(Session):
    """What the client said in the clear holds inside TLS."""

    def forget(self) -> None:
        self.drop_input()

    def hello(self, argument: str, *, extended: bool) -> None:
        kept, name = self.envelope, self.client_name
        super().hello(argument, extended=extended)
        if self.cipher is not None:
            self.envelope, self.client_name = kept, name or argument


@breaks("rfc3207-4.2-plaintext-after-starttls-not-executed")
class RunsInjected(Session):
    """Commands that came in the clear behind STARTTLS are executed inside TLS."""

    def drop_input(self) -> None:
        pass


@breaks("rfc3207-4.2-starttls-not-offered-over-tls")
class TlsTwice(Session):
    """STARTTLS is offered inside TLS."""

    def extensions(self) -> list[str]:
        return [*super().extensions(), "STARTTLS"]


@breaks("rfc3207-4.2-initial-state-after-tls")
class GreetsTwice(Session):
    """A second greeting comes inside TLS."""

    def secured(self, cipher: str) -> None:
        super().secured(cipher)
        self.greet()


@breaks("rfc3207-6-can-require-tls-server", "rfc6409-4.3-authentication-required")
class NoGate(Session):
    """The submission port asks for nothing."""

    def gate(self, verb: str) -> None:
        pass


# TLS itself


@breaks("rfc8314-3.3-implicit-tls-handshake-first")
class GreetsInTheClear(Edge):
    """The TLS port greets in the clear before the handshake."""

    def run(self, connection: socket.socket, port: PortName, peer: str) -> None:
        if port == "tls":
            connection.sendall(b"220 mx.lab.example ESMTP\r\n")
        super().run(connection, port, peer)


@breaks("rfc8314-3.4-close-alert-server")
class NoAlert(Edge):
    """TLS ends without its alert."""

    def close(self, connection: socket.socket) -> None:
        connection.close()


@breaks("rfc8314-4-tls-1.2-supported")
class OldTls(Edge):
    """TLS ends at version 1.1."""

    def tls_context(self, certificate: str, key: str) -> ssl.SSLContext:
        context = super().tls_context(certificate, key)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
        return context


@breaks("rfc8314-4-recommended-ciphers-server")
class OddCiphers(Edge):
    """With TLS 1.2 only suites without forward secrecy are spoken."""

    def tls_context(self, certificate: str, key: str) -> ssl.SSLContext:
        context = super().tls_context(certificate, key)
        context.set_ciphers("ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:AES128-SHA")
        return context


@breaks("rfc8314-4.2-no-client-certificate-request")
class AsksCertificate(Edge):
    """Clients are asked for a certificate."""

    def tls_context(self, certificate: str, key: str) -> ssl.SSLContext:
        context = super().tls_context(certificate, key)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(certificate)
        return context

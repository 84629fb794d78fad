"""Twisted Mail as an SMTP server under test: `python -m implementations.smtp.twisted_server`.

Knows twisted.mail.smtp, twisted.cred and the common manners of the server commands. Decides who is a user,
which recipients are ours and where a message goes; every word of the protocol is Twisted's own.
"""

# ruff: noqa: N802
# (Twisted calls these methods by the names it gave them.)
# mypy: disallow-untyped-calls=False
# (twisted.mail.smtp and twisted.cred carry few annotations.)

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from OpenSSL.crypto import FILETYPE_PEM
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import CramMD5Credentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet import defer, ssl, threads
from twisted.internet import reactor as twisted_reactor
from twisted.internet.interfaces import IAddress
from twisted.mail import smtp
from twisted.mail.imap4 import PLAINCredentials
from zope.interface import Interface, implementer  # type: ignore[import-untyped]  # zope has no annotations

from implementations.smtp.service import (
    Configuration,
    announce,
    deliver,
    read_configuration,
    terminate_at_end_of_input,
)

reactor: Any = twisted_reactor  # mypy cannot read zope's interfaces, whose methods name no self
_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


@implementer(IRealm)
class Realm:
    """Gives everybody, logged in or not, the same mail drop."""

    def __init__(self, configuration: Configuration) -> None:
        self._drop = MailDrop(configuration)

    def requestAvatar(
        self, _name: bytes | tuple[()], _mind: object, *_interfaces: type[Interface]
    ) -> tuple[type[Interface], MailDrop, Callable[[], None]]:
        """Let `_name` in, and anybody without one."""
        return smtp.IMessageDeliveryFactory, self._drop, lambda: None


@implementer(smtp.IMessageDeliveryFactory)
class MailDrop:
    """Makes a delivery for each message."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def getMessageDelivery(self) -> Delivery:
        """Begin a message."""
        return Delivery(self._configuration)


@implementer(smtp.IMessageDelivery)
class Delivery:
    """One message on its way in: takes recipients of our own domains only."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.sender = ""
        self.recipients: list[str] = []
        self._message: Message | None = None

    def receivedHeader(
        self, _helo: tuple[bytes, bytes], _origin: smtp.Address, _recipients: list[smtp.User]
    ) -> bytes:
        """Add nothing: the message is stored as it came."""
        return b""

    def validateFrom(self, _helo: tuple[bytes, bytes], origin: smtp.Address) -> smtp.Address:
        """Take any sender."""
        self.sender = str(origin)
        return origin

    def validateTo(self, user: smtp.User) -> Callable[[], Message | FurtherRecipient]:
        """Take recipients of ours; raises smtp.SMTPBadRcpt (550) for others."""
        address = str(user.dest)
        if not self.configuration.is_local(address):
            raise smtp.SMTPBadRcpt(address)
        self.recipients.append(address)
        return self._open

    def _open(self) -> Message | FurtherRecipient:
        if self._message is not None:
            return FurtherRecipient()
        self._message = Message(self)
        return self._message


@implementer(smtp.IMessage)
class Message:
    """Collects the lines, and stores them once for all recipients."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._lines: list[bytes] = []
        self._room = delivery.configuration.maximum_size

    def lineReceived(self, line: bytes) -> None:
        """Collect a line that came without its dot and CRLF; raises smtp.SMTPServerError (552)."""
        self._room -= len(line) + 2
        if self._room < 0:
            self._lines.clear()
            raise smtp.SMTPServerError(552, b"Message too large")
        self._lines.append(line + b"\r\n")

    def eomReceived(self) -> defer.Deferred[None]:
        """Store the message; Twisted answers when that is done."""
        delivery = self._delivery
        return threads.deferToThread(
            deliver,
            delivery.configuration.deliver_to,
            delivery.sender,
            delivery.recipients,
            [],
            b"".join(self._lines),
        )

    def connectionLost(self) -> None:
        """Forget a message that was cut off."""
        self._lines.clear()


@implementer(smtp.IMessage)
class FurtherRecipient:
    """Twisted wants a message for each recipient; this one leaves the storing to the first."""

    def lineReceived(self, line: bytes) -> None:
        """Leave the line to the first recipient's message."""

    def eomReceived(self) -> defer.Deferred[None]:
        """Have nothing to wait for."""
        return defer.succeed(None)

    def connectionLost(self) -> None:
        """Have nothing to forget."""


class Factory(smtp.SMTPFactory):
    """Makes an ESMTP session for each connection; with `context` it offers STARTTLS."""

    protocol = smtp.ESMTP
    noisy = False

    def __init__(self, configuration: Configuration, context: ssl.CertificateOptions | None) -> None:
        users: Any = (
            InMemoryUsernamePasswordDatabaseDontUse()
        )  # mypy does not see what zope's implementer does
        for name, password in configuration.users.items():
            users.addUser(name.encode(), password.encode())
        realm: Any = Realm(configuration)  # likewise
        anonymous: Any = AllowAnonymousAccess()  # likewise
        super().__init__(Portal(realm, [users, anonymous]))
        self.domain = configuration.hostname.encode("ascii")
        self._context = context

    def buildProtocol(self, addr: IAddress | None) -> smtp.ESMTP:
        """Make a session and give it the ways to log in."""
        session: smtp.ESMTP = super().buildProtocol(addr)
        session.ctx = self._context
        session.challengers = {
            b"CRAM-MD5": lambda: CramMD5Credentials(self.domain),
            b"LOGIN": smtp.LOGINCredentials,
            b"PLAIN": PLAINCredentials,
        }
        return session


def _tls(certificate: str, key: str) -> ssl.CertificateOptions:
    chain = _CERTIFICATE.findall(Path(certificate).read_bytes())
    own, *others = (ssl.Certificate.loadPEM(pem).original for pem in chain)
    private_key = ssl.KeyPair.load(Path(key).read_bytes(), FILETYPE_PEM).original
    return ssl.CertificateOptions(privateKey=private_key, certificate=own, extraCertChain=others)


def main() -> None:
    """Serve until SIGTERM or the end of standard input."""
    configuration = read_configuration()
    context = None
    if configuration.certificate is not None and configuration.key is not None:
        context = _tls(configuration.certificate, configuration.key)
    plain = reactor.listenTCP(0, Factory(configuration, context), interface=configuration.host)
    tls = None
    if context is not None:
        tls = reactor.listenSSL(0, Factory(configuration, None), context, interface=configuration.host)
    terminate_at_end_of_input()
    announce(plain.getHost().port, tls.getHost().port if tls else None)
    reactor.run()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of input may still report itself


if __name__ == "__main__":
    main()

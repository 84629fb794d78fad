"""Twisted Mail's ESMTPClient as an SMTP client under test.

Knows twisted.mail.smtp, which keeps its own thread here because a reactor cannot be started twice, and the
shapes of a report. Adds nothing to what Twisted does, and mends nothing in it.
"""

# ruff: noqa: N802, N803
# (Twisted calls these methods by the names it gave them.)
# mypy: disallow-untyped-calls=False
# (twisted.mail.smtp carries no annotations.)

from __future__ import annotations

import functools
import io
import ssl
import threading
from typing import Any, Literal

from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import defer, endpoints, error, threads
from twisted.internet import reactor as twisted_reactor
from twisted.internet import ssl as twisted_ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.protocol import connectionDone
from twisted.mail import smtp
from twisted.python.failure import Failure

from implementations.smtp.outcome import Outcome, Report, Transaction, answered, done, failed, nobody, report

reactor: Any = twisted_reactor  # mypy cannot read zope's interfaces, whose methods name no self

# Their reply codes are Twisted's own invention; the peer said nothing of the kind.
_OWN_ERRORS = (smtp.EHLORequiredError, smtp.TLSRequiredError, smtp.AUTHRequiredError)


class TwistedClient:
    """Sends all transactions through one `ESMTPClient`, in the reactor's thread."""

    def send(
        self,
        *,
        host: str,
        port: int,
        security: Literal["none", "starttls", "tls"],
        ca_file: str | None,
        local_name: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
        transactions: list[Transaction],
    ) -> Report:
        """Run all `transactions` on one connection; `timeout` (seconds) holds for each line waited for."""
        context = _trust(host, ca_file)
        session = _Session(username, password, context if security == "starttls" else None, local_name)
        session.timeout = timeout  # type: ignore[assignment]  # mypy takes the default, None, for its type
        session.requireTransportSecurity = security != "none"
        session.waiting = [*transactions]
        endpoint: Any  # an interface, again
        endpoint = endpoints.HostnameEndpoint(reactor, host, port, timeout=timeout)
        if security == "tls":
            endpoint = endpoints.wrapClientTLS(context, endpoint)

        async def run() -> Report:
            try:
                await endpoints.connectProtocol(endpoint, session)
            except (error.ConnectError, error.DNSLookupError) as reason:
                return report([], failed(reason))
            return await session.ended

        def begin() -> defer.Deferred[Report]:
            return defer.Deferred.fromCoroutine(run())

        _start_reactor()
        return threads.blockingCallFromThread(reactor, begin)  # type: ignore[arg-type]  # mypy misreads the union


class _Session(smtp.ESMTPClient):
    """Feeds the transactions to Twisted as it asks for them, and writes down what it says of each."""

    def __init__(
        self, username: str | None, password: str | None, context: object, local_name: str | None
    ) -> None:
        super().__init__((password or "").encode(), context, local_name or smtp.DNSNAME)
        self.requireAuthentication = username is not None
        self.waiting: list[Transaction] = []
        self.ended: defer.Deferred[Report] = defer.Deferred()
        self._current: Transaction | None = None
        self._outcomes: list[Outcome] = []
        self._problem: Outcome | None = None
        self._quitting = False
        if username is not None:  # in the order in which Twisted's own ESMTPSender offers them
            for kind in (smtp.CramMD5ClientAuthenticator, smtp.LOGINAuthenticator, smtp.PLAINAuthenticator):
                self.registerAuthenticator(kind(username.encode()))

    def getMailFrom(self) -> str | None:
        while self.waiting:
            self._current = self.waiting.pop(0)
            reason = _cannot(self._current)
            if reason is None:
                return self._current["mail_from"]
            self._outcomes.append(failed(reason))
        self._current = None
        self._quitting = True
        return None

    def getMailTo(self) -> list[bytes]:
        return [recipient.encode("ascii") for recipient in self._transaction["recipients"]]

    def getMailData(self) -> io.BytesIO:
        # What Twisted asks for: a file whose lines end in "\n", which it sends as CRLF.
        return io.BytesIO(self._transaction["message"].replace(b"\r\n", b"\n"))

    def sentMail(
        self,
        code: int,
        resp: bytes | str,
        numOk: int,
        addresses: list[tuple[bytes, int, bytes]],
        _log: object,
    ) -> None:
        self._current = None
        refused = {
            address.decode("ascii"): (reply, _text(words))
            for address, reply, words in addresses
            if reply >= 300
        }
        if addresses and not numOk:
            self._outcomes.append(nobody(refused))
        elif 200 <= code <= 299:
            self._outcomes.append(done(refused))
        else:
            self._outcomes.append({**answered(code, _text(resp)), "refused_recipients": refused})

    def sendError(self, exc: smtp.SMTPClientError) -> None:
        if exc.code < 0 or isinstance(exc, _OWN_ERRORS):
            self._problem = {"outcome": "failed", "cause": f"{type(exc).__name__}: {_text(exc.resp)}"}
        else:
            self._problem = answered(exc.code, _text(exc.resp))
        super().sendError(exc)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        if not reason.check(error.ConnectionClosed, SSL.Error, VerificationError):
            self.ended.errback(reason)
            return
        if self._problem is None and not self._quitting:
            self._problem = failed(reason.value)
        if self._current is not None and self._problem is not None:
            self._outcomes.append(self._problem)
        self.ended.callback(report(self._outcomes, self._problem))

    @property
    def _transaction(self) -> Transaction:
        if self._current is None:
            raise RuntimeError("Twisted asks for a message between transactions")
        return self._current


def _cannot(transaction: Transaction) -> Exception | None:
    """Say why Twisted has no way to send this, if so."""
    if transaction["smtputf8"] or transaction["mail_options"] or transaction["rcpt_options"]:
        return NotImplementedError("twisted.mail.smtp takes no parameters for MAIL and RCPT")
    try:
        "".join([transaction["mail_from"], *transaction["recipients"]]).encode("ascii")
    except UnicodeEncodeError as reason:
        return reason
    return None


def _trust(host: str, ca_file: str | None) -> IOpenSSLClientConnectionCreator:
    if ca_file is None:
        return twisted_ssl.optionsForClientTLS(host)
    authorities = ssl.create_default_context(cafile=ca_file).get_ca_certs(binary_form=True)
    roots = twisted_ssl.trustRootFromCertificates([twisted_ssl.Certificate.load(der) for der in authorities])
    return twisted_ssl.optionsForClientTLS(host, trustRoot=roots)


def _text(reply: bytes | str) -> str:
    return reply if isinstance(reply, str) else reply.decode("utf-8", "replace")


@functools.cache
def _start_reactor() -> None:
    threading.Thread(target=reactor.run, args=(False,), name="reactor", daemon=True).start()

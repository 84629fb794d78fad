"""What a case is given: the client, or the server, under test.

Knows how a case asks for things, in few words. Judges nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from lab.judge.evidence import Evidence
from lab.judge.verdict import Blocked, Unsupported
from lab.wire.authority import Authority
from lab.wire.driver import connect
from lab.wire.segmentation import SEGMENTATIONS
from lab.wire.stream import RecordedStream
from suites.smtp.contract import Security, Transaction
from suites.smtp.exchange import CLIENT_TIMEOUT, ClientBench, Exchange, transaction
from suites.smtp.mailbox import wait_for, wait_for_recipients
from suites.smtp.mailhost import Account, Mailhost, PortName, SubjectHost
from suites.smtp.message import message, new_token
from suites.smtp.responder import Manners
from suites.smtp.session import SmtpSession

SMALL_MESSAGE = (
    b"From: <sender@lab.example>\r\nTo: <recipient@lab.example>\r\nSubject: small\r\n"
    b"Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <small@lab.example>\r\n\r\nA line.\r\n"
)


@dataclass(frozen=True)
class Client:
    """The client under test as a case uses it."""

    bench: ClientBench
    peer: Callable[[], Mailhost]
    host_context: Callable[[Mailhost], ssl.SSLContext]
    tls: ssl.SSLContext
    authority: Authority

    def submit(
        self, *transactions: Transaction, security: Security = "none", account: Account | None = None
    ) -> Exchange:
        """Send through the tap to the mail host that stands opposite."""
        return self.bench.send(
            list(transactions),
            to=self.peer(),
            host_context=self.host_context,
            security=security,
            account=account,
        )

    def submit_to_script(
        self,
        manners: Manners,
        *transactions: Transaction,
        security: Security = "none",
        account: Account | None = None,
        local_name: str | None = None,
        host: str | None = None,
        address: str = "127.0.0.1",
        timeout: float = CLIENT_TIMEOUT,
    ) -> Exchange:
        """Send to a scripted host; without transactions a small message to one recipient is sent.

        Args:
            host: the name the client is told, instead of the address.
            address: where the scripted host listens.
            timeout: seconds the client may wait for one thing.
        """
        small = transaction(SMALL_MESSAGE, ["recipient@lab.example"])
        return self.bench.send_to_script(
            list(transactions) or [small],
            manners,
            security=security,
            account=account,
            local_name=local_name,
            host=host,
            address=address,
            timeout=timeout,
        )

    def submit_to_script_once(self, message: bytes) -> Exchange:
        """Send one message to a polite scripted host."""
        return self.submit_to_script(Manners(), transaction(message, ["recipient@lab.example"]))

    def deliver(self, message: bytes, **options: object) -> tuple[Exchange, list[bytes]]:
        """Send one message to the mail host and wait until it can be read back."""
        host = self.peer()
        token = new_token()
        security: Security = "none"
        exchange = self.submit(transaction(message, [host.recipient(token)], **options), security=security)  # type: ignore[arg-type]  # handed on as they came
        return exchange, wait_for(host.mailbox, token) if exchange.done else []


class Server:
    """The server under test as a case uses it; sessions still open are closed with it."""

    def __init__(self, host: Mailhost, evidence: Evidence, *, cut: str, context: ssl.SSLContext) -> None:
        self.host = host
        self._evidence = evidence
        self._cut = cut
        self._context = context
        self._streams: list[RecordedStream] = []
        self._twins: list[SubjectHost] = []

    @property
    def account(self) -> Account:
        """Who may log in."""
        self._evidence.mask(self.host.account.username, self.host.account.password)
        return self.host.account

    def connect(
        self, port: PortName = "plain", *, timeout: float = 5.0, to: Mailhost | None = None
    ) -> SmtpSession:
        """Open a session; its greeting is read, and TLS begun where the port asks for it.

        Args:
            port: which of the server's ports.
            timeout: seconds that each wait of the session may take.
            to: a twin of the server instead of itself.

        Raises:
            Blocked: the server cannot be reached.
        """
        stream = self.open(port, timeout=timeout, to=to)
        if port == "tls":
            stream.start_tls(self._context, server_name="localhost")
        return SmtpSession(stream, tls=self._context, server_name="localhost")

    def open(
        self, port: PortName = "plain", *, timeout: float = 5.0, to: Mailhost | None = None
    ) -> RecordedStream:
        """A bare connection: nothing is read, no TLS begun; ``connect`` says what the arguments are.

        Raises:
            Blocked: the server cannot be reached.
        """
        endpoint = (to or self.host).endpoint(port)
        try:
            stream = connect(endpoint, segmentation=SEGMENTATIONS[self._cut], timeout=timeout)
        except OSError as error:
            raise Blocked(f"{self.host.name} cannot be reached: {error}") from error
        self._streams.append(stream)
        self._evidence.add(stream.transcript)
        return stream

    def negotiate(self, port: PortName, context: ssl.SSLContext) -> SmtpSession:
        """A session inside TLS that was negotiated with this context, EHLO not yet said.

        Raises:
            StreamError: the handshake failed.
        """
        stream = self.open(port)
        if port != "tls":
            session = SmtpSession(stream, tls=context, server_name="localhost")
            session.ehlo()
            session.starttls()
            return session
        stream.start_tls(context, server_name="localhost")
        return SmtpSession(stream, tls=context, server_name="localhost")

    def new_context(self) -> ssl.SSLContext:
        """A TLS context that trusts what the driver's own does, for a case to narrow."""
        return ssl.create_default_context(cadata=b"".join(self._context.get_ca_certs(binary_form=True)))

    def secure(self, port: PortName = "plain") -> SmtpSession:
        """A session inside TLS with EHLO done: STARTTLS where offered, else the TLS port."""
        if port == "tls" or "starttls" not in self.host.features:
            session = self.connect("tls")
            session.ehlo()
            return session
        session = self.connect(port)
        session.ehlo()
        session.starttls()
        session.ehlo()
        return session

    def greeted(self, port: PortName = "plain") -> SmtpSession:
        """A session with EHLO done and nothing else."""
        session = self.connect(port)
        session.ehlo()
        return session

    def authenticated(self, port: PortName = "plain") -> SmtpSession:
        """A session inside TLS, logged in with AUTH PLAIN."""
        session = self.secure(port)
        reply = session.auth_plain(self.account.username, self.account.password)
        assert reply.code == 235, f"AUTH PLAIN with the right password was answered {reply}"
        return session

    def twin(self) -> SubjectHost:
        """A server of the same implementation that this case alone uses and stops; it ends with the case.

        Raises:
            Unsupported: it is not the lab's to start.
        """
        if not isinstance(self.host, SubjectHost):
            raise Unsupported(f"{self.host.name} serves all cases and is not stopped for one")
        twin = self.host.twin()
        self._twins.append(twin)
        return twin

    def recipient(self) -> tuple[str, str]:
        """A fresh token and the local address that holds it."""
        token = new_token()
        return token, self.host.recipient(token)

    def arrived(self, token: str, *, count: int = 1, timeout: float = 10.0) -> list[bytes]:
        """The token's messages as soon as there are ``count``."""
        return wait_for(self.host.mailbox, token, timeout=timeout, count=count)

    def recipients(self, token: str, *, count: int = 1) -> frozenset[str]:
        """The addresses with the token for which mail has arrived, as soon as there are ``count``."""
        return wait_for_recipients(self.host.mailbox, token, count=count)

    def stored_after_all(self, token: str) -> list[bytes]:
        """What is stored under the token by the time that a message sent now has arrived.

        Shows that nothing was stored without waiting for silence.

        Raises:
            Blocked: the message that marks the time did not arrive.
        """
        mark, recipient = self.recipient()
        reply = self.greeted().deliver(recipient, message())
        if reply.code != 250 or not self.arrived(mark):
            raise Blocked(f"the message that marks the time did not arrive; it was answered {reply}")
        return self.host.mailbox.find(token)

    def sender_of(self, token: str) -> str:
        """The reverse-path with which the token's only message arrived; empty for the null one.

        Raises:
            AssertionError: none arrived, or several.
        """
        self.arrived(token)
        senders = self.host.mailbox.senders(token)
        assert len(senders) == 1, f"{len(senders)} messages arrived, from {senders}"
        return senders[0]

    def close(self) -> None:
        """Close what the case left open."""
        for stream in self._streams:
            stream.close()
        for twin in self._twins:
            twin.stop()

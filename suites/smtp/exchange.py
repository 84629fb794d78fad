"""One use of a client under test: client → tap → peer, and what came of it.

Knows how to ask a client to send and how the tap stands between. Judges nothing.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from lab.wire.endpoint import Endpoint
from lab.wire.faults import Treatment
from lab.wire.interception import Interception
from lab.wire.script import ScriptedPeer
from lab.wire.tap import Tap
from suites.asking import Bench, ask, kept, tapped
from suites.smtp.contract import Report, Security, Transaction
from suites.smtp.conversation import Conversation
from suites.smtp.mailhost import Account, Mailhost
from suites.smtp.message import SENDER
from suites.smtp.responder import Manners, Responder

#: Seconds a client has for one call; its own network timeout is shorter.
CALL_DEADLINE = 15.0
CLIENT_TIMEOUT = 4.0

#: Commands that carry credentials, addresses or mail.
GIVING = frozenset({"AUTH", "MAIL", "RCPT", "DATA", "BDAT", "VRFY", "EXPN"})

STARTTLS_REQUEST = re.compile(rb"(?:^|\n)STARTTLS[ \t]*\r?\n\Z", re.IGNORECASE)
STARTTLS_REPLY = re.compile(rb"220[ -][^\n]*\r\n")


def transaction(
    message: bytes,
    recipients: list[str],
    *,
    sender: str = SENDER,
    smtputf8: bool = False,
    mail_options: list[str] | None = None,
    rcpt_options: list[str] | None = None,
) -> Transaction:
    """One message to send."""
    return {
        "mail_from": sender,
        "recipients": recipients,
        "message": message,
        "smtputf8": smtputf8,
        "mail_options": mail_options or [],
        "rcpt_options": rcpt_options or [],
    }


@dataclass(frozen=True)
class Exchange:
    """What a client said of itself, and what was on the wire.

    ``report`` is never the ground of a verdict on what was sent; it is judged itself
    where a clause is about what a client tells its user.
    """

    report: Report
    conversations: tuple[Conversation, ...]

    @property
    def conversation(self) -> Conversation:
        """The only connection.

        Raises:
            AssertionError: the client opened none, or several.
        """
        assert len(self.conversations) == 1, (
            f"the client opened {len(self.conversations)} connections; it says: {self.report}"
        )
        return self.conversations[0]

    @property
    def handed_over(self) -> list[str]:
        """The verbs of the commands that gave credentials or mail away, over all connections."""
        verbs = [verb for conversation in self.conversations for verb in conversation.verbs]
        return [verb for verb in verbs if verb in GIVING]

    @property
    def done(self) -> bool:
        """Whether the client says that all was sent."""
        return self.report["outcome"] == "done"


def _known_as(endpoint: Endpoint, security: Security) -> Endpoint:
    """Where the client is sent: with TLS by a name, as certificates are made for names."""
    named = security != "none" and endpoint.host == "127.0.0.1"
    return Endpoint("localhost", endpoint.port) if named else endpoint


class ClientBench(Bench):
    """A client under test that sends through the tap, or to a script."""

    def send(
        self,
        transactions: list[Transaction],
        *,
        to: Mailhost,
        host_context: Callable[[Mailhost], ssl.SSLContext],
        security: Security = "none",
        account: Account | None = None,
        local_name: str | None = None,
        from_client: Treatment | None = None,
    ) -> Exchange:
        """Ask the client to send to a mail host, through the tap.

        Args:
            to: the host.
            host_context: gives the context with which the tap speaks TLS to the host.
            security: what the client is asked to use.
            account: with whose name to log in.
            local_name: the name to say in EHLO; the client's own choice when ``None``.
            from_client: what the tap does to the client's octets.
        """
        self.evidence.peer, self.evidence.peer_kind = to.name, to.kind
        self.evidence.peer_trouble = to.trouble
        interception = None
        if security != "none":
            interception = Interception(
                self.tap_context,
                host_context(to),
                "localhost",
                request=STARTTLS_REQUEST if security == "starttls" else None,
                reply=STARTTLS_REPLY if security == "starttls" else None,
            )
        peer = to.endpoint("tls" if security == "tls" else "plain")
        treatment = from_client or Treatment()
        tap = Tap(
            peer,
            from_client=treatment,
            from_server=Treatment(segmentation=self.cut),
            interception=interception,
        )
        with tapped(tap, self.evidence):
            report = self._call(
                _known_as(tap.endpoint, security), transactions, security, account, local_name
            )
        return Exchange(report, tuple(Conversation(transcript) for transcript in tap.transcripts))

    def send_to_script(
        self,
        transactions: list[Transaction],
        manners: Manners,
        *,
        security: Security = "none",
        account: Account | None = None,
        local_name: str | None = None,
        host: str | None = None,
        address: str = "127.0.0.1",
        timeout: float = CLIENT_TIMEOUT,
    ) -> Exchange:
        """Ask the client to send to a scripted host with these manners.

        Args:
            host: the name the client is told, instead of the address.
            address: where the scripted host listens.
            timeout: seconds the client may wait for one thing.
        """
        self.evidence.peer, self.evidence.peer_kind = "script", "scripted"
        script = ScriptedPeer(Responder(manners), host=address, segmentation=self.cut, window=manners.window)
        with kept(script, self.evidence) as peer:
            endpoint = Endpoint(host, peer.endpoint.port) if host else _known_as(peer.endpoint, security)
            report = self._call(endpoint, transactions, security, account, local_name, timeout)
        return Exchange(report, tuple(Conversation(transcript) for transcript in peer.transcripts))

    def _call(
        self,
        endpoint: Endpoint,
        transactions: list[Transaction],
        security: Security,
        account: Account | None,
        local_name: str | None,
        timeout: float = CLIENT_TIMEOUT,
    ) -> Report:
        if account is not None:
            self.evidence.mask(account.username, account.password)
        arguments = {
            "host": endpoint.host,
            "port": endpoint.port,
            "security": security,
            "ca_file": str(self.ca_file),
            "local_name": local_name,
            "username": account.username if account is not None else None,
            "password": account.password if account is not None else None,
            "timeout": timeout,
            "transactions": transactions,
        }
        # the subject has checked the outcome; a client's further claims are read as what they are, claims
        return cast("Report", ask(self.subject, "send", arguments, CALL_DEADLINE))

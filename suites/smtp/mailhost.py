"""The hosts that receive mail: the reference server, and servers under test.

Knows which port is which, who may log in and where mail is read back. A case is given
one and never knows which.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from lab.judge.catalogue import Implementation
from lab.judge.subject import ServerSubject
from lab.judge.verdict import Blocked, Unsupported
from lab.stack.service import Service
from lab.wire.authority import Authority
from lab.wire.endpoint import Endpoint
from suites.smtp.contract import ServerConfiguration
from suites.smtp.mailbox import FolderMailbox, ImapMailbox, Mailbox
from suites.smtp.message import DOMAIN

#: plain: relay port with STARTTLS; submission: asks for authentication; tls: TLS from the first octet.
PortName = Literal["plain", "submission", "tls"]
HOSTNAME = "mx.lab.example"
#: By these names the tap, scripted hosts and servers under test are reached.
SERVER_NAMES = ("localhost", "127.0.0.1", "::1", HOSTNAME)
MAXIMUM_SIZE = 20971520


@dataclass(frozen=True, slots=True)
class Account:
    """Who may log in; mail for the name arrives in the host's mailbox."""

    username: str
    password: str


#: Whom a client logs in as at a scripted host, which takes whatever is given.
ACCOUNT = Account("lab-user", "lab-secret")


class Mailhost(Protocol):
    """What a case needs of a host."""

    name: str
    kind: Literal["reference", "embedded"]
    account: Account
    features: frozenset[str]

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the port is.

        Raises:
            Blocked: the host does not run.
            Unsupported: it has no such port.
        """

    def recipient(self, token: str) -> str:
        """A local address that holds the token."""

    @property
    def mailbox(self) -> Mailbox:
        """Where its mail is read back."""

    def trouble(self) -> str | None:
        """Why the host is down, or ``None`` while it serves."""


class ReferenceHost:
    """postfix, with mail read back from dovecot."""

    kind: Literal["reference", "embedded"] = "reference"

    def __init__(self, services: Mapping[str, Service], account: Account, features: frozenset[str]) -> None:
        self.name = "postfix"
        self.account = account
        self.features = features
        self._postfix = services["postfix"]
        self._inbox = ImapMailbox(
            Endpoint(*services["dovecot"].endpoint(143)), account.username, account.password
        )
        # opened before anything is sent: what is there already is not this run's
        self._inbox.open()

    @property
    def mailbox(self) -> Mailbox:
        """The account's INBOX."""
        return self._inbox

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where postfix listens."""
        return Endpoint(*self._postfix.endpoint({"plain": 25, "submission": 587, "tls": 465}[port]))

    def recipient(self, token: str) -> str:
        """The account's address, extended by the token."""
        return f"{self.account.username}+{token}@{DOMAIN}"

    def trouble(self) -> str | None:
        """Ask for a greeting."""
        try:
            with self.endpoint().connect(2.0) as sock:
                if sock.recv(4):
                    return None
        except OSError as error:
            return f"postfix does not serve: {error}"
        return "postfix does not serve: it closes at once"

    def stop(self) -> None:
        """Leave the mailbox; postfix goes on."""
        self._inbox.close()


class SubjectHost:
    """A server under test, or one that stands in for the reference server."""

    def __init__(
        self,
        implementation: Implementation,
        authority: Authority,
        *,
        kind: Literal["reference", "embedded"] = "embedded",
    ) -> None:
        self.name = implementation.name
        self.kind = kind
        self.features = implementation.features
        self._implementation = implementation
        self._authority = authority
        self.account = Account("user0", secrets.token_urlsafe(12))
        self._folder = tempfile.TemporaryDirectory(prefix="erle-mail-")
        leaf = authority.issue(f"subject-{implementation.name}", SERVER_NAMES)
        configuration: ServerConfiguration = {
            "host": "127.0.0.1",
            "hostname": HOSTNAME,
            "certificate": str(leaf.certificate),
            "key": str(leaf.key),
            "users": {self.account.username: self.account.password},
            "maximum_size": MAXIMUM_SIZE,
            "domains": [DOMAIN],
            "deliver_to": self._folder.name,
        }
        self.folder = FolderMailbox(Path(self._folder.name))
        self._subject = ServerSubject(implementation, dict(configuration), Path(self._folder.name))

    @property
    def mailbox(self) -> Mailbox:
        """The folder it stores in."""
        return self.folder

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the server listens, started when it is not running."""
        if port == "submission" and "submission" not in self.features:
            port = "plain"
        endpoint = self._subject.endpoint(port)
        if endpoint is None:
            message = f"{self.name} has no {port} port"
            raise Unsupported(message)
        return endpoint

    def recipient(self, token: str) -> str:
        """A local address that is the token."""
        return f"{token}@{DOMAIN}"

    def trouble(self) -> str | None:
        """A server under test that dies is a finding; one that stands in is missing."""
        if self.kind == "embedded" and self._subject.started and not self._subject.alive():
            return f"the embedded peer died: {self._subject.complaint()}"
        return None

    def died(self) -> str | None:
        """What the process said when it died, or ``None`` while it runs."""
        return None if self._subject.alive() else self._subject.complaint()

    def twin(self) -> SubjectHost:
        """Another server of the same implementation, with a folder of its own: one case may stop it.

        Raises:
            Unsupported: somebody else serves this one; the lab can start no other.
        """
        if self._implementation.endpoint is not None:
            raise Unsupported(f"{self.name} is not the lab's to stop")
        return SubjectHost(self._implementation, self._authority, kind=self.kind)

    def kill(self) -> None:
        """End the server without warning, as a crash does; what it stored stays."""
        self._subject.kill()

    def stop(self) -> None:
        """End the server and remove what it stored."""
        self._subject.stop()
        self._folder.cleanup()


def need(host: Mailhost | None, why: str) -> Mailhost:
    """The host, or a blocked case.

    Raises:
        Blocked: there is none.
    """
    if host is None:
        raise Blocked(why)
    return host

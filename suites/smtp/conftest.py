"""The fixtures of the SMTP suite: hosts, clients and sessions.

Binds the judge's implementations to this protocol's contract. Judges nothing.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.evidence import Evidence
from lab.judge.selection import Selection
from lab.judge.subject import ClientSubject
from lab.judge.verdict import Blocked
from lab.stack.accounts import accounts
from lab.stack.project import Lab
from lab.stack.service import Service
from lab.wire.authority import Authority
from lab.wire.contexts import client_context, server_context
from lab.wire.segmentation import SEGMENTATIONS
from lab.wire.stream import StreamError
from suites.smtp.certificates import Certificates
from suites.smtp.exchange import ClientBench
from suites.smtp.mailhost import SERVER_NAMES, Account, Mailhost, ReferenceHost, SubjectHost
from suites.smtp.programs import Scripts
from suites.smtp.session import SmtpSession
from suites.smtp.subjects import Client, Server


@pytest.fixture(scope="session")
def tap_context(authority: Authority) -> ssl.SSLContext:
    """What the tap and the scripted host show to clients."""
    return server_context(authority.issue("tap", SERVER_NAMES))


@pytest.fixture(scope="session")
def certificates(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """What scripted hosts show: each kind is made once a session, because making keys is slow."""
    return Certificates(authority, tmp_path_factory.mktemp("strange-tls"))


@pytest.fixture(scope="session")
def reference_host(
    reference_services: Mapping[str, Service] | None, lab: Lab, selection: Selection, worker_number: int
) -> Iterator[ReferenceHost | None]:
    """Postfix with a mailbox of this worker's own, or ``None`` where no reference server runs."""
    suite = selection.suites["smtp"]
    if reference_services is None or suite.reference is None:
        yield None
        return
    user = list(accounts(lab).values())[worker_number]
    try:
        host = ReferenceHost(reference_services, Account(user.name, user.password), suite.reference.features)
    except (OSError, StreamError) as error:
        raise Blocked(f"dovecot, where mail is read back, does not answer: {error}") from error
    yield host
    host.stop()


@pytest.fixture(scope="session")
def embedded_host(selection: Selection, authority: Authority) -> Iterator[SubjectHost]:
    """The catalogue's server that stands in for postfix when there is no Docker."""
    host = SubjectHost(selection.embedded("smtp"), authority)
    yield host
    host.stop()


@pytest.fixture(scope="session")
def peer(
    selection: Selection, reference_host: ReferenceHost | None, request: pytest.FixtureRequest
) -> Mailhost:
    """The mail host that client cases send to."""
    if selection.peers == "reference":
        if reference_host is None:
            raise Blocked("the reference server does not run")
        return reference_host
    host: SubjectHost = request.getfixturevalue("embedded_host")
    return host


@pytest.fixture(scope="session")
def host_context(lab: Lab, authority: Authority) -> Callable[[Mailhost], ssl.SSLContext]:
    """Gives the TLS context with which the lab itself speaks to a host."""

    @functools.cache
    def trusting(certificate: Path) -> ssl.SSLContext:
        return client_context(certificate)

    def context(host: Mailhost) -> ssl.SSLContext:
        return trusting(lab.state / "tls" / "ca.pem" if host.kind == "reference" else authority.certificate)

    return context


# clients


@pytest.fixture
def client(
    client_subject: ClientSubject,
    evidence: Evidence,
    authority: Authority,
    tap_context: ssl.SSLContext,
    cut: str,
    host_context: Callable[[Mailhost], ssl.SSLContext],
    request: pytest.FixtureRequest,
) -> Client:
    """The client under test."""
    bench = ClientBench(
        client_subject,
        evidence,
        ca_file=authority.certificate,
        tap_context=tap_context,
        cut=SEGMENTATIONS[cut],
    )
    return Client(bench, lambda: request.getfixturevalue("peer"), host_context, tap_context, authority)


# servers


@pytest.fixture(scope="session")
def server_host(
    implementation: Implementation, authority: Authority, reference_host: ReferenceHost | None
) -> Iterator[Mailhost]:
    """The server under test, or the reference server in its turn."""
    if implementation.reference:
        if reference_host is None:
            raise Blocked("the reference server does not run")
        yield reference_host
        return
    host = SubjectHost(implementation, authority, kind="embedded")
    yield host
    host.stop()


@pytest.fixture
def server(
    server_host: Mailhost,
    evidence: Evidence,
    cut: str,
    host_context: Callable[[Mailhost], ssl.SSLContext],
) -> Iterator[Server]:
    """The server under test."""
    evidence.peer, evidence.peer_kind = "driver", "driver"
    evidence.peer_trouble = server_host.trouble
    opened = Server(server_host, evidence, cut=cut, context=host_context(server_host))
    yield opened
    opened.close()


@pytest.fixture
def session(server: Server) -> SmtpSession:
    """A session with the server under test, greeting read, EHLO not yet said."""
    return server.connect()


# programs


@pytest.fixture
def scripts(tap_context: ssl.SSLContext, authority: Authority, tmp_path: Path) -> Iterator[Scripts]:
    """The scripted host that a program of the book is sent to."""
    opened = Scripts(tap_context, authority.certificate, tmp_path)
    yield opened
    opened.close()

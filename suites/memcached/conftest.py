"""The fixtures of the memcached suite: servers, clients and sessions.

Binds the judge's implementations to this protocol's contract. Judges nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping

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
from suites.memcached.exchange import ClientBench, Login
from suites.memcached.hosts import SERVER_NAMES, Host, ReferenceHost, StandIn, SubjectHost
from suites.memcached.session import Session
from suites.memcached.subjects import Client, Server


@pytest.fixture(scope="session")
def tap_context(authority: Authority) -> ssl.SSLContext:
    """What the tap shows to clients."""
    return server_context(authority.issue("tap", SERVER_NAMES))


@pytest.fixture(scope="session")
def login(lab: Lab) -> Login:
    """Who may log in where the server asks for it."""
    user = next(iter(accounts(lab).values()))
    return Login(user.name, user.password)


@pytest.fixture(scope="session")
def reference_host(
    reference_services: Mapping[str, Service] | None, selection: Selection
) -> ReferenceHost | None:
    """memcached, or ``None`` where no reference server runs."""
    suite = selection.suites["memcached"]
    if reference_services is None or suite.reference is None:
        return None
    return ReferenceHost(reference_services, suite.reference.features)


@pytest.fixture(scope="session")
def embedded_host(selection: Selection) -> Iterator[StandIn]:
    """The catalogue's server that stands in for memcached when there is no Docker."""
    host = StandIn(selection.embedded("memcached"))
    yield host
    host.stop()


@pytest.fixture(scope="session")
def peer(selection: Selection, reference_host: ReferenceHost | None, request: pytest.FixtureRequest) -> Host:
    """The server that client cases talk to."""
    if selection.peers == "reference":
        if reference_host is None:
            raise Blocked("the reference server does not run")
        return reference_host
    host: StandIn = request.getfixturevalue("embedded_host")
    return host


# clients


@pytest.fixture
def client(
    implementation: Implementation,
    client_subject: ClientSubject,
    evidence: Evidence,
    authority: Authority,
    tap_context: ssl.SSLContext,
    cut: str,
    lab: Lab,
    worker_number: int,
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
    return Client(
        bench,
        lambda: request.getfixturevalue("peer"),
        lambda: client_context(lab.state / "tls" / "ca.pem"),
        lab,
        implementation.features,
        worker_number,
    )


# servers


@pytest.fixture(scope="session")
def server_host(implementation: Implementation, reference_host: ReferenceHost | None) -> Iterator[Host]:
    """The server under test, or the reference server in its turn."""
    if implementation.reference:
        if reference_host is None:
            raise Blocked("the reference server does not run")
        yield reference_host
        return
    host = SubjectHost(implementation)
    yield host
    host.stop()


@pytest.fixture
def server(
    server_host: Host,
    evidence: Evidence,
    cut: str,
    lab: Lab,
    worker_number: int,
    request: pytest.FixtureRequest,
) -> Iterator[Server]:
    """The server under test."""
    evidence.peer, evidence.peer_kind = "driver", "driver"
    if isinstance(server_host, ReferenceHost):
        evidence.peer_trouble = server_host.trouble
    opened = Server(
        server_host,
        evidence,
        cut=cut,
        lab=lab,
        worker=worker_number,
        login=lambda: request.getfixturevalue("login"),
    )
    yield opened
    opened.close()


@pytest.fixture
def session(server: Server) -> Session:
    """A session with the server under test."""
    return server.connect()

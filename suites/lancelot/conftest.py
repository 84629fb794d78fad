"""The fixtures of the Lancelot suite: clients; servers, where they run, and sessions.

Binds the judge's implementations to this protocol's contract. Judges nothing.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.evidence import Evidence
from lab.judge.mutant_door import EXEMPLAR
from lab.judge.place import HERE, Place
from lab.judge.subject import ClientSubject, ServerSubject
from lab.wire.segmentation import SEGMENTATIONS, Segmentation
from suites.lancelot.exchange import Client
from suites.lancelot.mutants import DOOR
from suites.lancelot.scale import FEW_DESCRIPTORS
from suites.lancelot.session import Session
from suites.lancelot.specification import at_answer_ends, at_question_ends
from suites.lancelot.subjects import Server, server_process

#: How the stream is cut under each name: this protocol's lines end in `?`, and those that come back in a full stop.
CUTS: dict[str, Segmentation] = {**SEGMENTATIONS, "lines": at_question_ends}
ANSWER_CUTS: dict[str, Segmentation] = {**SEGMENTATIONS, "lines": at_answer_ends}


@pytest.fixture(scope="session", autouse=True)
def _descriptors() -> None:
    """The driver holds as many connections as a case opens."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))


# clients


@pytest.fixture(scope="session")
def peer() -> Iterator[ServerSubject]:
    """The server that clients ask: no daemon that the world runs speaks this protocol, so it is the suite's exemplar."""
    subject = server_process(DOOR.row("server", EXEMPLAR), HERE)
    yield subject
    subject.stop()


@pytest.fixture
def client(client_subject: ClientSubject, peer: ServerSubject, evidence: Evidence, cut: str) -> Client:
    """The client under test."""
    return Client(client_subject, peer, evidence, ANSWER_CUTS[cut])


# servers


@pytest.fixture(scope="session")
def server_subject(implementation: Implementation, place: Place) -> Iterator[ServerSubject]:
    """The process of the server under test, shared by the cases that leave it running."""
    subject = server_process(implementation, place)
    yield subject
    subject.stop()


@pytest.fixture
def server(server_subject: ServerSubject, evidence: Evidence, cut: str) -> Iterator[Server]:
    """The server under test."""
    evidence.peer, evidence.peer_kind = "driver", "driver"
    opened = Server(server_subject, evidence, CUTS[cut])
    yield opened
    opened.close()


@pytest.fixture
def session(server: Server) -> Session:
    """A connection to the server under test."""
    return server.connect()


@pytest.fixture
def scarce_server(
    implementation: Implementation, place: Place, evidence: Evidence, cut: str
) -> Iterator[Server]:
    """A server of the case's own, whose processes have few descriptors."""
    with _own_server(
        server_process(implementation, place, descriptors=FEW_DESCRIPTORS), evidence, cut
    ) as own:
        yield own


@pytest.fixture
def new_server(
    implementation: Implementation, place: Place, evidence: Evidence, cut: str
) -> Iterator[Server]:
    """A server of the case's own, not started yet."""
    with _own_server(server_process(implementation, place), evidence, cut) as own:
        yield own


@contextlib.contextmanager
def _own_server(subject: ServerSubject, evidence: Evidence, cut: str) -> Iterator[Server]:
    evidence.peer, evidence.peer_kind = "driver", "driver"
    opened = Server(subject, evidence, CUTS[cut])
    yield opened
    opened.close()
    subject.stop()

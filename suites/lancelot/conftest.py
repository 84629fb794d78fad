"""The fixtures of the Lancelot suite: servers, where they run, and sessions.

Binds the judge's implementations to this protocol's contract. Judges nothing.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.evidence import Evidence
from lab.judge.place import Place
from lab.judge.subject import ServerSubject
from lab.wire.segmentation import SEGMENTATIONS, Segmentation
from suites.lancelot.scale import FEW_DESCRIPTORS
from suites.lancelot.session import Session
from suites.lancelot.specification import at_question_ends
from suites.lancelot.subjects import Server, server_process

#: How the stream is cut under each name: this protocol's lines end in `?`.
CUTS: dict[str, Segmentation] = {**SEGMENTATIONS, "lines": at_question_ends}


@pytest.fixture(scope="session", autouse=True)
def _descriptors() -> None:
    """The driver holds as many connections as a case opens."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096) if hard > 0 else 4096, hard))


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

"""The fixtures by which suites reach the lab: its state, its running services, this worker's number, the client under test.

Knows the stack and pytest. Must not know any protocol.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import pytest

from lab.errors import LabError
from lab.judge.catalogue import Implementation
from lab.judge.container_place import InContainer
from lab.judge.place import HERE, Place
from lab.judge.plugin import ASKED, PEER_NOTES
from lab.judge.recorder import ENGINE
from lab.judge.selection import Selection
from lab.judge.subject import ClientSubject
from lab.judge.verdict import Blocked
from lab.stack.leases import Lease
from lab.stack.progress import Quiet
from lab.stack.project import Lab
from lab.stack.service import Service
from lab.wire.authority import Authority


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Lab:
    """The lab of this checkout."""
    return Lab.here(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def profile(selection: Selection) -> str:
    """How far properties search: ``quick`` or ``deep``."""
    return selection.profile


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """0 for the only or first worker, counting up: each has accounts of its own."""
    name: str = getattr(request.config, "workerinput", {}).get("workerid", "gw0")
    return int(name.removeprefix("gw"))


@pytest.fixture(scope="session")
def reference_services(
    lab: Lab, selection: Selection, pytestconfig: pytest.Config
) -> Iterator[Mapping[str, Service] | None]:
    """The services of the asking suite, up and ready for as long as this process needs them.

    ``None`` when the run was told to do with embedded peers.

    Raises:
        Blocked: they could not be brought up.
    """
    if selection.peers != "reference":
        yield None
        return
    wanted = sorted(
        {name for protocol in pytestconfig.stash[ASKED] for name in selection.suites[protocol].services}
    )
    try:
        with Lease(lab, wanted, progress=Quiet()) as lease:
            notes = pytestconfig.stash.setdefault(PEER_NOTES, {})
            for name, service in lease.services.items():
                notes[name] = {"kind": "reference", "version": service.version, "image": service.image}
                engine = service.engine
                notes[ENGINE] = {"name": engine.name, "version": engine.version, "endpoint": engine.endpoint}
            yield lease.services
    except LabError as error:
        raise Blocked(str(error)) from error


@pytest.fixture(scope="session")
def places(lab: Lab, pytestconfig: pytest.Config) -> Iterator[Callable[[str], Place]]:
    """Gives the place of a name, up and ready for as long as this process needs it; an empty name is this machine.

    Raises:
        Blocked: it could not be brought up.
    """
    known: dict[str, Place] = {"": HERE}
    with contextlib.ExitStack() as held:

        def find(name: str) -> Place:
            if name not in known:
                try:
                    lease = held.enter_context(Lease(lab, [name], progress=Quiet()))
                    service = lease.services[name]
                    known[name] = InContainer(service, lab.servers()[name].ready[0].port)
                    notes = pytestconfig.stash.setdefault(PEER_NOTES, {})
                    notes[name] = {"kind": "place", "version": service.version, "image": service.image}
                except LabError as error:
                    raise Blocked(str(error)) from error
            return known[name]

        yield find


@pytest.fixture(scope="session")
def place(implementation: Implementation, places: Callable[[str], Place]) -> Place:
    """Where the implementation under test runs."""
    return places(implementation.place)


@pytest.fixture(scope="session")
def client_subject(implementation: Implementation) -> Iterator[ClientSubject]:
    """The process of the client under test."""
    subject = ClientSubject(implementation)
    yield subject
    subject.stop()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """This worker's own certificate authority: clients under test trust it, servers under test show its leaves."""
    return Authority.create(tmp_path_factory.mktemp("tls"))

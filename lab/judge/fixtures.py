"""The fixtures by which suites reach the lab: its state, its running services, this worker's number.

Knows the stack and pytest. Must not know any protocol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from lab.errors import LabError
from lab.judge.plugin import ASKED, PEER_NOTES
from lab.judge.recorder import ENGINE
from lab.judge.selection import Selection
from lab.judge.verdict import Blocked
from lab.stack.leases import Lease
from lab.stack.progress import Quiet
from lab.stack.project import Lab
from lab.stack.service import Service


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

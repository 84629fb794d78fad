"""Breaks servers on purpose, and heals them. Knows containers and networks; which fault means what is for the cases to say.

Each function returns when its effect is there: the container's state is the one asked for, and after healing the server
has answered in its own protocol again. Ports change when a container starts again: use the `Service` returned.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.stack import lifecycle, readiness
from lab.stack.project import Lab
from lab.stack.service import Service

if TYPE_CHECKING:
    from docker.models.containers import Container
    from docker.models.networks import Network

SECONDS = 20.0


class FaultFailed(LabError):
    """The fault did not take hold, or did not heal, in time."""


def kill(lab: Lab, name: str, signal: str = "KILL", *, seconds: float = SECONDS) -> Service:
    """End the server's container by a signal, and wait until it has ended. Clients are refused from then on."""
    with _container(lab, name) as container:
        container.kill(signal=signal)
    return _until(lab, name, lambda service: service.state == "exited", "end", seconds)


def start(lab: Lab, name: str, *, seconds: float = SECONDS) -> Service:
    """Start a container that ended, and wait until its server is ready."""
    with _container(lab, name) as container:
        container.start()
    return _ready(lab, name, seconds)


def pause(lab: Lab, name: str, *, seconds: float = SECONDS) -> Service:
    """Freeze the server: connections are accepted by the engine's proxy, and then there is silence."""
    with _container(lab, name) as container:
        container.pause()
    return _until(lab, name, lambda service: service.state == "paused", "pause", seconds)


def unpause(lab: Lab, name: str, *, seconds: float = SECONDS) -> Service:
    """Let a frozen server go on, and wait until it is ready."""
    with _container(lab, name) as container:
        container.unpause()
    return _ready(lab, name, seconds)


def disconnect(lab: Lab, name: str) -> Service:
    """Cut the server off the lab's network, from its peers and from this machine."""
    with _container(lab, name) as container:
        _network(lab, container).disconnect(container, force=True)
    return _service(lab, name)


def connect(lab: Lab, name: str, *, seconds: float = SECONDS) -> Service:
    """Connect the server again under its own name, and wait until it is ready."""
    with _container(lab, name) as container:
        _network(lab, container).connect(container, aliases=[name])
    return _ready(lab, name, seconds)


@contextlib.contextmanager
def paused(lab: Lab, name: str) -> Iterator[Service]:
    """Freeze the server for the length of the block."""
    frozen = pause(lab, name)
    try:
        yield frozen
    finally:
        unpause(lab, name)


def _service(lab: Lab, name: str) -> Service:
    found = lifecycle.services(lab).get(name)
    if found is None:
        raise FaultFailed(f"{name} is not there: erle up {name} starts it")
    return found


@contextlib.contextmanager
def _container(lab: Lab, name: str) -> Iterator[Container]:
    """Give the service's container; the engine's refusals (already paused, not running) come out as `FaultFailed`."""
    import docker.errors

    service = _service(lab, name)
    with service.engine.session() as client:
        try:
            yield client.containers.get(service.container)
        except docker.errors.APIError as error:
            raise FaultFailed(f"{name}: {error.explanation}") from error


def _network(lab: Lab, container: Container) -> Network:
    client = container.client
    if client is None:
        raise FaultFailed(f"{container.name} was not asked of an engine")
    return client.networks.get(f"{lab.name}_default")


def _until(lab: Lab, name: str, held: Callable[[Service], bool], what: str, seconds: float) -> Service:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        service = _service(lab, name)
        if held(service):
            return service
        time.sleep(readiness.PAUSE_SECONDS)
    raise FaultFailed(f"{name} did not {what} within {seconds:.0f} s")


def _ready(lab: Lab, name: str, seconds: float) -> Service:
    questions = lab.servers()[name].ready
    return readiness.wait(
        _service(lab, name), questions, lambda wanted: _service(lab, wanted), seconds=seconds
    )

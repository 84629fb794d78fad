"""Brings the lab's servers up and takes them down. Knows the order of the steps, each of which lives in a module of its own.

`up` is idempotent: what runs with the present configuration is left alone, and costs one question to the engine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from threading import Event
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.stack import accounts, binfmt, compose, images, ports, readiness, remedy, versions
from lab.stack.engine import Engine
from lab.stack.locks import locked
from lab.stack.plugins import find_plugin
from lab.stack.progress import Progress, Quiet
from lab.stack.project import LAB_LABEL, SERVICE_LABEL, Lab, Server
from lab.stack.service import Service, from_listing

if TYPE_CHECKING:
    import docker

COMPOSE_SECONDS = 120.0
LOCK = "up"


def services(lab: Lab) -> dict[str, Service]:
    """Return the lab's services by name, running or not: one question to the engine. Raises `EngineMissing`."""
    engine = lab.engine()
    with engine.session() as client:
        listed = client.api.containers(all=True, filters={"label": f"{LAB_LABEL}={lab.name}"})
    found = [from_listing(entry, engine) for entry in listed if SERVICE_LABEL in (entry.get("Labels") or {})]
    known = versions.remembered(lab)
    return {s.name: replace(s, version=known.get(s.image, "")) for s in sorted(found, key=lambda s: s.name)}


def up(
    lab: Lab,
    names: Sequence[str] | None = None,
    *,
    progress: Progress | None = None,
    yes: bool = False,
    keep: Collection[str] = (),
    seconds: float = readiness.DEADLINE,
) -> dict[str, Service]:
    """Bring up the named servers (None: all outside profiles) and what they depend on; return them, each ready.

    Puts right what the machine lacks where the user agrees (or `yes`), builds missing images, and waits until every server
    has answered in its own protocol. Servers named in `keep` that are there stay as they are: who uses them has waited for them,
    and may have frozen or ended them since. Nobody's name stands on what comes up this way, so `erle gc` removes it: `leases` is for what has to last.
    Raises `LabError` otherwise; servers that did come up are left running.
    """
    progress = progress or Quiet()
    wanted = lab.chosen(names)
    with locked(lab, LOCK) as lock:
        engine = _engine(lab, wanted, progress, yes=yes)
        images.build(engine, wanted, progress)
        accounts.prepare(lab)
        have = services(lab)
        kept = {
            server.name: have[server.name] for server in wanted if server.name in keep and server.name in have
        }
        for name in kept:
            progress.update(name, "running")
        mine = [server for server in wanted if server.name not in kept]
        started = _start(lab, engine, mine, have, progress, lock)
        ready = kept | _wait(lab, started, mine, progress, seconds)
        return versions.complete(lab, ready, wanted)


def _engine(lab: Lab, wanted: Sequence[Server], progress: Progress, *, yes: bool) -> Engine:
    """Return the engine; the machine is examined only where something is not as it should be."""
    arm = any(server.architecture for server in wanted)
    with contextlib.suppress(LabError):
        engine = lab.engine()
        find_plugin("compose")
        armed = not arm or "F" in (binfmt.flags() or "")
        if armed and not images.missing(engine, wanted):
            return engine
    return remedy.ensure(progress, explicit=lab.engine_option, yes=yes, arm=arm)


def _start(
    lab: Lab,
    engine: Engine,
    wanted: Sequence[Server],
    have: dict[str, Service],
    progress: Progress,
    lock: int,
) -> dict[str, Service]:
    """Start what does not run as compose.yaml says; return all the lab's services, which were ``have``."""
    names = [server.name for server in wanted]
    running = {name for name in names if name in have and have[name].state == "running"}
    hashes = compose.config_hashes(lab, engine, names) if running else {}
    current = {name for name in running if have[name].config == hashes.get(name)}
    stale = [name for name in names if name not in current]
    for name in names:
        progress.update(name, "starting" if name in stale else "running")
    if not stale:
        return have
    # Side by side on few processors, what boots slowest would get its turn last.
    early = [server.name for server in wanted if server.head_start and server.name in stale]
    for batch in (early, [name for name in stale if name not in early]):
        if batch:
            _compose_up(lab, engine, batch, lock)
    return services(lab)


def _compose_up(lab: Lab, engine: Engine, names: Sequence[str], lock: int) -> None:
    arguments = ["up", "--detach", "--no-build", "--no-deps", "--timeout", "2", *names]
    try:
        compose.run(lab, engine, arguments, COMPOSE_SECONDS, keep=[lock])
    except compose.ComposeFailed as error:
        if "address already in use" not in str(error) and "port is already allocated" not in str(error):
            raise
        # Another program took a port of the passive range since it was chosen: take another range, once.
        ports.rechoose(lab)
        compose.run(lab, engine, arguments, COMPOSE_SECONDS, keep=[lock])


def _wait(
    lab: Lab, started: dict[str, Service], wanted: Sequence[Server], progress: Progress, seconds: float
) -> dict[str, Service]:
    """Wait for all the servers side by side; raise the first `NotReady` when each has had its say."""
    began = time.monotonic()
    given_up = Event()

    def pause(seconds: float) -> None:
        if given_up.wait(seconds):
            raise LabError("interrupted")

    def refresh(name: str) -> Service:
        found = services(lab).get(name)
        if found is None:
            raise LabError(f"{name} was taken down while it was waited for")
        return found

    def one(server: Server) -> Service:
        try:
            service = readiness.wait(
                started[server.name], server.ready, refresh, seconds=seconds, pause=pause
            )
        except LabError:
            progress.update(server.name, "failed")
            raise
        progress.update(server.name, "ready", f"{time.monotonic() - began:.1f} s")
        return service

    with ThreadPoolExecutor(max_workers=len(wanted) or 1, thread_name_prefix="ready") as pool:
        jobs = [pool.submit(one, server) for server in wanted]
        try:
            futures.wait(jobs)
        except BaseException:
            given_up.set()  # Ctrl-C: the pool waits for its threads, and they for servers
            raise
    return {job.result().name: job.result() for job in jobs}


def down(lab: Lab, names: Iterable[str] | None = None, *, progress: Progress | None = None) -> list[str]:
    """Remove the named services (None: all, with networks and volumes); return the names of what was removed.

    Containers are removed at once: nothing in a lab has to be saved. Raises `EngineMissing`.
    """
    progress = progress or Quiet()
    chosen = None if names is None else set(names)
    with locked(lab, LOCK):
        removed = [s for s in services(lab).values() if chosen is None or s.name in chosen]
        engine = lab.engine()
        with engine.session() as client:
            for service in removed:
                progress.update(service.name, "stopping")
            _in_parallel(client, [service.container for service in removed])
            for service in removed:
                progress.update(service.name, "removed")
            if chosen is None or not services(lab):
                remove_leftovers(client, lab.name)
    return [service.name for service in removed]


def _in_parallel(client: docker.DockerClient, containers: Sequence[str]) -> None:
    with ThreadPoolExecutor(max_workers=len(containers) or 1, thread_name_prefix="down") as pool:
        for job in [pool.submit(remove_container, client, container) for container in containers]:
            job.result()


def remove_container(client: docker.DockerClient, container: str) -> None:
    """Kill and remove a container with its anonymous volumes; one that is gone, or going, is fine."""
    import docker.errors

    try:
        client.api.remove_container(container, force=True, v=True)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:  # removal is already in progress
            raise LabError(f"the engine could not remove a container: {error.explanation}") from error


def remove_leftovers(client: docker.DockerClient, name: str) -> list[str]:
    """Remove the networks and volumes of the lab of that name; return what was removed. Those in use are left."""
    import docker.errors

    gone: list[str] = []
    labelled = {"label": f"{LAB_LABEL}={name}"}
    for network in client.networks.list(filters=labelled):
        with contextlib.suppress(docker.errors.APIError):
            network.remove()
            gone.append(f"network {network.name}")
    for volume in client.volumes.list(filters=labelled):
        with contextlib.suppress(docker.errors.APIError):
            volume.remove()
            gone.append(f"volume {volume.name}")
    return gone

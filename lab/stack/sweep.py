"""Finds what dead labs and dead runners left on the engine, and removes it. Knows the lab's labels, no protocol.

Left over are: labs of checkouts that no longer exist, throw-away containers of processes that ended, networks and volumes
of labs without containers, folders in which a base was being made, and, when asked for, images that no server of this checkout is made from any more.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.stack import bases, bootstrap, images, leases, lifecycle
from lab.stack.locks import identity, is_alive
from lab.stack.project import CHECKOUT_LABEL, LAB_LABEL, RUNNER_LABEL, Lab

if TYPE_CHECKING:
    import docker


@dataclass(frozen=True)
class Removed:
    """One thing that was removed: `kind` is container, network, volume, image or folder; `why` says what made it left over."""

    kind: str
    name: str
    why: str


def labels_of_this_process(lab: Lab, pid: int) -> dict[str, str]:
    """Return the labels for a throw-away container that must not outlive the process `pid`."""
    return {
        LAB_LABEL: lab.name,
        CHECKOUT_LABEL: str(lab.root),
        RUNNER_LABEL: f"{pid} {identity(pid) or ''}",
    }


def sweep(lab: Lab, *, with_images: bool = False) -> list[Removed]:
    """Remove what is left over on the lab's engine and return it. Raises `EngineMissing`."""
    with lab.engine().session() as client:
        gone = [Removed("container", name, "its runner is gone") for name in leases.tidy(lab)]
        gone += _containers(client, lab)
        gone += _networks_and_volumes(client)
        if with_images:
            gone += _images(client, lab)
    gone += [
        Removed("folder", str(folder), "a base was being made there when its runner ended")
        for folder in bootstrap.remove_abandoned()
    ]
    return gone


def _containers(client: docker.DockerClient, lab: Lab) -> list[Removed]:
    gone: list[Removed] = []
    by_checkout: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry in client.api.containers(all=True, filters={"label": LAB_LABEL}):
        labels = entry.get("Labels") or {}
        name = str((entry.get("Names") or [entry["Id"][:12]])[0]).lstrip("/")
        if RUNNER_LABEL in labels and not _runner_lives(labels[RUNNER_LABEL]):
            lifecycle.remove_container(client, entry["Id"])
            gone.append(Removed("container", name, "its runner is gone"))
        elif RUNNER_LABEL not in labels:
            by_checkout[labels.get(CHECKOUT_LABEL, "")].append((entry["Id"], name))
    for checkout, containers in by_checkout.items():
        if Path(checkout, "compose.yaml").is_file():
            other = Lab.here(Path(checkout), lab.engine_option)
            gone += [
                Removed("container", name, f"its runner is gone ({checkout})") for name in leases.tidy(other)
            ]
            gone += [
                Removed("container", name, f"nobody holds it ({checkout})")
                for name in leases.remove_unheld(other)
            ]
            continue
        for container, name in containers:
            lifecycle.remove_container(client, container)
            gone.append(Removed("container", name, f"its checkout {checkout} is gone"))
    return gone


def _runner_lives(label: str) -> bool:
    pid, _space, known = label.partition(" ")
    return pid.isdigit() and is_alive(int(pid), known)


def _networks_and_volumes(client: docker.DockerClient) -> list[Removed]:
    """Remove those of labs that have no container left; the engine refuses, rightly, those that are in use."""
    import docker.errors

    listed = client.api.containers(all=True, filters={"label": LAB_LABEL})
    standing = {(entry.get("Labels") or {}).get(LAB_LABEL) for entry in listed}
    gone: list[Removed] = []
    for network in client.networks.list(filters={"label": LAB_LABEL}):
        if (network.attrs.get("Labels") or {}).get(LAB_LABEL) not in standing:
            with contextlib.suppress(docker.errors.APIError):
                network.remove()
                gone.append(Removed("network", str(network.name), "its lab has no container"))
    for volume in client.volumes.list(filters={"label": LAB_LABEL}):
        if (volume.attrs.get("Labels") or {}).get(LAB_LABEL) not in standing:
            with contextlib.suppress(docker.errors.APIError):
                volume.remove()
                gone.append(Removed("volume", str(volume.name), "its lab has no container"))
    return gone


def _images(client: docker.DockerClient, lab: Lab) -> list[Removed]:
    import docker.errors

    wanted = {f"{images.REPOSITORY}/{image}:{tag}" for image, tag in images.tags(lab).items()}
    wanted |= {
        bases.tag_of(architecture) for architecture in {*bases.ARCHITECTURES.values(), *bases.PLATFORMS}
    }
    gone: list[Removed] = []
    for image in client.api.images(name=f"{images.REPOSITORY}/*"):
        for name in image.get("RepoTags") or ():
            if name not in wanted:
                with contextlib.suppress(docker.errors.APIError):  # a container of another lab runs it
                    client.api.remove_image(name)
                    gone.append(Removed("image", name, "nothing here is made from it"))
    return gone

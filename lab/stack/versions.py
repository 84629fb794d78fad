"""Remembers the version that each image's server says it is. Knows the command is in compose.yaml; runs it once an image."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lab.stack.project import Lab, Server
from lab.stack.service import Service

_VERSION = re.compile(r"\d+(?:\.\d+)+\S*|\d+\.\d+")


def remembered(lab: Lab) -> dict[str, str]:
    """Return the known versions by image id; empty where nothing was asked yet."""
    try:
        read = json.loads((lab.state / "versions.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(image): str(version) for image, version in read.items()} if isinstance(read, dict) else {}


def complete(lab: Lab, services: Mapping[str, Service], servers: Iterable[Server]) -> dict[str, Service]:
    """Return the services with their versions, asking those whose image was never asked."""
    known = remembered(lab)
    commands = {server.name: server.version_command for server in servers}
    unknown = [s for s in services.values() if s.image not in known and commands.get(s.name)]
    if unknown:
        with ThreadPoolExecutor(max_workers=len(unknown), thread_name_prefix="version") as pool:
            said = list(pool.map(lambda service: _ask(service, commands[service.name]), unknown))
        known |= {service.image: version for service, version in zip(unknown, said, strict=True)}
        path = lab.state / "versions.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(known, indent=1), encoding="utf-8")
        fresh.replace(path)
    return {
        name: replace(service, version=known.get(service.image, "")) for name, service in services.items()
    }


def _ask(service: Service, command: tuple[str, ...]) -> str:
    """Run the version command in the container; return the first version number in what it prints, or its first line."""
    with service.engine.session(30) as client:
        made = client.api.exec_create(service.container, list(command))
        printed = client.api.exec_start(made["Id"]).decode("utf-8", "replace")
    found = _VERSION.search(printed)
    return found[0].rstrip(",;)") if found else (printed.splitlines() or ["unknown"])[0]

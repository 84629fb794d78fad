"""A service as it stands now. Knows the engine's description of a container, no protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.errors import LabError
from lab.stack.engine import Engine
from lab.stack.project import CONFIG_LABEL, SERVICE_LABEL

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class NotPublished(LabError):
    """The service does not run, or does not publish that port."""


@dataclass(frozen=True)
class Service:
    """One container of the lab at the moment it was asked for.

    `state` is the engine's word (running, exited, paused, …), `health` healthy, unhealthy, starting or "", `ports` maps
    (port in the container, transport) to (address, port) on this machine, `version` is the server's own ("" until asked).
    """

    name: str
    container: str
    state: str
    health: str
    image: str
    ports: Mapping[tuple[int, str], tuple[str, int]]
    status: str
    config: str
    engine: Engine
    version: str = ""

    def endpoint(self, port: int, transport: str = "tcp") -> tuple[str, int]:
        """Return the address and port on this machine for a port of the server. Raises `NotPublished`."""
        try:
            return self.ports[port, transport]
        except KeyError:
            have = ", ".join(f"{number}/{kind}" for number, kind in sorted(self.ports)) or "none"
            raise NotPublished(
                f"{self.name} ({self.state}) does not publish {port}/{transport}: {have}"
            ) from None

    def tail(self, lines: int = 20) -> str:
        """Return the last lines of the server's log, without colours."""
        with self.engine.session(30) as client:
            raw = client.api.logs(self.container, tail=lines)
        return _ANSI.sub("", raw.decode("utf-8", "replace"))

    def exit_code(self) -> int | None:
        """Return the code the container ended with; None while it runs."""
        with self.engine.session(30) as client:
            state = client.api.inspect_container(self.container)["State"]
        return None if state["Running"] else int(state["ExitCode"])


# Any: the engine's JSON, read key by key here.
def from_listing(entry: Mapping[str, Any], engine: Engine) -> Service:
    """Read one entry of the engine's list of containers."""
    ports: dict[tuple[int, str], tuple[str, int]] = {}
    for port in entry.get("Ports") or ():
        if port.get("PublicPort"):
            ports[int(port["PrivatePort"]), str(port["Type"])] = (
                str(port.get("IP", "")),
                int(port["PublicPort"]),
            )
    status = str(entry.get("Status", ""))
    health = re.search(r"\((?:health: )?(healthy|unhealthy|starting)\)", status)
    labels = entry.get("Labels") or {}
    return Service(
        name=str(labels.get(SERVICE_LABEL, "")),
        container=str(entry["Id"]),
        state=str(entry.get("State", "")),
        health=health[1] if health else "",
        image=str(entry.get("ImageID", "")),
        ports=ports,
        status=status,
        config=str(labels.get(CONFIG_LABEL, "")),
        engine=engine,
    )

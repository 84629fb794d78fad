"""A container of the lab as the place where servers under test run: the Erle board.

Knows how to start a command in a running container, and asks it about its processes with the shell that is there. Must not
know any protocol, nor which container it is.

Servers are reached at the container's own address on the lab's network, not through a published port: the proxy behind a
published port accepts by itself, turns a reset into an orderly end and may wait with a half-close, so a case on the end of
a connection would judge the proxy.
"""

from __future__ import annotations

import resource
import shutil
import signal
from collections.abc import Sequence

from lab.errors import LabError
from lab.judge.place import Usage, family, launched, parse_stat
from lab.stack.engine import Engine
from lab.stack.service import Service
from lab.wire.endpoint import Endpoint

REACH_SECONDS = 5.0
#: For all processes: their stat; for those named: their descriptors and their resident pages.
_USAGE = (
    'cat /proc/[0-9]*/stat 2>/dev/null; echo =; for pid in "$@"; do set -- /proc/"$pid"/fd/*; '
    'read -r _ pages _ < /proc/"$pid"/statm && echo "$# $pages"; done 2>/dev/null'
)


class InContainer:
    """Servers run in a container that is up.

    Args:
        service: the container; its image has `sh` and `cat`, and `python3` for commands that begin with `python`.
        probe: a port there that answers, by which it is seen whether its address can be reached.

    Raises:
        LabError: there is no client program, or the container's address cannot be reached from here.
    """

    bind = "0.0.0.0"  # noqa: S104 - inside the container; nothing of it is published
    python = "python3"
    # an emulated interpreter starts slowly, and several may start at once on one processor
    start_seconds = 90.0

    def __init__(self, service: Service, probe: int) -> None:
        self.name = service.name
        self._container = service.container
        self._engine = service.engine
        self._client = _client(service.engine)
        self.address = _address(service)
        try:
            Endpoint(self.address, probe).connect(REACH_SECONDS).close()
        except OSError as error:
            raise LabError(
                f"{service.name} cannot be reached at {self.address}, its address on the lab's network: {error}",
                remedy="run against it on the machine of the engine, with an engine that is not rootless",
            ) from error

    def argv(self, command: Sequence[str], *, descriptors: int | None = None) -> tuple[str, ...]:
        """The command behind the launcher, started in the container with its standard input and output here."""
        return (*self._client, "exec", "-i", self._container, *launched(command, descriptors))

    def usage(self, pid: int) -> Usage:
        """Ask twice: for the table of processes, and for what those of the server use."""
        table = {
            int(line.partition(" ")[0]): parse_stat(line)
            for line in self._sh(_USAGE).partition("=\n")[0].splitlines()
        }
        found = family(pid, table)
        told = self._sh(_USAGE, *map(str, found)).partition("=\n")[2].split()
        return Usage(
            found,
            sum(map(int, told[1::2])) * resource.getpagesize(),
            sum(map(int, told[::2])),
            sum(table[each][1] == "R" for each in found),
        )

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send it with the shell's own `kill`."""
        if self._sh('kill "$@" 2>/dev/null && echo sent', f"-{number.value}", str(pid)) != "sent\n":
            raise ProcessLookupError(pid)

    def end_group(self, pid: int) -> None:
        """Kill whatever is left of a server and its children."""
        self._sh('kill -9 -- "$@" 2>/dev/null || true', f"-{pid}")

    def _sh(self, script: str, *words: str) -> str:
        with self._engine.session(60) as client:
            made = client.api.exec_create(self._container, ["sh", "-c", script, "sh", *words])
            return str(client.api.exec_start(made["Id"]).decode("utf-8", "replace"))


def _client(engine: Engine) -> tuple[str, ...]:
    for program, option in (("docker", "--host"), ("podman", "--url")):
        if (path := shutil.which(program)) is not None:
            return (path, option, engine.endpoint)
    raise LabError(
        "no docker client program is there to start a server in a container with", remedy="erle doctor --fix"
    )


def _address(service: Service) -> str:
    with service.engine.session(30) as client:
        networks = client.api.inspect_container(service.container)["NetworkSettings"]["Networks"]
    addresses = [str(network["IPAddress"]) for network in networks.values() if network.get("IPAddress")]
    if not addresses:
        raise LabError(
            f"{service.name} has no address on the lab's network", remedy=f"erle up {service.name}"
        )
    return addresses[0]

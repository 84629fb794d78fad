"""The servers of this suite: the reference servers, servers under test, and one that a case has for itself.

Knows which port is which, and how a server is broken and healed. A case is given one and never knows which.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, Protocol

from lab.judge.catalogue import Implementation
from lab.judge.subject import ServerSubject
from lab.judge.verdict import Blocked, Unsupported
from lab.stack import faults, lifecycle
from lab.stack.locks import locked
from lab.stack.project import Lab
from lab.stack.service import Service
from lab.wire.endpoint import Endpoint
from suites.memcached.contract import ServerConfiguration

#: plain: TCP; tls: TLS from the first octet; auth: asks for user name and password; udp: frames.
PortName = Literal["plain", "tls", "auth", "udp"]
PORT = 11211
SERVICES: dict[PortName, str] = {
    "plain": "memcached",
    "udp": "memcached",
    "tls": "memcached-tls",
    "auth": "memcached-auth",
}
#: For cases that need several servers, and for those that need one: workers begin with another each and seldom wait.
SHARDS = ("memcached-shard-1", "memcached-shard-2", "memcached-shard-3", "memcached-shard-4")
SINGLES = ("memcached-single-1", "memcached-single-2", "memcached-single-3", "memcached-single-4")
#: The exemplar server.
EXEMPLAR = ("python", "-m", "suites.memcached.exemplar_edge")
#: By these names the tap, scripted servers and servers under test are reached.
SERVER_NAMES = ("localhost", "127.0.0.1", "::1")
#: As the reference server is started (compose.yaml, lab/images/memcached).
MEMORY_LIMIT = 64 * 1024 * 1024
MAXIMUM_ITEM = 8 * 1024 * 1024
MAXIMUM_CONNECTIONS = 4096
#: No thread of memcached's own changes items or holds them (``exclusions.py``, moving-pages and moving-items).
AT_REST = b"slabs automove 0\r\nlru mode flat\r\n"
AS_USUAL = b"slabs automove 1\r\nlru mode segmented\r\n"


class Host(Protocol):
    """What a case needs of a server."""

    name: str
    kind: Literal["reference", "embedded"]
    features: frozenset[str]

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the port is.

        Raises:
            Blocked: the server does not run.
            Unsupported: it has no such port.
        """

    def trouble(self) -> str | None:
        """Why the server is down, or ``None`` while it serves."""


class OwnHost(Protocol):
    """A server that one case has for itself: it may be emptied, frozen and killed."""

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the port is; after a start it may be elsewhere."""

    def kill(self) -> None:
        """End the server without warning."""

    def start(self) -> None:
        """Start the server that was killed, and wait until it serves."""

    def pause(self) -> None:
        """Freeze the server."""

    def resume(self) -> None:
        """Let the frozen server go on."""


class ReferenceHost:
    """memcached itself, an instance for each way to reach it."""

    name = "memcached"
    kind: Literal["reference", "embedded"] = "reference"

    def __init__(self, services: Mapping[str, Service], features: frozenset[str]) -> None:
        self.features = features
        self._services = services

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where memcached listens."""
        transport: Literal["tcp", "udp"] = "udp" if port == "udp" else "tcp"
        return Endpoint(*self._services[SERVICES[port]].endpoint(PORT, transport), transport)

    def trouble(self) -> str | None:
        """Ask for the version."""
        return serving(self.endpoint(), self.name)


class SubjectHost:
    """A server under test, or one that stands in for the reference server."""

    def __init__(
        self, implementation: Implementation, *, kind: Literal["reference", "embedded"] = "embedded"
    ) -> None:
        self.name = implementation.name
        self.kind = kind
        self.features = implementation.features
        self._implementation = implementation
        self._spare: SubjectHost | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="erle-memcached-")
        configuration: ServerConfiguration = {
            "host": "127.0.0.1",
            "memory_limit": MEMORY_LIMIT,
            "maximum_item": MAXIMUM_ITEM,
            "maximum_connections": MAXIMUM_CONNECTIONS,
        }
        self._subject = ServerSubject(implementation, dict(configuration), Path(self._folder.name))

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the server listens, started when it is not running."""
        endpoint = self._subject.endpoint(port)
        if endpoint is None:
            message = f"{self.name} has no {port} port"
            raise Unsupported(message)
        return Endpoint(endpoint.host, endpoint.port, "udp") if port == "udp" else endpoint

    def trouble(self) -> str | None:
        """A server under test that dies is a finding; one that stands in is missing."""
        if self.kind == "embedded" and self._subject.started and not self._subject.alive():
            return f"the embedded peer died: {self._subject.complaint()}"
        return None

    def complaint(self) -> str:
        """The end of what it wrote to standard error."""
        return self._subject.complaint()

    def memory(self) -> int:
        """What the server's process takes of memory, in octets, what it shares counted in part (PSS).

        Raises:
            Blocked: it does not run.
        """
        pid = self._subject.pid
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError as error:
            raise Blocked(f"{self.name} does not run: {error}") from error
        return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024

    def twin(self) -> SubjectHost:
        """Another server of the same implementation.

        Raises:
            Unsupported: somebody else serves this one; the lab can start no other.
        """
        if self._implementation.endpoint is not None:
            raise Unsupported(f"{self.name} is not the lab's to empty or to stop")
        return SubjectHost(self._implementation, kind=self.kind)

    def spare(self) -> SubjectHost:
        """A twin that lasts, empty: the one that was used before, if it can be emptied.

        Raises:
            Unsupported: somebody else serves this one; the lab can start no other.
        """
        if self._spare is not None and not _emptied(self._spare.endpoint()):
            self._spare.stop()
            self._spare = None
        if self._spare is None:
            self._spare = self.twin()
        return self._spare

    def kill(self) -> None:
        """End the process at once."""
        self._subject.kill()

    def start(self) -> None:
        """Start it anew."""
        self._subject.endpoint("plain")

    def pause(self) -> None:
        """Stop the process."""
        self._subject.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._subject.resume()

    def stop(self) -> None:
        """End the server, and its spare."""
        if self._spare is not None:
            self._spare.stop()
        self._subject.stop()
        self._folder.cleanup()


class StandIn(SubjectHost):
    """The server that stands in for the reference server: where it has not what a client asks for, others have.

    By the TLS port it is reached in clear: TLS ends at the tap. The port that asks for a name and a password is the exemplar's.
    """

    def __init__(self, implementation: Implementation) -> None:
        super().__init__(implementation)
        self._guarded = SubjectHost(replace(implementation, name="exemplar", command=EXEMPLAR))
        self._shards: list[SubjectHost] = []

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where the port is."""
        if port == "auth":
            return self._guarded.endpoint(port)
        return super().endpoint("plain" if port == "tls" else port)

    def shards(self, count: int) -> list[SubjectHost]:
        """So many servers that a case may break, running and empty."""
        for number in range(count):
            if number == len(self._shards):
                self._shards.append(self.twin())
            elif not _emptied(self._shards[number].endpoint()):
                self._shards[number].stop()
                self._shards[number] = self.twin()
        return self._shards[:count]

    def stop(self) -> None:
        """End all of them."""
        for host in (self._guarded, *self._shards):
            host.stop()
        super().stop()


class Shard:
    """One of the instances of the reference server that cases may break."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab = lab
        self.name = name
        self._service = lifecycle.services(lab)[name]

    def endpoint(self, port: PortName = "plain") -> Endpoint:
        """Where it listens now.

        Raises:
            Unsupported: a shard has no such port.
        """
        if port not in {"plain", "udp"}:
            message = f"{self.name} has no {port} port"
            raise Unsupported(message)
        transport: Literal["tcp", "udp"] = "udp" if port == "udp" else "tcp"
        return Endpoint(*self._service.endpoint(PORT, transport), transport)

    def kill(self) -> None:
        """Kill the container."""
        self._service = faults.kill(self._lab, self.name)

    def start(self) -> None:
        """Start it; its ports are others then."""
        self._service = faults.start(self._lab, self.name)

    def pause(self) -> None:
        """Freeze the container."""
        self._service = faults.pause(self._lab, self.name)

    def resume(self) -> None:
        """Let it go on."""
        self._service = faults.unpause(self._lab, self.name)

    def heal(self) -> None:
        """Leave it running and empty for the next case."""
        self._service = lifecycle.services(self._lab)[self.name]
        if self._service.state == "paused":
            self.resume()
        if self._service.state != "running":
            self.start()
        # a run that was killed may have left it at rest
        if _said(self.endpoint(), AS_USUAL) != b"OK\r\nOK\r\n" or not _emptied(self.endpoint()):
            message = f"{self.name} cannot be emptied"
            raise Blocked(message)


def single(worker: int) -> str:
    """The one of SINGLES that a worker uses."""
    return SINGLES[worker % len(SINGLES)]


@contextmanager
def held(lab: Lab, *names: str) -> Iterator[list[Shard]]:
    """Hold these of SHARDS or SINGLES alone, across all workers; each runs and is empty, before and after.

    They are always taken in the same order, so that no two cases wait for each other.
    """
    with ExitStack() as locks:
        for name in sorted(names):
            locks.enter_context(locked(lab, name))
        mine = [Shard(lab, name) for name in names]
        for shard in mine:
            shard.heal()
        try:
            yield mine
        finally:
            for shard in mine:
                shard.heal()


def _emptied(endpoint: Endpoint) -> bool:
    """Empty a server and its counters; whether it answered as it should."""
    limit = MEMORY_LIMIT // 1024 // 1024
    said = _said(endpoint, b"cache_memlimit %d\r\nflush_all\r\nstats reset\r\n" % limit)
    return said.endswith(b"OK\r\nRESET\r\n")


def _said(endpoint: Endpoint, commands: bytes) -> bytes:
    """What is answered to commands that have one line of an answer each, as far as it comes."""
    said = b""
    with suppress(OSError), endpoint.connect(2.0) as sock:
        sock.sendall(commands)
        while said.count(b"\n") < commands.count(b"\n") and (piece := sock.recv(256)):
            said += piece
    return said


def serving(endpoint: Endpoint, name: str) -> str | None:
    """Why a server does not answer ``version``, or ``None``."""
    try:
        with endpoint.connect(2.0) as sock:
            sock.sendall(b"version\r\n")
            if sock.recv(64).startswith(b"VERSION "):
                return None
    except OSError as error:
        return f"{name} does not serve: {error}"
    return f"{name} does not answer version"

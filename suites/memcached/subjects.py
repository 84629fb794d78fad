"""What a case is given: the client, or the server, under test.

Knows how a case asks for things, in few words. Judges nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from lab.judge.evidence import Evidence
from lab.judge.verdict import Blocked
from lab.stack.project import Lab
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from lab.wire.faults import Treatment
from lab.wire.segmentation import SEGMENTATIONS
from lab.wire.transcript import Transcript
from suites.memcached.contract import Operation, Result
from suites.memcached.exchange import CLIENT_TIMEOUT, ClientBench, Exchange, Login, Talk
from suites.memcached.frames import Datagrams
from suites.memcached.hosts import (
    SHARDS,
    Host,
    OwnHost,
    PortName,
    StandIn,
    SubjectHost,
    held,
    serving,
    single,
)
from suites.memcached.operations import new_key
from suites.memcached.responder import Manners
from suites.memcached.session import Session


@dataclass(frozen=True)
class Client:
    """The client under test as a case uses it."""

    bench: ClientBench
    peer: Callable[[], Host]
    host_context: Callable[[], ssl.SSLContext]
    lab: Lab
    features: frozenset[str]
    #: Each worker has another server to break, so that workers seldom wait for each other.
    worker: int

    def run(
        self,
        *operations: Operation,
        from_client: Treatment | None = None,
        from_server: Treatment | None = None,
        timeout: float = CLIENT_TIMEOUT,
    ) -> Exchange:
        """Have the client do the operations on the server that stands opposite, through the tap."""
        host = self.peer()
        with self.bench.through_taps(
            [host.endpoint()],
            peer=host.name,
            kind=host.kind,
            from_client=from_client,
            from_server=from_server,
            timeout=timeout,
        ) as talk:
            talk.run(*operations)
        return self._reached(talk, host)

    def run_secured(self, port: PortName, *operations: Operation, login: Login | None = None) -> Exchange:
        """The same on the server's TLS port, or on the one that asks for a name and a password."""
        host = self.peer()
        with self.bench.through_taps(
            [host.endpoint(port)],
            peer=host.name,
            kind=host.kind,
            tls=port == "tls",
            host_context=self.host_context() if port == "tls" and host.kind == "reference" else None,
            login=login,
        ) as talk:
            talk.run(*operations)
        return self._reached(talk, host)

    @staticmethod
    def _reached(talk: Talk, host: Host) -> Exchange:
        for tap in talk.taps:
            if tap.unreachable:
                raise Blocked(f"{host.name} could not be reached: {tap.unreachable[0]}")
        return talk.exchange

    def run_with_script(
        self,
        manners: Manners,
        *operations: Operation,
        login: Login | None = None,
        timeout: float = CLIENT_TIMEOUT,
    ) -> Exchange:
        """Have the client do the operations on a scripted server of these manners."""
        with self.bench.with_script(manners, login=login, timeout=timeout) as talk:
            talk.run(*operations)
        return talk.exchange

    @contextmanager
    def on_shards(
        self, count: int, *, timeout: float = CLIENT_TIMEOUT
    ) -> Iterator[tuple[Talk, list[OwnHost]]]:
        """The client, open, with so many servers that are this case's own to break."""
        host = self.peer()
        with (
            self._own(host, count) as mine,
            self.bench.through_taps(
                [shard.endpoint() for shard in mine], peer=host.name, kind=host.kind, timeout=timeout
            ) as talk,
        ):
            yield talk, mine

    @contextmanager
    def _own(self, host: Host, count: int) -> Iterator[list[OwnHost]]:
        if isinstance(host, StandIn):
            mine = host.shards(count)
            try:
                yield [*mine]
            finally:
                for shard in mine:
                    shard.resume()
            return
        names = SHARDS[:count] if count > 1 else [single(self.worker)]
        with held(self.lab, *names) as shards:
            yield [*shards]

    def run_again(self, addresses: Sequence[Endpoint], *operations: Operation) -> list[Result]:
        """Have a new client of the library do the operations on servers that stand there."""
        return self.bench.run_at(addresses, operations)

    def run_by_udp(self, *operations: Operation) -> tuple[list[Result], list[bytes]]:
        """Have the client do the operations by UDP, where nothing is answered; what it says of them, and the datagrams it has sent."""
        return self.bench.by_datagrams(operations)

    def stored(self, key: bytes, *, at: Endpoint | None = None) -> bytes | None:
        """What the server holds, asked by the lab itself."""
        with connect(at or self.peer().endpoint(), timeout=5.0) as stream:
            return Session(stream).data(key)

    def give(self, key: bytes, data: bytes, *, flags: int = 0, expire: int = 0) -> None:
        """Put something into the server, by the lab itself."""
        with connect(self.peer().endpoint(), timeout=5.0) as stream:
            Session(stream).put(key, data, flags=flags, expire=expire)


def claims(results: Sequence[Result]) -> list[object]:
    """What a client says of each operation, in one word or value: for messages and comparison."""
    return [
        result.get("cause")
        or result.get("text")
        or result.get("items", result.get("value", result.get("number", result.get("success"))))
        for result in results
    ]


class Server:
    """The server under test as a case uses it; sessions still open are closed with it."""

    def __init__(
        self, host: Host, evidence: Evidence, *, cut: str, lab: Lab, worker: int, login: Callable[[], Login]
    ) -> None:
        self.host = host
        self._evidence = evidence
        self._cut = cut
        self._lab = lab
        self._worker = worker
        self._login = login
        self._held = ExitStack()

    @property
    def login(self) -> Login:
        """Who may log in."""
        login = self._login()
        self._evidence.mask(login.username, login.password)
        return login

    def key(self, ending: str = "") -> bytes:
        """A key that nobody else uses."""
        return new_key(ending)

    def connect(
        self,
        port: PortName = "plain",
        *,
        timeout: float = 5.0,
        to: OwnHost | None = None,
        cut: str | None = None,
    ) -> Session:
        """Open a session.

        Args:
            port: which of the server's ports.
            timeout: seconds that each wait of the session may take.
            to: the case's own server instead of the one that all use.
            cut: how what is sent is cut, where it is not for the run to say.

        Raises:
            Blocked: the server cannot be reached.
        """
        endpoint = (to or self.host).endpoint(port)
        try:
            stream = connect(endpoint, segmentation=SEGMENTATIONS[cut or self._cut], timeout=timeout)
        except OSError as error:
            raise Blocked(f"{self.host.name} cannot be reached: {error}") from error
        self._held.callback(stream.close)
        self._evidence.add(stream.transcript)
        return Session(stream)

    def datagrams(self) -> Datagrams:
        """A UDP socket to the server."""
        endpoint = self.host.endpoint("udp")
        opened = Datagrams(endpoint, self._evidence.add(Transcript("driver", f"{endpoint}/udp")))
        self._held.callback(opened.close)
        return opened

    def own(self) -> OwnHost:
        """A server of the same implementation that this case alone uses, running and empty.

        Raises:
            Unsupported: it is not the lab's to start.
        """
        if isinstance(self.host, SubjectHost):
            return self.host.spare()
        [shard] = self._held.enter_context(held(self._lab, single(self._worker)))
        return shard

    def serves(self, host: OwnHost) -> bool:
        """Whether the case's own server answers."""
        return serving(host.endpoint(), "it") is None

    def close(self) -> None:
        """Close what the case left open."""
        self._held.close()

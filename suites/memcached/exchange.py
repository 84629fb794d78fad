"""One use of a client under test: client → tap → server, or client → scripted server, and what came of it.

Knows how to ask a client for operations and how the tap stands between. Judges nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from lab.judge.host import decode
from lab.judge.subject import ClientSubject
from lab.judge.verdict import Blocked
from lab.wire.endpoint import Endpoint
from lab.wire.faults import Treatment
from lab.wire.interception import Interception
from lab.wire.script import ScriptedPeer
from lab.wire.tap import Tap
from lab.wire.transcript import Transcript
from suites.asking import Bench, ask
from suites.memcached.contract import Operation, Report, Result
from suites.memcached.conversation import Command, Conversation
from suites.memcached.frames import Inbox
from suites.memcached.responder import Manners, Responder

#: Seconds a client has for one call; its own network timeout is shorter.
CALL_DEADLINE = 6.0
CLIENT_TIMEOUT = 3.0
#: For cases in which the server stays silent.
SHORT_TIMEOUT = 0.4
#: For cases in which a server answers before it falls silent, dies or goes wrong: it may have to wait for a processor.
FAULT_TIMEOUT = 1.0


@dataclass(frozen=True)
class Login:
    """Who logs in."""

    username: str
    password: str


@dataclass
class Exchange:
    """What a client said of its operations, and what was on the wire.

    ``results`` are never the ground of a verdict on what was sent; they are judged themselves where a clause is about
    what a client tells its user.
    """

    results: list[Result] = field(default_factory=list)
    conversations: tuple[Conversation, ...] = ()

    @property
    def result(self) -> Result:
        """The only result, or the last one."""
        return self.results[-1]

    @property
    def commands(self) -> list[Command]:
        """What was asked on all connections, in the order of their opening."""
        return [command for conversation in self.conversations for command in conversation.commands]

    @property
    def octets(self) -> bytes:
        """All that the client sent."""
        return b"".join(conversation.octets for conversation in self.conversations)

    def all(self, name: str) -> list[Command]:
        """The commands of this name."""
        return [command for command in self.commands if command.name == name]

    def one(self, name: str) -> Command:
        """The only command of this name.

        Raises:
            AssertionError: there is none, or there are several.
        """
        found = self.all(name)
        assert len(found) == 1, (
            f"one {name} was expected; the client said {self.lines}, and of itself {self.results}"
        )
        return found[0]

    @property
    def lines(self) -> list[bytes]:
        """The command lines."""
        return [command.line for command in self.commands]


class Talk:
    """A client that is open: it may be asked for operations several times, and its servers broken in between."""

    def __init__(self, subject: ClientSubject, taps: Sequence[Tap], exchange: Exchange) -> None:
        self._subject = subject
        self.taps = taps
        self.exchange = exchange

    def run(self, *operations: Operation) -> list[Result]:
        """Have the client do the operations; what it says of them.

        Raises:
            AssertionError: it hangs, or an exception that it does not tell of escaped from it.
        """
        # octets come as base64; the decoded answer is an object again
        answer = decode(ask(self._subject, "run", {"operations": list(operations)}, CALL_DEADLINE))
        # the subject has checked the outcome; a client's further claims are read as what they are, claims
        results = cast("Report", answer)["results"]
        assert len(results) == len(operations), (
            f"{len(operations)} operations, {len(results)} results: {results}"
        )
        self.exchange.results += results
        return results


class ClientBench(Bench):
    """A client under test that works through taps, or with a script."""

    @contextmanager
    def through_taps(
        self,
        endpoints: Sequence[Endpoint],
        *,
        peer: str,
        kind: str,
        from_client: Treatment | None = None,
        from_server: Treatment | None = None,
        tls: bool = False,
        host_context: ssl.SSLContext | None = None,
        login: Login | None = None,
        timeout: float = CLIENT_TIMEOUT,
    ) -> Iterator[Talk]:
        """The client, open for as long as the block lasts, each of its servers behind a tap.

        Args:
            endpoints: the servers.
            peer: their name in the evidence.
            kind: what they are in the evidence.
            from_client: what the taps do to the client's octets.
            from_server: what they do to the servers'; the case's cut if ``None``.
            tls: the client speaks TLS from the first octet.
            host_context: with which the taps speak TLS to the servers; ``None`` where it ends at the taps.
            login: who logs in.
            timeout: seconds the client may wait for one thing.

        Raises:
            Blocked: a server could not be reached.
        """
        self.evidence.peer, self.evidence.peer_kind = peer, kind
        interception = Interception(self.tap_context, host_context, "localhost") if tls else None
        exchange = Exchange()
        with ExitStack() as held:
            taps = [
                held.enter_context(
                    Tap(
                        endpoint,
                        from_client=from_client or Treatment(),
                        from_server=from_server or Treatment(segmentation=self.cut),
                        interception=interception,
                    )
                )
                for endpoint in endpoints
            ]
            held.callback(self._keep, exchange, taps)
            addresses = [tap.endpoint for tap in taps]
            with self._opened(addresses, taps, exchange, login, timeout, tls=tls) as talk:
                yield talk

    @contextmanager
    def with_script(
        self, manners: Manners, *, login: Login | None = None, timeout: float = CLIENT_TIMEOUT
    ) -> Iterator[Talk]:
        """The client, open for as long as the block lasts, with a scripted server of these manners."""
        self.evidence.peer, self.evidence.peer_kind = "script", "scripted"
        exchange = Exchange()
        peer = ScriptedPeer(Responder(manners), segmentation=self.cut)
        try:
            with self._opened([peer.endpoint], (), exchange, login, timeout, tls=False) as talk:
                yield talk
        finally:
            peer.close()
            self._understand(exchange, peer.transcripts)

    def run_at(self, addresses: Sequence[Endpoint], operations: Sequence[Operation]) -> list[Result]:
        """A new client of the library, in place of the one that was open, at addresses where taps listen already."""
        with self._opened(addresses, (), Exchange(), None, CLIENT_TIMEOUT, tls=False) as talk:
            return talk.run(*operations)

    def by_datagrams(self, operations: Sequence[Operation]) -> tuple[list[Result], list[bytes]]:
        """The client on a server that is reached by UDP and answers nothing; what it says, and the datagrams it has sent."""
        self.evidence.peer, self.evidence.peer_kind = "script", "scripted"
        inbox = Inbox(self.evidence.add(Transcript("client", "script/udp")))
        try:
            return self.run_at([inbox.endpoint], operations), inbox.taken()
        finally:
            inbox.close()

    @contextmanager
    def _opened(
        self,
        addresses: Sequence[Endpoint],
        taps: Sequence[Tap],
        exchange: Exchange,
        login: Login | None,
        timeout: float,
        *,
        tls: bool,
    ) -> Iterator[Talk]:
        if login is not None:
            self.evidence.mask(login.username, login.password)
        # certificates are made for names
        arguments = {
            "servers": [
                {
                    "host": "localhost" if tls else address.host,
                    "port": address.port,
                    "transport": address.transport,
                }
                for address in addresses
            ],
            "ca_file": str(self.ca_file) if tls else None,
            "username": login.username if login is not None else None,
            "password": login.password if login is not None else None,
            "timeout": timeout,
        }
        answer = ask(self.subject, "open", arguments, CALL_DEADLINE)
        if answer["outcome"] != "done":
            message = f"the client could not be opened: {answer.get('cause')}"
            raise AssertionError(message)
        try:
            yield Talk(self.subject, taps, exchange)
        finally:
            # a client that hangs has lost its process, and the case has its verdict already
            with suppress(AssertionError, Blocked):
                ask(self.subject, "close", {}, CALL_DEADLINE)

    def _keep(self, exchange: Exchange, taps: Sequence[Tap]) -> None:
        """Called when the case has ended, also when the client hangs: that is when transcripts are wanted most."""
        for tap in taps:
            tap.close()
        self._understand(exchange, [transcript for tap in taps for transcript in tap.transcripts])

    def _understand(self, exchange: Exchange, transcripts: Sequence[Transcript]) -> None:
        for transcript in transcripts:
            self.evidence.add(transcript)
        exchange.conversations = tuple(Conversation(transcript) for transcript in transcripts)

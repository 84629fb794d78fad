"""One use of a client under test: client → tap → server, or client → scripted server, and what came of it.

Knows how to have a client ask, and how the tap stands between. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from lab.judge.evidence import Evidence
from lab.judge.subject import ClientSubject, ServerSubject
from lab.judge.verdict import Blocked
from lab.wire.endpoint import Endpoint
from lab.wire.faults import Treatment
from lab.wire.script import Dialogue, ScriptedPeer
from lab.wire.segmentation import Segmentation
from lab.wire.tap import Tap
from lab.wire.transcript import Transcript
from suites.asking import ask, kept, tapped
from suites.lancelot.contract import Report

#: The operations of the contract: a question when the answer to the one before is there, or all at once.
Way = Literal["ask", "pipeline"]
#: Seconds that a client may wait for one thing, and in which it has to have ended however often it waits.
CLIENT_TIMEOUT = 3.0
CALL_DEADLINE = 12.0
#: The same for cases in which what is waited for never comes.
SHORT_TIMEOUT = 0.4
SHORT_DEADLINE = 3.0


@dataclass(frozen=True)
class Exchange:
    """What a client said of itself, and what it asked on the wire.

    ``report`` is the ground of a verdict only where a clause is about what a client takes, or tells its user.
    """

    report: Report
    asked: bytes

    @property
    def failed(self) -> bool:
        """Whether the client says that it failed."""
        return self.report["outcome"] == "failed"

    @property
    def answers(self) -> list[bytes]:
        """The answers that the client took."""
        return [answer.encode() for answer in self.report.get("answers", [])]


class Client:
    """The client under test as a case uses it."""

    def __init__(
        self, subject: ClientSubject, peer: ServerSubject, evidence: Evidence, cut: Segmentation
    ) -> None:
        self._subject = subject
        self._peer = peer
        self._evidence = evidence
        self._cut = cut

    def ask(self, way: Way) -> Exchange:
        """Have the client ask the server that stands opposite, through the tap."""
        self._evidence.peer, self._evidence.peer_kind = self._peer.implementation.name, "embedded"
        endpoint = self._peer.endpoint()
        if endpoint is None:
            raise Blocked(f"{self._peer.implementation.name} told no port")
        with tapped(Tap(endpoint, from_server=Treatment(segmentation=self._cut)), self._evidence) as tap:
            report = self._call(way, tap.endpoint, CLIENT_TIMEOUT, CALL_DEADLINE)
        return Exchange(report, _asked(tap.transcripts))

    def ask_script(self, way: Way, dialogue: Dialogue) -> Exchange:
        """Have the client ask a scripted server."""
        return self._with_script(way, dialogue, CLIENT_TIMEOUT, CALL_DEADLINE)

    def ask_in_vain(self, way: Way, dialogue: Dialogue) -> Exchange:
        """Have the client ask a scripted server that never gives some answer; it is told to wait a moment only."""
        return self._with_script(way, dialogue, SHORT_TIMEOUT, SHORT_DEADLINE)

    def _with_script(self, way: Way, dialogue: Dialogue, timeout: float, deadline: float) -> Exchange:
        self._evidence.peer, self._evidence.peer_kind = "script", "scripted"
        with kept(ScriptedPeer(dialogue, segmentation=self._cut), self._evidence) as peer:
            report = self._call(way, peer.endpoint, timeout, deadline)
        return Exchange(report, _asked(peer.transcripts))

    def _call(self, way: Way, endpoint: Endpoint, timeout: float, deadline: float) -> Report:
        arguments = {"host": endpoint.host, "port": endpoint.port, "timeout": timeout}
        # the subject has checked the outcome; a client's further claims are read as what they are, claims
        return cast("Report", ask(self._subject, way, arguments, deadline))


def _asked(transcripts: Sequence[Transcript]) -> bytes:
    """What the client said over all connections."""
    return b"".join(transcript.octets("client") for transcript in transcripts)

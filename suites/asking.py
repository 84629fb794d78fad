"""Asking a client under test, and keeping what was on the wire meanwhile.

Knows what fails a case whatever the protocol: a client that hangs, and an exception of its library that it does not tell
of. Must not know operations or answers.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.judge.evidence import Evidence
from lab.judge.subject import ClientSubject, Overran
from lab.judge.verdict import Blocked
from lab.wire.script import ScriptedPeer
from lab.wire.segmentation import Segmentation
from lab.wire.tap import Tap

Peer = TypeVar("Peer", Tap, ScriptedPeer)


@dataclass(frozen=True)
class Bench:
    """A client under test, ready to be asked, with everything that stands around it.

    Attributes:
        ca_file: whom it is told to trust.
        tap_context: what the tap shows to it.
        cut: how what it is sent is cut.
    """

    subject: ClientSubject
    evidence: Evidence
    ca_file: Path
    tap_context: ssl.SSLContext
    cut: Segmentation


def ask(
    subject: ClientSubject, operation: str, arguments: Mapping[str, object], deadline: float
) -> dict[str, object]:
    """Have the client do an operation within so many seconds; what it says of it.

    Raises:
        AssertionError: it hangs, or an exception that it does not tell of escaped from it.
        Blocked: the lab cannot ask it.
    """
    try:
        answer = subject.call(operation, arguments, deadline=deadline)
    except Overran as error:
        raise AssertionError(f"the client hangs: {error}") from error
    assert answer["outcome"] != "escaped", f"an exception escaped from the client: {answer.get('cause')}"
    return answer


@contextmanager
def kept(peer: Peer, evidence: Evidence) -> Iterator[Peer]:
    """The peer for as long as the block lasts; its transcripts become evidence.

    Also when the client hangs: that is when they are wanted most.
    """
    try:
        with peer:
            yield peer
    finally:
        for transcript in peer.transcripts:
            evidence.add(transcript)


@contextmanager
def tapped(tap: Tap, evidence: Evidence) -> Iterator[Tap]:
    """The same for a tap whose peer has to be there.

    Raises:
        Blocked: the peer could not be reached.
    """
    with kept(tap, evidence):
        yield tap
    if tap.unreachable:
        raise Blocked(f"the peer could not be reached: {tap.unreachable[0]}")

"""Servers: whatever a client sends, the server lives, keeps its memory within bounds, and serves others.

By the clock: half a minute a row of the catalogue in profile ``quick``, which is a minute for the one server with two drivers; an hour
a row in ``deep``, where the seed is another each time. A fifth of it goes to the UDP port where there is one, the rest to TCP, in
pipelines that are cut anywhere.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import select
import socket
import struct
import time
from collections.abc import Callable

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.endpoint import Endpoint
from lab.wire.stream import StreamError
from suites.memcached.fuzzing import LONGEST, conversation, datagram, pieces
from suites.memcached.hosts import MEMORY_LIMIT, OwnHost, PortName, SubjectHost, serving
from suites.memcached.subjects import Server

#: Seconds of fuzzing a row of the catalogue in each profile, TCP and UDP together.
BUDGET = {"quick": 30.0, "deep": 3600.0}
UDP_SHARE = 0.2
#: What a server may need beside its items: an interpreter, and what clients have not taken.
MEMORY_BESIDE = 96 << 20
#: How Python begins to tell of an exception that nobody caught, or that somebody caught who expects none.
TRACEBACK = "Traceback (most recent call last)"
#: Conversations between two looks at the server.
ROUND = 50
#: Seconds that a client listens, at most.
LISTENING = 0.002
QUICK_SEED = 11211
#: The budget of TCP is spent in so many cases, so that workers share it.
PARTS = 4

pytestmark = [role("server"), cuts("whole"), pytest.mark.timeout(4000)]


def fuzz(
    host: OwnHost,
    port: PortName,
    profile: str,
    share: float,
    part: int,
    attack: Callable[[Endpoint, random.Random], bytes],
) -> int:
    """Attack a server until the time is over; how many times.

    Raises:
        AssertionError: it died, fell silent, or took too much memory; the message has the seed and what was sent last.
    """
    seed = QUICK_SEED + part if profile != "deep" else secrets.randbits(32)
    chance = random.Random(seed)
    # asked for once: a server that has died is started anew by who asks where it is
    target, front = host.endpoint(port), host.endpoint()
    ends = time.monotonic() + BUDGET[profile] * share
    attacks = 0
    while time.monotonic() < ends:
        sent = [attack(target, chance) for _ in range(ROUND)]
        attacks += ROUND
        trouble = look(host, front)
        assert trouble is None, (
            f"seed {seed}, after {attacks} conversations: {trouble}; "
            f"the last ones: {[octets[:LONGEST] for octets in sent[-5:]]!r}"
        )
    return attacks


def look(host: OwnHost, front: Endpoint) -> str | None:
    """What is wrong with a server, or ``None``."""
    if isinstance(host, SubjectHost):
        died = host.trouble()
        if died is not None:
            return died
        # who outlives an exception that it did not expect has still lost a client by it
        if TRACEBACK in (complaint := host.complaint()):
            return complaint
    # who answers has done what it was asked before, and has taken the memory for it
    silent = serving(front, "it")
    if silent is None and isinstance(host, SubjectHost):
        memory = host.memory()
        if memory > MEMORY_LIMIT + MEMORY_BESIDE:
            return f"it takes {memory >> 20} MiB of memory"
    return silent


def by_tcp(target: Endpoint, chance: random.Random) -> bytes:
    """One client: it sends, listens or not, and leaves in one of three ways."""
    octets = conversation(chance)
    # a server may close, and a client that is told so has lost nothing
    with contextlib.suppress(OSError), target.connect(5.0) as sock:
        sock.settimeout(LISTENING)
        for number, piece in enumerate(pieces(octets, chance)):
            if number and chance.random() < 0.5:
                # the server gets to read what has come so far: a cut is one
                select.select([sock], [], [], LISTENING)
            sock.sendall(piece)
        if chance.random() < 0.5:
            sock.recv(1 << 16)
        leaving = chance.random()
        if leaving < 0.2:
            # the connection is reset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif leaving < 0.4:
            sock.shutdown(socket.SHUT_WR)
            sock.recv(1 << 16)
    return octets


def by_udp(target: Endpoint, chance: random.Random) -> bytes:
    """One datagram."""
    octets = datagram(chance)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(octets, (target.host, target.port))
    return octets


@pytest.mark.parametrize("part", range(PARTS))
@clause("memcached-protocol-closing-is-enough", "memcached-error-strings-connection-kept")
def test_no_octets_kill_the_server(server: Server, profile: str, part: int) -> None:
    """Arbitrary octets and spoilt conversations, left in any way, neither end the server nor fill its memory."""
    host = server.own()
    share = 1 - UDP_SHARE if "udp" in server.host.features else 1.0

    assert fuzz(host, "plain", profile, share / PARTS, part, by_tcp) > 0


@needs("udp")
@clause("memcached-udp-protocol-malformed-survived")
def test_no_datagrams_kill_the_server(server: Server, profile: str) -> None:
    """Arbitrary datagrams neither end the server nor fill its memory."""
    assert fuzz(server.own(), "udp", profile, UDP_SHARE, 0, by_udp) > 0


@clause("memcached-protocol-many-connections")
def test_promises_of_data_take_no_memory(server: Server) -> None:
    """Two hundred clients that announce the largest item and send none of it cost next to nothing, and others are served."""
    host = server.own()
    front = host.endpoint()
    sessions = [server.connect(to=host) for _ in range(200)]

    for number, session in enumerate(sessions):
        session.send(b"set promised%d 0 0 8000000\r\nx" % number)

    trouble = look(host, front)
    assert trouble is None, f"after 200 promises: {trouble}"


@clause("memcached-protocol-many-connections")
def test_answers_nobody_takes_are_bounded(server: Server) -> None:
    """Clients that ask for large values and take none of the answers do not fill the server's memory."""
    host = server.own()
    front = host.endpoint()
    key = server.key()
    server.connect(to=host).put(key, b"v" * 1_000_000)
    greedy = [server.connect(to=host) for _ in range(8)]

    for session in greedy:
        session.stream.timeout = 0.5
        # the server stops reading at some point, which is what is wanted of it
        with contextlib.suppress(StreamError):
            session.send(b"get %b\r\n" % key * 500)

    trouble = look(host, front)
    assert trouble is None, f"with 4 GB of answers not taken: {trouble}"

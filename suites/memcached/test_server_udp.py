"""Servers: frames over UDP (section UDP protocol)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.frames import HEADER
from suites.memcached.subjects import Server

# a datagram is not cut
pytestmark = [role("server"), needs("udp"), cuts("whole")]


@clause("memcached-udp-protocol-one-datagram-request", "memcached-udp-protocol-reserved-zero")
def test_a_request_in_a_datagram(server: Server) -> None:
    """A get by UDP is answered in one datagram with a whole frame header: sequence 0 of 1, reserved 0."""
    key = server.key()
    server.connect().put(key, b"data")
    datagrams = server.datagrams()

    datagrams.ask(7, b"get %b\r\n" % key)
    [frame] = datagrams.answer()

    assert (frame.sequence, frame.total, frame.reserved) == (0, 1, 0)
    assert frame.payload == b"VALUE %b 0 4\r\ndata\r\nEND\r\n" % key


@clause("memcached-udp-protocol-request-id")
@pytest.mark.parametrize("request_id", [0, 1, 255, 256, 65535])
def test_the_answer_has_the_id_of_the_request(server: Server, request_id: int) -> None:
    """The client chooses the request ID, and finds it in the answer."""
    datagrams = server.datagrams()

    datagrams.ask(request_id, b"version\r\n")
    [frame] = datagrams.answer()

    assert frame.request == request_id
    assert frame.payload.startswith(b"VERSION ")


@clause("memcached-udp-protocol-request-id")
def test_outstanding_requests_are_told_apart(server: Server) -> None:
    """Of several requests sent at once each is answered under its ID."""
    keys = {number: server.key(str(number)) for number in range(10, 15)}
    session = server.connect()
    for number, key in keys.items():
        session.put(key, b"%d" % number)
    datagrams = server.datagrams()

    for number, key in keys.items():
        datagrams.ask(number, b"get %b\r\n" % key)
    answers = {frame.request: frame.payload for frame in (datagrams.receive() for _ in keys)}

    assert answers == {
        number: b"VALUE %b 0 2\r\n%d\r\nEND\r\n" % (key, number) for number, key in keys.items()
    }


@clause("memcached-udp-protocol-one-datagram-request")
def test_storing_by_udp(server: Server) -> None:
    """A set in one datagram stores."""
    key = server.key()
    datagrams = server.datagrams()

    datagrams.ask(1, b"set %b 5 0 6\r\nby udp\r\n" % key)
    [frame] = datagrams.answer()

    assert frame.payload == b"STORED\r\n"
    assert server.connect().data(key) == b"by udp"


@clause("memcached-udp-protocol-sequence-and-total", "memcached-udp-protocol-reserved-zero")
def test_an_answer_over_several_datagrams(server: Server) -> None:
    """A large answer comes in datagrams numbered from 0, each with their number and the ID; joined they are the answer."""
    key = server.key()
    data = bytes(range(256)) * 40
    server.connect().put(key, data)
    datagrams = server.datagrams()

    datagrams.ask(99, b"get %b\r\n" % key)
    frames = datagrams.answer()

    assert len(frames) > 1, "10 kB came in one datagram"
    assert {(frame.request, frame.total, frame.reserved) for frame in frames} == {(99, len(frames), 0)}
    assert sorted(frame.sequence for frame in frames) == list(range(len(frames)))
    joined = b"".join(frame.payload for frame in sorted(frames, key=lambda frame: frame.sequence))
    assert joined == b"VALUE %b 0 10240\r\n%b\r\nEND\r\n" % (key, data)


@clause("memcached-udp-protocol-malformed-survived")
@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\0",
        b"\0\1\0\0\0\1\0",
        b"version\r\n",
        HEADER.pack(1, 0, 2, 0) + b"delete %b\r\n",
        HEADER.pack(1, 0, 1, 0),
    ],
    ids=["empty", "one-octet", "seven-octets", "no-header", "one-of-two", "header-alone"],
)
def test_malformed_datagrams_change_nothing(server: Server, datagram: bytes) -> None:
    """What has no whole frame header, or is a part of a larger request, is not carried out, and the server goes on."""
    key = server.key()
    session = server.connect()
    session.put(key, b"data")

    server.datagrams().send(datagram.replace(b"%b", key))
    other = server.datagrams()
    other.ask(3, b"get %b\r\n" % key)
    [frame] = other.answer()

    assert (frame.request, frame.payload) == (3, b"VALUE %b 0 4\r\ndata\r\nEND\r\n" % key)
    assert session.in_step()

"""Servers: killed, frozen and started again amid commands (sections Protocol and Storage commands)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, role
from lab.wire.stream import Ended, Overdue
from suites.memcached.subjects import Server

# a container or a process is broken for each, and the way a stream is cut has no part in it
pytestmark = [role("server"), cuts("whole")]


@clause("memcached-protocol-closing-is-enough", "memcached-protocol-data-returned-unchanged")
@pytest.mark.parametrize(
    "part", [b"set %b 0 0 10\r\n12345", b"append %b 0 0 10\r\n12345"], ids=["set", "append"]
)
def test_killed_amid_a_command(server: Server, part: bytes) -> None:
    """A server killed within a command ends its connections; started again it serves, and holds no part of the data."""
    own = server.own()
    key = server.key()
    session = server.connect(to=own)
    session.put(key, b"before")
    session.send(part.replace(b"%b", key))

    own.kill()
    with pytest.raises(Ended):
        session.stream.receive_exactly(1)
    own.start()

    again = server.connect(to=own)
    assert again.data(key) in (None, b"before"), "a part of the data is there"
    again.put(key, b"after")
    assert again.data(key) == b"after"


@clause("memcached-protocol-any-segments")
def test_frozen_amid_a_command(server: Server) -> None:
    """A server frozen within a command says nothing; let go, it carries out what was sent before and meanwhile."""
    own = server.own()
    key = server.key()
    session = server.connect(to=own)
    session.put(key, b"before")

    own.pause()
    session.send(b"set %b 0 0 5\r\n123" % key)
    with pytest.raises(Overdue):
        session.line(timeout=0.2)
    session.send(b"45\r\nget %b\r\n" % key)
    own.resume()

    assert session.line() == b"STORED"
    assert [value.data for value in session.values()] == [b"12345"]
    assert server.serves(own)

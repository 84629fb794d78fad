"""Servers: command lines, and streams that are cut anywhere (sections Protocol and Commands)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.session import Session
from suites.memcached.subjects import Server

pytestmark = role("server")


@clause("memcached-commands-names-case-sensitive")
@pytest.mark.parametrize("line", [b"GET %b", b"Get %b", b"VERSION", b"Delete %b", b"QUIT"])
def test_a_name_in_capitals_is_no_command(server: Server, session: Session, line: bytes) -> None:
    """A command's name in capitals is answered ERROR."""
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(line.replace(b"%b", key))

    assert answer == b"ERROR", f"{line!r} was answered {answer!r}"
    assert session.data(key) == b"data"


@clause("memcached-commands-delimited-by-whitespace")
def test_several_spaces_delimit_as_one(server: Server, session: Session) -> None:
    """Words may stand further apart than one space."""
    key = server.key()

    session.send(b"set  %b   7  0 4  \r\ndata\r\n" % key)
    stored = session.line()
    session.send(b"get   %b  %b  \r\n" % (key, server.key()))
    found = session.values()

    assert stored == b"STORED"
    assert [(value.key, value.flags, value.data) for value in found] == [(key, 7, b"data")]


@clause("memcached-protocol-any-segments", "memcached-protocol-replies-end-with-crlf")
def test_pipelined_commands_are_answered_in_order(server: Server, session: Session) -> None:
    """Commands sent without waiting are carried out one after the other, and so are the answers; however they are cut."""
    one, two = server.key("1"), server.key("2")
    session.send(
        b"set %b 1 0 5\r\n1\r\n+1\r\n" % one
        + b"get %b\r\n" % one
        + b"set %b 0 0 1\r\n9\r\nincr %b 1\r\n" % (two, two)
        + b"append %b 0 0 2\r\n\r\n\r\n" % one
        + b"get %b %b\r\n" % (one, two)
        + b"delete %b\r\nget %b\r\nversion\r\nquit\r\n" % (one, one)
    )

    said = session.stream.receive_to_end()

    version = said.split(b"VERSION ")[-1]
    assert said == (
        b"STORED\r\nVALUE %b 1 5\r\n1\r\n+1\r\nEND\r\n" % one
        + b"STORED\r\n10\r\nSTORED\r\n"
        + b"VALUE %b 1 7\r\n1\r\n+1\r\n\r\nVALUE %b 0 2\r\n10\r\nEND\r\n" % (one, two)
        + b"DELETED\r\nEND\r\nVERSION "
        + version
    )


# each place is a cut of its own
@cuts("whole")
@needs("meta")
@clause("memcached-protocol-any-segments")
def test_a_stream_cut_at_each_place(server: Server) -> None:
    """Commands cut in two at every octet, with a moment in between, are answered the same."""
    key = server.key()
    stream = b"set %b 0 0 4\r\nd\r\na\r\nget %b\r\nms %b 2 c\r\nab\r\nmg %b v\r\nmn\r\n" % (
        key,
        key,
        key,
        key,
    )
    answers = set()
    for place in range(1, len(stream)):
        session = server.connect()
        session.send(stream[:place])
        early = session.stream.receive_what_comes(0.001)
        session.send(stream[place:] + b"quit\r\n")
        said = early + session.stream.receive_to_end()
        answers.add(re.sub(rb"HD c[0-9]+", b"HD c", said))

    assert answers == {b"STORED\r\nVALUE %b 0 4\r\nd\r\na\r\nEND\r\nHD c\r\nVA 2\r\nab\r\nMN\r\n" % key}


# 500 commands, which single octets only make slow
@cuts("whole", "lines")
@clause("memcached-protocol-any-segments")
def test_many_pipelined_commands(server: Server, session: Session) -> None:
    """500 commands in one go are all answered."""
    keys = [server.key(str(number)) for number in range(250)]

    session.send(b"".join(b"set %b 0 0 3\r\nabc\r\nget %b\r\n" % (key, key) for key in keys) + b"quit\r\n")

    assert session.stream.receive_to_end() == b"".join(
        b"STORED\r\nVALUE %b 0 3\r\nabc\r\nEND\r\n" % key for key in keys
    )


@clause("memcached-protocol-closing-is-enough")
@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize(
    "part", [b"set %b 0", b"set %b 0 0 10\r\n", b"set %b 0 0 10\r\n12345", b"set %b 0 0 5\r\n12345"]
)
def test_leaving_amid_a_command(server: Server, session: Session, part: bytes, how: str) -> None:
    """A client that leaves within a command leaves no item behind, and others are served."""
    key = server.key()

    session.send(part.replace(b"%b", key))
    if how == "reset":
        session.stream.reset()
    else:
        session.stream.close()

    other = server.connect()
    assert other.data(key) is None
    assert other.in_step()


@clause("memcached-protocol-closing-is-enough")
def test_leaving_with_answers_unread(server: Server, session: Session) -> None:
    """A client that asked for much and leaves without reading does not disturb the others."""
    key = server.key()
    session.put(key, b"x" * 100_000)

    session.send(b"get %b\r\n" % key * 20)
    session.stream.reset()

    assert server.connect().data(key) == b"x" * 100_000


# a thousand connections, whatever the cut
@cuts("whole")
@clause("memcached-protocol-many-connections")
def test_many_connections_are_served(server: Server) -> None:
    """With 600 connections open, the first and the last are answered."""
    sessions = [server.connect() for _ in range(600)]

    assert all(session.in_step() for session in [sessions[0], *sessions[-10:]])

"""Servers: what is no command, and what is wrong in one (section Error strings)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")


@clause("memcached-error-strings-unknown-command", "memcached-error-strings-connection-kept")
@pytest.mark.parametrize("line", [b"foo", b"", b" ", b"settle x", b"getx", b"\xff\xfe", b"a\0b"])
def test_what_is_no_command_is_an_error(session: Session, line: bytes) -> None:
    """A line that begins with no command's name is answered ERROR, and the connection goes on."""
    answer = session.ask(line)

    assert answer == b"ERROR", f"{line!r} was answered {answer!r}"
    assert session.in_step()


@clause("memcached-storage-commands-form", "memcached-error-strings-client-error")
@pytest.mark.parametrize(
    "line",
    [
        *(b"set", b"set k", b"set k 0", b"set k 0 0", b"add k 0 0", b"append k", b"cas k 0 0 2"),
        *(b"delete", b"incr", b"incr k", b"decr k", b"touch", b"touch k", b"gat"),
        *(b"verbosity", b"cache_memlimit"),
    ],
)
def test_a_word_missing_is_an_error(session: Session, line: bytes) -> None:
    """A command with a word too few is answered with an error; so is what stands behind it and was no command."""
    answer = session.ask(line)

    assert is_error(answer), f"{line!r} was answered {answer!r}"
    assert session.in_step()


@clause("memcached-error-strings-client-error")
@pytest.mark.parametrize(
    "line",
    [
        *(b"set %b 0 x 2", b"set %b x 0 2", b"set %b 0 99999999999999999999 2", b"cas %b 0 0 2 x"),
        *(b"incr %b x", b"decr %b -1", b"touch %b x", b"gat x %b"),
    ],
)
def test_a_word_that_is_no_number_is_an_error(server: Server, session: Session, line: bytes) -> None:
    """Where a number belongs and none stands, the answer is an error, and nothing is stored or changed."""
    key = server.key()
    session.put(key, b"10")

    answer = session.ask(line.replace(b"%b", key))

    assert is_error(answer), f"{line!r} was answered {answer!r}"
    fresh = server.connect()
    assert fresh.data(key) in (b"10", None), "it was carried out"
    assert fresh.in_step()


@clause("memcached-error-strings-connection-kept", "memcached-error-strings-in-step-after-error")
def test_many_errors_keep_the_connection(server: Server, session: Session) -> None:
    """A hundred errors one after the other do not close the connection."""
    key = server.key()

    for _ in range(100):
        assert session.ask(b"no such command") == b"ERROR"
    session.put(key, b"data")

    assert session.data(key) == b"data"


@clause("memcached-error-strings-connection-kept")
def test_errors_among_pipelined_commands(server: Server, session: Session) -> None:
    """Errors between commands that were sent in one go stand in their place."""
    key = server.key()
    session.send(b"set %b 0 0 1\r\n1\r\nbogus\r\nincr %b x\r\nincr %b 1\r\nget\r\nget %b\r\n" % ((key,) * 4))

    said = session.lines(8)

    assert (said[0], said[1], said[3]) == (b"STORED", b"ERROR", b"2"), f"the answers were {said}"
    assert is_error(said[2]), f"the answers were {said}"
    assert is_error(said[4]), f"the answers were {said}"
    assert said[5:] == [b"VALUE %b 0 1" % key, b"2", b"END"], f"the answers were {said}"


@clause("memcached-error-strings-in-step-after-error")
def test_a_line_too_long_does_not_grow_for_ever(server: Server) -> None:
    """A line of a megabyte without an end is refused, or the connection closed; the server goes on serving."""
    session = server.connect(cut="whole")
    said = session.say_all(b"get " + b"x" * 1_000_000 + b"\r\n")

    assert b"VALUE" not in said
    assert server.connect().in_step()

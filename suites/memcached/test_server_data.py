"""Servers: data blocks, their lengths and their limits (sections Protocol and Storage commands)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.hosts import MAXIMUM_ITEM, MEMORY_LIMIT
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")

#: Data in which a reader that looks for line ends, commands or replies would lose its way.
TRAPS = {
    "crlf": b"one\r\ntwo\r\n",
    "crlf-first": b"\r\n\r\n",
    "command": b"\r\nflush_all\r\ndelete x\r\n",
    "reply": b"\r\nEND\r\nVALUE x 0 1\r\n",
    "cr-last": b"data\r",
    "nul": b"\0\0a\0",
    "every-octet": bytes(range(256)),
}


@clause(
    "memcached-protocol-data-returned-unchanged",
    "memcached-protocol-length-ends-stored-data",
    "memcached-protocol-sent-data-block-ends-with-crlf",
    "memcached-storage-commands-length-counts-data-only",
)
@pytest.mark.parametrize("data", TRAPS.values(), ids=TRAPS.keys())
def test_data_come_back_as_they_were(server: Server, session: Session, data: bytes) -> None:
    """Whatever octets the data are, they come back, and the stream is in step."""
    key = server.key()

    session.put(key, data)

    assert session.data(key) == data
    assert session.in_step()


@clause("memcached-storage-commands-empty-data")
@pytest.mark.parametrize("command", [b"set", b"add", b"append"], ids=["set", "add", "append"])
def test_empty_data_are_stored(server: Server, session: Session, command: bytes) -> None:
    """Data of no octets are data: they are stored, added to, and come back."""
    key = server.key()
    before = b""
    if command == b"append":
        before = b"before"
        session.put(key, before)

    answer = session.store(key, b"", command=command)

    assert answer == b"STORED"
    assert session.data(key) == before


# 8 MiB, which no cut makes more telling
@cuts("whole")
@clause("memcached-storage-commands-value-at-the-limit")
def test_a_value_at_the_limit_is_stored(server: Server) -> None:
    """Data that leave 1 KiB of the server's limit for the key and its item's head are stored and come back."""
    session = server.connect(timeout=15.0)
    key = server.key()
    data = bytes(range(256)) * ((MAXIMUM_ITEM - 1024) // 256)

    session.put(key, data)

    assert session.data(key) == data
    assert session.ask(b"delete " + key) == b"DELETED"


# as above
@cuts("whole")
@clause("memcached-storage-commands-value-beyond-the-limit", "memcached-error-strings-server-error")
@pytest.mark.parametrize("present", [False, True], ids=["new", "present"])
def test_a_value_beyond_the_limit_is_refused(server: Server, present: bool) -> None:  # noqa: FBT001 - a parameter
    """Data beyond the limit are answered SERVER_ERROR; what comes behind them is understood; no part of them is stored."""
    session = server.connect(timeout=15.0)
    key = server.key()
    if present:
        session.put(key, b"before")

    answer = session.store(key, b"x" * (MAXIMUM_ITEM + 1))

    assert answer.startswith(b"SERVER_ERROR "), f"data beyond the limit were answered {answer!r}"
    assert session.catch_up() == []
    assert session.data(key) in ((b"before", None) if present else (None,))


@clause("memcached-storage-commands-wrong-length-refused", "memcached-error-strings-in-step-after-error")
@pytest.mark.parametrize("command", [b"set", b"add", b"append", b"cas"], ids=["set", "add", "append", "cas"])
@pytest.mark.parametrize("data", [b"abcdefgh", b"abcd\n\n", b"abc\r\n"], ids=["longer", "no-crlf", "shorter"])
def test_data_of_another_length_are_refused(
    server: Server, session: Session, command: bytes, data: bytes
) -> None:
    """Data that are longer or shorter than their length says are refused, and the next command is understood."""
    key = server.key()
    if command == b"append":
        session.put(key, b"before")
    token = b" 1" if command == b"cas" else b""

    # the shorter data lack octets: the beginning of what follows is taken for them
    session.send(b"%b %b 0 0 4%b\r\n%b\r\n" % (command, key, token, data))
    said = session.catch_up()

    assert said, "nothing was answered"
    assert all(is_error(line) for line in said), f"data of another length were answered {said}"
    assert session.data(key) == (b"before" if command == b"append" else None)


@clause("memcached-storage-commands-length-no-number-refused")
@pytest.mark.parametrize("length", [b"-1", b"x", b"1x", b"0x2", b"2.0", b"99999999999999999999"])
def test_a_length_that_is_none_is_refused(server: Server, session: Session, length: bytes) -> None:
    """A length that is negative, no decimal number or too large for any number is refused, and what follows is understood."""
    key = server.key()

    session.send(b"set %b 0 0 %b\r\n" % (key, length))
    said = session.line()

    assert is_error(said), f"the length {length!r} was answered {said!r}"
    fresh = server.connect()
    assert fresh.data(key) is None
    assert fresh.in_step()


# 128 MiB are stored, which no cut makes more telling
@cuts("whole")
@needs("memory-limit")
@clause("memcached-storage-commands-gives-way-for-others")
def test_a_full_memory_goes_on_storing(server: Server) -> None:
    """With twice as much stored as there is memory, each set is answered STORED, the last items are there, the first not."""
    own = server.own()
    session = server.connect(to=own, timeout=15.0)
    size = 500_000
    keys = [server.key(str(number)) for number in range(2 * MEMORY_LIMIT // size)]

    answers = {session.store(key, b"x" * size) for key in keys}

    assert answers == {b"STORED"}, f"when memory was full set was answered {answers}"
    assert [session.data(key) is not None for key in keys[-3:]] == [True, True, True]
    assert [session.data(key) for key in keys[:3]] == [None, None, None]
    kept = sum(session.data(key) is not None for key in keys)
    assert kept * size <= MEMORY_LIMIT, f"{kept} items of {size} octets do not fit into {MEMORY_LIMIT}"

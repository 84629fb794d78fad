"""Servers: keys, and how long they may be (section Keys)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")

LONGEST = 250
#: Each command with a key; % stands for it.
COMMANDS = {
    "get": b"get %b",
    "gets": b"gets %b",
    "gat": b"gat 0 %b",
    "delete": b"delete %b",
    "incr": b"incr %b 1",
    "touch": b"touch %b 0",
}
META = {"mg": b"mg %b v", "md": b"md %b", "ma": b"ma %b", "me": b"me %b"}


@clause("memcached-keys-uniquely-identify")
def test_keys_that_differ_name_different_items(server: Server, session: Session) -> None:
    """Case, a last octet more, or octets beyond ASCII make another key."""
    base = server.key()
    keys = [base, base.swapcase(), base + b"x", base + b"\xc3\xa9", base + b"e\xcc\x81", base + b"\xff"]

    for number, key in enumerate(keys):
        session.put(key, b"item %d" % number)

    assert [session.data(key) for key in keys] == [b"item %d" % number for number in range(len(keys))]


@clause("memcached-keys-250-taken")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_key_of_250_octets_is_taken(server: Server, session: Session, command: bytes) -> None:
    """The longest key can be stored, and used in every command."""
    key = server.key().ljust(LONGEST, b"k")
    session.put(key, b"10")

    session.send(command % key + b"\r\n")
    said = session.catch_up()

    assert said, "nothing was answered"
    assert not any(is_error(line) or line == b"NOT_FOUND" for line in said), (
        f"the longest key was answered {said}"
    )
    assert b"VALUE" in said[0] or len(said) == 1, f"the longest key was answered {said}"


@clause("memcached-keys-longer-refused", "memcached-error-strings-client-error")
@pytest.mark.parametrize(
    "command",
    [*COMMANDS.values(), *(pytest.param(line, marks=needs("meta")) for line in META.values())],
    ids=[*COMMANDS, *META],
)
def test_a_key_of_251_octets_is_refused(server: Server, session: Session, command: bytes) -> None:
    """A key of one octet too many is answered with an error, by every command."""
    key = server.key().ljust(LONGEST + 1, b"k")

    answer = session.ask(command % key)

    assert is_error(answer), f"a key of 251 octets was answered {answer!r}"
    assert session.in_step()


@clause("memcached-keys-longer-refused")
@pytest.mark.parametrize("command", [b"set", b"add", b"append"], ids=["set", "add", "append"])
def test_nothing_is_stored_under_a_key_too_long(server: Server, session: Session, command: bytes) -> None:
    """A storage command with a key too long is refused; no item is stored under the key's first 250 octets either."""
    key = server.key().ljust(LONGEST + 1, b"k")

    session.send(b"%b %b 0 0 4\r\ndata\r\n" % (command, key))
    said = session.catch_up()

    assert said, "nothing was answered"
    assert all(is_error(line) for line in said), f"a key of 251 octets was answered {said}"
    assert session.data(key[:LONGEST]) is None


@clause("memcached-keys-longer-refused")
def test_a_key_too_long_among_others_is_refused(server: Server, session: Session) -> None:
    """A retrieval in which one of the keys is too long ends in an error, and the stream is in step."""
    key = server.key()
    session.put(key, b"data")

    session.send(b"get %b %b\r\n" % (key, b"k" * (LONGEST + 1)))
    said = session.catch_up()

    assert any(is_error(line) for line in said), f"a retrieval with a key too long was answered {said}"
    assert session.data(key) == b"data"


@clause("memcached-retrieval-command-several-keys")
def test_many_keys_in_one_line(server: Server, session: Session) -> None:
    """A line with a hundred keys, longer than 2 KiB, brings them all."""
    keys = [server.key(f"-{number}") for number in range(100)]
    for key in keys:
        session.put(key, b"of " + key)

    found = session.get(*keys)

    assert [(value.key, value.data) for value in found] == [(key, b"of " + key) for key in keys]

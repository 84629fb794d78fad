"""Servers: get, gets and delete (sections Retrieval command and Deletion)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")


@clause(
    "memcached-retrieval-command-several-keys",
    "memcached-retrieval-command-missing-left-out",
    "memcached-retrieval-command-item-form",
)
def test_several_keys_bring_what_there_is(server: Server, session: Session) -> None:
    """A get of several keys brings each item that there is with key, flags and length; the others are left out."""
    one, missing, two = server.key("1"), server.key("x"), server.key("2")
    session.put(one, b"first", flags=1)
    session.put(two, b"", flags=2)

    session.send(b"get %b %b %b\r\n" % (one, missing, two))

    assert session.lines(5) == [b"VALUE %b 1 5" % one, b"first", b"VALUE %b 2 0" % two, b"", b"END"]
    assert session.in_step()


@clause("memcached-retrieval-command-end-follows", "memcached-retrieval-command-missing-left-out")
@pytest.mark.parametrize("command", [b"get", b"gets"], ids=["get", "gets"])
def test_a_miss_is_end_alone(server: Server, session: Session, command: bytes) -> None:
    """Where there is no item the answer is END."""
    assert session.ask(command + b" " + server.key()) == b"END"


@clause("memcached-retrieval-command-several-keys")
def test_a_key_asked_for_twice(server: Server, session: Session) -> None:
    """A key named twice in one get brings its item, and leaves the stream in step."""
    key = server.key()
    session.put(key, b"data")

    found = session.get(key, key)

    assert {(value.key, value.data) for value in found} == {(key, b"data")}
    assert session.in_step()


@clause("memcached-retrieval-command-without-key-refused")
@pytest.mark.parametrize("line", [b"get", b"gets", b"get ", b"gat"])
def test_a_retrieval_without_a_key_is_an_error(session: Session, line: bytes) -> None:
    """A retrieval that names no key is answered with an error."""
    answer = session.ask(line)

    assert is_error(answer), f"{line!r} was answered {answer!r}"
    assert session.in_step()


@clause("memcached-retrieval-command-cas-unique-of-gets")
def test_gets_brings_the_unique_value(server: Server, session: Session) -> None:
    """`gets` brings a number of 64 bits behind the length, `get` does not."""
    key = server.key()
    session.put(key, b"data")

    [plain] = session.get(key)
    item = session.gets(key)

    assert plain.cas is None, f"get brought {plain}"
    assert item.cas is not None
    assert 0 < item.cas < 2**64
    assert (item.data, item.flags) == (b"data", 0)


@clause("memcached-retrieval-command-cas-unique-identifies")
@pytest.mark.parametrize(
    "change",
    [
        *(b"set %b 0 0 1\r\n5\r\n", b"append %b 0 0 1\r\n5\r\n", b"prepend %b 0 0 1\r\n5\r\n"),
        *(b"replace %b 0 0 1\r\n5\r\n", b"incr %b 1\r\n", b"decr %b 1\r\n"),
    ],
    ids=["set", "append", "prepend", "replace", "incr", "decr"],
)
def test_each_change_gives_another_unique_value(server: Server, session: Session, change: bytes) -> None:
    """Reading keeps the unique value, each change replaces it; an equal item elsewhere has another."""
    key, other = server.key(), server.key()
    session.put(key, b"5")
    session.put(other, b"5")
    token = session.token(key)

    assert session.token(key) == token, "reading has changed the unique value"
    session.send(change.replace(b"%b", key))
    session.line()

    after = session.token(key)
    assert after != token, "the change has not changed the unique value"
    assert session.token(other) not in (token, after), "two items have one unique value"


@clause("memcached-deletion-deletes")
def test_delete_removes(server: Server, session: Session) -> None:
    """`delete` answers DELETED; the item is gone for all, and can be added again."""
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(b"delete " + key)

    assert answer == b"DELETED"
    assert session.data(key) is None
    assert server.connect().data(key) is None
    assert session.store(key, b"new", command=b"add") == b"STORED"


@clause("memcached-deletion-not-found")
def test_delete_of_nothing_is_not_found(server: Server, session: Session) -> None:
    """`delete` of a key that never was, or was deleted already, answers NOT_FOUND."""
    key = server.key()
    never = session.ask(b"delete " + key)
    session.put(key, b"data")

    answers = [session.ask(b"delete " + key) for _ in range(2)]

    assert (never, answers) == (b"NOT_FOUND", [b"DELETED", b"NOT_FOUND"])

"""Servers: set, add, replace, append, prepend and cas (section Storage commands)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")


@clause("memcached-storage-commands-set-stores", "memcached-protocol-replies-end-with-crlf")
def test_set_stores_and_replaces(server: Server, session: Session) -> None:
    """`set` stores under a new key and under one that is there."""
    key = server.key()

    assert session.store(key, b"first", flags=3) == b"STORED"
    [first] = session.get(key)
    assert session.store(key, b"another", flags=4) == b"STORED"
    [second] = session.get(key)

    assert (first.key, first.flags, first.data) == (key, 3, b"first")
    assert (second.key, second.flags, second.data) == (key, 4, b"another")


@clause("memcached-storage-commands-add-when-absent")
def test_add_stores_only_what_is_not_there(server: Server, session: Session) -> None:
    """`add` stores once; the second time it answers NOT_STORED, and the first item stays."""
    key = server.key()

    first = session.store(key, b"first", command=b"add", flags=1)
    second = session.store(key, b"second", command=b"add", flags=2)

    assert (first, second) == (b"STORED", b"NOT_STORED")
    [item] = session.get(key)
    assert (item.flags, item.data) == (1, b"first")


@clause("memcached-storage-commands-replace-when-present")
def test_replace_stores_only_what_is_there(server: Server, session: Session) -> None:
    """`replace` answers NOT_STORED while there is no item, and stores when there is one."""
    key = server.key()

    absent = session.store(key, b"early", command=b"replace")
    missing = session.data(key)
    session.put(key, b"first", flags=1)
    present = session.store(key, b"second", command=b"replace", flags=2)

    assert (absent, missing, present) == (b"NOT_STORED", None, b"STORED")
    [item] = session.get(key)
    assert (item.flags, item.data) == (2, b"second")


@clause("memcached-storage-commands-append-and-prepend")
@pytest.mark.parametrize(
    ("command", "joined"),
    [(b"append", b"middle-added"), (b"prepend", b"-addedmiddle")],
    ids=["append", "prepend"],
)
def test_append_and_prepend_add_to_what_is_there(
    server: Server, session: Session, command: bytes, joined: bytes
) -> None:
    """`append` and prepend add to the data that there are, and answer NOT_STORED where there are none."""
    key = server.key()

    absent = session.store(key, b"-added", command=command)
    missing = session.data(key)
    session.put(key, b"middle")
    present = session.store(key, b"-added", command=command)

    assert (absent, missing, present) == (b"NOT_STORED", None, b"STORED")
    assert session.data(key) == joined


@clause("memcached-storage-commands-append-keeps-flags-and-time")
@pytest.mark.parametrize("command", [b"append", b"prepend"], ids=["append", "prepend"])
def test_append_and_prepend_ignore_flags_and_time(server: Server, session: Session, command: bytes) -> None:
    """The flags stay as set has stored them, and a time on the line, even one in the past, does not count."""
    key = server.key()
    session.put(key, b"data", flags=77)

    answer = session.store(key, b"+", command=command, flags=5, expire=-1)

    assert answer == b"STORED"
    [item] = session.get(key)
    assert (item.flags, sorted(item.data)) == (77, sorted(b"data+"))


@clause("memcached-storage-commands-cas-when-unmodified")
def test_cas_stores_while_nobody_else_has(server: Server, session: Session) -> None:
    """`cas` with the unique value of the item stores data and flags, and gives the item a new one."""
    key = server.key()
    session.put(key, b"first")
    token = session.token(key)

    answer = session.store(key, b"second", command=b"cas", flags=9, cas=token)

    assert answer == b"STORED"
    item = session.gets(key)
    assert (item.flags, item.data) == (9, b"second")
    assert item.cas != token, "the unique value is that of before the change"


@clause("memcached-storage-commands-cas-exists")
def test_cas_after_a_change_is_refused(server: Server, session: Session) -> None:
    """`cas` with a unique value of before another's change answers EXISTS, and what the other stored stays."""
    key = server.key()
    session.put(key, b"first")
    token = session.token(key)
    server.connect().put(key, b"of another")

    answer = session.store(key, b"second", command=b"cas", cas=token)

    assert answer == b"EXISTS"
    assert session.data(key) == b"of another"


@clause("memcached-storage-commands-cas-not-found")
def test_cas_without_an_item_is_not_found(server: Server, session: Session) -> None:
    """`cas` on a key that was deleted since answers NOT_FOUND, and makes no item."""
    key = server.key()
    session.put(key, b"first")
    token = session.token(key)
    deleted = session.ask(b"delete " + key)

    answer = session.store(key, b"second", command=b"cas", cas=token)

    assert (deleted, answer) == (b"DELETED", b"NOT_FOUND")
    assert session.data(key) is None


@clause("memcached-storage-commands-flags-come-back")
@pytest.mark.parametrize("flags", [0, 1, 255, 256, 65535])
def test_flags_come_back(server: Server, session: Session, flags: int) -> None:
    """Flags of up to 16 bits come back as they were stored."""
    key = server.key()

    session.put(key, b"data", flags=flags)

    [item] = session.get(key)
    assert item.flags == flags


@clause("memcached-storage-commands-flags-of-32-bits")
@pytest.mark.parametrize("flags", [65536, 2147483648, 4294967295])
def test_flags_may_have_32_bits(server: Server, session: Session, flags: int) -> None:
    """Flags of up to 32 bits come back as they were stored."""
    key = server.key()

    answer = session.store(key, b"data", flags=flags)

    assert answer == b"STORED", f"flags of 32 bits were answered {answer!r}"
    [item] = session.get(key)
    assert item.flags == flags


@clause("memcached-storage-commands-flags-beyond-32-bits-refused")
def test_flags_beyond_32_bits_are_refused(server: Server, session: Session) -> None:
    """Flags that do not fit into 32 bits are not stored as others."""
    key = server.key()

    answer = session.store(key, b"data", flags=4294967296)

    assert is_error(answer), (
        f"flags over 32 bits were answered {answer!r} and come back as {session.get(key)}"
    )


@clause("memcached-storage-commands-flags-no-number-refused")
@pytest.mark.parametrize("flags", [b"-1", b"x", b"1x", b"99999999999999999999"])
def test_flags_that_are_none_are_refused(server: Server, session: Session, flags: bytes) -> None:
    """Flags that are negative or no number are answered with an error; nothing is stored."""
    key = server.key()

    session.send(b"set %b %b 0 2\r\nab\r\n" % (key, flags))
    answer = session.line()

    assert is_error(answer), f"flags {flags!r} were answered {answer!r}"
    rest = session.stream.receive_what_comes(0.02)
    assert rest == b"" or rest.startswith(b"ERROR"), f"behind the error came {rest!r}"
    assert session.data(key) is None

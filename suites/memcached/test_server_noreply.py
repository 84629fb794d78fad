"""Servers: commands without a reply (the noreply of each section)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")

#: What each command makes of an item with the data 10; ``None`` where it is gone.
STORING = {
    "set": (b"set %b 0 0 2 noreply\r\n42\r\n", b"42"),
    "add": (b"add %b 0 0 2 noreply\r\n42\r\n", b"10"),
    "replace": (b"replace %b 0 0 2 noreply\r\n42\r\n", b"42"),
    "append": (b"append %b 0 0 2 noreply\r\n42\r\n", b"1042"),
    "prepend": (b"prepend %b 0 0 2 noreply\r\n42\r\n", b"4210"),
    "cas": (b"cas %b 0 0 2 1 noreply\r\n42\r\n", b"10"),
}


@clause("memcached-storage-commands-noreply-is-silent")
@pytest.mark.parametrize(("line", "after"), STORING.values(), ids=STORING.keys())
def test_storing_without_a_reply(server: Server, session: Session, line: bytes, after: bytes) -> None:
    """A storage command with noreply does what it does, whether it stores or not, and says nothing."""
    key = server.key()
    session.put(key, b"10")

    session.send(line.replace(b"%b", key))

    assert session.catch_up() == []
    assert session.data(key) == after


@clause("memcached-storage-commands-noreply-is-silent")
def test_cas_without_a_reply_stores(server: Server, session: Session) -> None:
    """`cas` with the item's unique value stores, and says nothing."""
    key = server.key()
    session.put(key, b"10")

    session.send(b"cas %b 0 0 2 %d noreply\r\n42\r\n" % (key, session.token(key)))

    assert session.catch_up() == []
    assert session.data(key) == b"42"


@clause("memcached-storage-commands-noreply-is-silent")
@pytest.mark.parametrize("command", [b"replace", b"append", b"cas"], ids=["replace", "append", "cas"])
def test_what_is_not_stored_is_not_told(server: Server, session: Session, command: bytes) -> None:
    """NOT_STORED and NOT_FOUND are replies too."""
    key = server.key()

    session.send(b"%b %b 0 0 2%b noreply\r\n42\r\n" % (command, key, b" 1" if command == b"cas" else b""))

    assert session.catch_up() == []
    assert session.data(key) is None


@clause("memcached-deletion-noreply-is-silent")
def test_deleting_without_a_reply(server: Server, session: Session) -> None:
    """`delete` with noreply deletes, or finds nothing, and says nothing."""
    key = server.key()
    session.put(key, b"10")

    session.send(b"delete %b noreply\r\n" % key * 2)

    assert session.catch_up() == []
    assert session.data(key) is None


@clause("memcached-increment-decrement-noreply-is-silent")
@pytest.mark.parametrize(("command", "after"), [(b"incr", b"17"), (b"decr", b"3")], ids=["incr", "decr"])
def test_counting_without_a_reply(server: Server, session: Session, command: bytes, after: bytes) -> None:
    """`incr` and `decr` with noreply count, or find nothing, and say nothing."""
    key, missing = server.key(), server.key()
    session.put(key, b"10")

    session.send(b"%b %b 7 noreply\r\n%b %b 7 noreply\r\n" % (command, key, command, missing))

    assert session.catch_up() == []
    assert (session.data(key) or b"").rstrip(b" ") == after
    assert session.data(missing) is None


@clause("memcached-touch-noreply-is-silent")
def test_touching_without_a_reply(server: Server, session: Session) -> None:
    """`touch` with noreply gives the time, or finds nothing, and says nothing."""
    key = server.key()
    session.put(key, b"10")

    session.send(b"touch %b -1 noreply\r\ntouch %b 100 noreply\r\n" % (key, key))

    assert session.catch_up() == []
    assert session.data(key) is None


@needs("verbosity")
@clause("memcached-other-commands-verbosity-noreply")
def test_verbosity_without_a_reply(session: Session) -> None:
    """`verbosity` with noreply says nothing."""
    session.send(b"verbosity 0 noreply\r\n")

    assert session.catch_up() == []


@clause("memcached-storage-commands-noreply-errors-leave-in-step")
@pytest.mark.parametrize(
    "line",
    [
        *(
            b"set %b 0 0 2 noreply\r\n1234\r\n",
            b"set %b 0 0 x noreply\r\n",
            b"set %b x 0 2 noreply\r\n42\r\n",
        ),
        *(
            b"incr %b x noreply\r\n",
            b"incr %b noreply\r\n",
            b"touch %b x noreply\r\n",
            b"delete %b 5 noreply\r\n",
        ),
        *(b"set " + b"k" * 251 + b" 0 0 2 noreply\r\n42\r\n", b"delete " + b"k" * 251 + b" noreply\r\n"),
        *(b"flush_all x noreply\r\n", b"get %b noreply\r\n"),
    ],
    ids=lambda line: line[:20].decode().replace("\r\n", " ").replace("%b", "k").strip(),
)
def test_errors_without_a_reply(server: Server, session: Session, line: bytes) -> None:
    """A mistake under noreply may be answered with errors, and with nothing else; what follows is understood."""
    key = server.key()
    session.put(key, b"data")

    session.send(line.replace(b"%b", key))
    said = session.catch_up()

    if line.startswith(b"get"):
        assert said == [b"VALUE %b 0 4" % key, b"data", b"END"], (
            f"noreply is a key to get; it was answered {said}"
        )
    else:
        assert all(is_error(answer) for answer in said), f"{line!r} was answered {said}"
    assert session.data(key) in (b"data", None)
    assert session.in_step()


@clause("memcached-storage-commands-noreply-is-silent", "memcached-protocol-any-segments")
def test_many_without_a_reply_then_one_with(server: Server, session: Session) -> None:
    """Two hundred commands with noreply and one without in one go: one answer, and all were carried out."""
    key = server.key()
    session.put(key, b"0")

    session.send(b"incr %b 1 noreply\r\n" % key * 200 + b"incr %b 1\r\n" % key)

    assert session.line() == b"201"
    assert session.in_step()

"""Our server's memory: who gives way, what is counted, and that no client makes it grow."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from suites.memcached.by_hand import DRIVERS, Driver, server_by_hand
from suites.memcached.session import Session

MEBIBYTE = 1 << 20
#: What a server may take more than before, beside what it is allowed to hold.
SLACK = 16 * MEBIBYTE

pytestmark = pytest.mark.parametrize("driver", DRIVERS)


def fill(session: Session, numbers: range) -> None:
    """Store items of a kilobyte, named by number."""
    session.send(b"".join(b"set %d 0 0 1000 noreply\r\n%b\r\n" % (n, b"x" * 1000) for n in numbers))
    assert session.catch_up() == []


def test_the_oldest_give_way(driver: Driver) -> None:
    """Beyond the limit those that were not fetched go in the order in which they came."""
    with server_by_hand(driver, memory_limit=MEBIBYTE, maximum_item=MEBIBYTE // 2) as server:
        session = server.connect()
        fill(session, range(2000))

        kept = [number for number in range(2000) if session.data(b"%d" % number) is not None]
        stats = session.stats()

    assert kept == list(range(2000 - len(kept), 2000))
    assert len(kept) > 500
    assert int(stats["evictions"]) == 2000 - len(kept)
    assert int(stats["bytes"]) <= MEBIBYTE
    assert int(stats["curr_items"]) == len(kept)


def test_what_is_fetched_again_is_spared(driver: Driver) -> None:
    """An item that is fetched between the others stays; one that was fetched before all of them does not for ever."""
    with server_by_hand(driver, memory_limit=MEBIBYTE, maximum_item=MEBIBYTE // 2) as server:
        session = server.connect()
        session.put(b"loved", b"data")
        session.put(b"forgotten", b"data")
        for key in (b"loved", b"forgotten"):
            session.get(key)
            session.get(key)
        for start in range(0, 3000, 300):
            fill(session, range(start, start + 300))
            assert session.data(b"loved") == b"data"

        assert session.data(b"loved") == b"data"
        assert session.data(b"forgotten") is None


@pytest.mark.parametrize(
    "changes",
    [
        b"set k 0 0 3\r\nabc\r\nset k 7 0 5\r\nabcde\r\ndelete k\r\n",
        b"set k 0 0 3\r\nabc\r\nappend k 0 0 5\r\nabcde\r\nprepend k 0 0 1\r\nx\r\ndelete k\r\n",
        b"set k 0 0 1\r\n9\r\nincr k 1\r\ndecr k 5\r\ndelete k\r\n",
        b"set k 0 0 1\r\n9\r\nget k\r\nget k\r\nget k\r\ntouch k -1\r\nget k\r\n",
        b"set k 0 0 1\r\n9\r\nset k 0 0 9000000\r\n" + bytes(9_000_000) + b"\r\n",
        b"mg k N0\r\nms k 2 MA\r\nxx\r\nma n N0\r\nma n\r\nmd k\r\nmd n\r\n",
        b"set k 0 0 1\r\n9\r\nflush_all\r\n",
    ],
    ids=["set", "append", "arithmetic", "expiry", "too-large", "meta", "flush"],
)
def test_what_is_gone_takes_no_memory(driver: Driver, changes: bytes) -> None:
    """However items came, grew and went, in the end nothing is counted."""
    with server_by_hand(driver) as server:
        session = server.connect()
        session.send(changes)
        session.catch_up()

        stats = session.stats()

    assert stats["curr_items"] == "0"
    assert stats["bytes"] == "0"


def test_nothing_is_kept_ahead_of_what_comes(driver: Driver) -> None:
    """Two hundred clients that announce 8 MB each, and send little of them, cost next to nothing."""
    with server_by_hand(driver) as server:
        before = server.resident()
        sessions = [server.connect() for _ in range(200)]
        for number, session in enumerate(sessions):
            session.send(b"set k%d 0 0 8000000\r\nabc" % number)
        assert server.connect().in_step()

        assert server.resident() - before < SLACK


def test_answers_are_made_as_they_are_taken(driver: Driver) -> None:
    """A client that asks a thousand times for a megabyte, and reads none of it, does not have it all kept for it."""
    with server_by_hand(driver) as server:
        session = server.connect()
        session.put(b"k", b"x" * MEBIBYTE)
        before = server.resident()
        with ExitStack() as greedy:
            # plain sockets: what is recorded would not fit
            one_line, pipelined = (greedy.enter_context(server.endpoint.connect(5)) for _ in range(2))
            one_line.sendall(b"get" + b" k" * 1000 + b"\r\n")
            pipelined.sendall(b"get k\r\n" * 1000)
            assert session.in_step()
            assert server.resident() - before < SLACK

            for client in (one_line, pipelined):
                left = 20 * MEBIBYTE
                while left > 0:
                    left -= len(client.recv(MEBIBYTE))
            assert session.in_step()
            assert server.resident() - before < SLACK


def test_a_line_without_end_ends_the_conversation(driver: Driver) -> None:
    """Only a get may have a long line, up to a megabyte of keys; the server says why it goes no further."""
    with server_by_hand(driver) as server:
        session = server.connect()
        session.send(b"get " + b"key " * 100_000)
        session.send(b"key\r\n")
        assert session.values() == []

        # one octet beyond the limit: the server has read them all when it closes
        session.send(b"get " + b"key " * (MEBIBYTE // 4 - 1) + b"k")

        assert session.line() == b"SERVER_ERROR out of memory reading request"
        assert session.closed_by_server()


def test_too_many_connections_are_told_so(driver: Driver) -> None:
    """One more than are allowed is refused; it gets in when another has left."""
    with server_by_hand(driver, maximum_connections=3) as server:
        sessions = [server.connect() for _ in range(3)]
        assert all(session.in_step() for session in sessions)

        refused = server.connect()
        assert refused.line() == b"ERROR Too many open connections"
        assert refused.closed_by_server()

        sessions[0].send(b"quit\r\n")
        assert sessions[0].closed_by_server()
        assert server.connect().in_step()
        assert sessions[1].stats()["rejected_connections"] == "1"


@pytest.mark.parametrize(
    ("change", "data"),
    [
        (b"set k 0 0 2\r\n77\r\n", b"77"),
        (b"replace k 0 0 2\r\n77\r\n", b"77"),
        (b"append k 0 0 1\r\n7\r\n", b"107"),
        (b"prepend k 0 0 1\r\n7\r\n", b"710"),
        (b"incr k 90\r\n", b"100"),
        (b"decr k 3\r\n", b"7 "),
        (b"ms k 2\r\n77\r\n", b"77"),
        (b"ma k\r\n", b"11"),
        (b"delete k\r\n", None),
        (b"md k\r\n", None),
        (b"touch k -1\r\n", None),
        (b"gat -1 k\r\n", None),
        (b"mg k T-1\r\n", None),
        (b"flush_all\r\n", None),
        (b"set k 0 0 9000000\r\n" + bytes(9_000_000) + b"\r\n", None),
    ],
    ids=lambda value: value.split()[0].decode() if value else "gone",
)
def test_what_is_fetched_often_changes_at_once(driver: Driver, change: bytes, data: bytes | None) -> None:
    """An answer that is kept ready never outlives what it was made from."""
    with server_by_hand(driver) as server:
        session, other = server.connect(), server.connect()
        session.put(b"k", b"10")
        for _ in range(4):
            assert session.data(b"k") == b"10"

        other.send(change)
        other.catch_up()

        assert [session.data(b"k") for _ in range(3)] == [data] * 3

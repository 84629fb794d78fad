"""Servers: expiration times, touch and gat (sections Expiration times, Touch, Get And Touch).

What is far ahead or long past needs no waiting; where seconds have to pass, they are few and waited for in turns.
"""

from __future__ import annotations

import time

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server
from suites.waiting import wait_until

pytestmark = role("server")

THIRTY_DAYS = 60 * 60 * 24 * 30
#: Seconds that server and driver may disagree by, a second's boundary on either side included.
SLACK = 3


def ttl(session: Session, key: bytes) -> int | None:
    """The seconds that the server says an item has left (-1 for ever), or ``None`` where there is no item."""
    reply = session.meta(b"mg %b t" % key)
    token = reply.token("t")
    return int(token) if token is not None else None


def gone_within(session: Session, key: bytes, seconds: float) -> bool:
    """Whether the item goes within so many seconds."""
    return wait_until(lambda: session.data(key) is None, seconds)


@clause("memcached-expiration-times-relative-to-30-days")
@pytest.mark.parametrize("seconds", [100, THIRTY_DAYS - 1, THIRTY_DAYS])
@pytest.mark.parametrize("command", [b"set", b"add", b"touch", b"gat"], ids=["set", "add", "touch", "gat"])
def test_up_to_30_days_are_counted_from_now(
    server: Server, session: Session, command: bytes, seconds: int
) -> None:
    """An item with up to 30 days to live is there."""
    key = server.key()
    expire_by(session, command, key, seconds)

    assert session.data(key) == b"data"


@needs("meta")
@clause("memcached-expiration-times-relative-to-30-days", "memcached-meta-get-ttl")
@pytest.mark.parametrize("seconds", [100, THIRTY_DAYS])
def test_the_time_left_is_the_time_given(server: Server, session: Session, seconds: int) -> None:
    """The time that is left is the one that was given, give or take what has passed."""
    key = server.key()
    session.put(key, b"data", expire=seconds)

    left = ttl(session, key)

    assert left is not None
    assert seconds - SLACK <= left <= seconds


@clause("memcached-expiration-times-larger-is-absolute", "memcached-storage-commands-expired-never-retrieved")
@pytest.mark.parametrize("command", [b"set", b"touch", b"gat"], ids=["set", "touch", "gat"])
@pytest.mark.parametrize("moment", [THIRTY_DAYS + 1, 946684800], ids=["30-days-and-1", "year-2000"])
def test_a_time_in_the_past_has_come(server: Server, session: Session, command: bytes, moment: int) -> None:
    """A number above 30 days is a Unix time; one that has passed makes an item that has expired."""
    key = server.key()
    expire_by(session, command, key, moment)

    assert session.data(key) is None


@clause("memcached-expiration-times-larger-is-absolute")
@pytest.mark.parametrize("command", [b"set", b"touch", b"gat"], ids=["set", "touch", "gat"])
def test_a_time_ahead_has_not_come(server: Server, session: Session, command: bytes) -> None:
    """A Unix time ahead leaves the item until then."""
    key = server.key()
    expire_by(session, command, key, int(time.time()) + 1000)

    assert session.data(key) == b"data"


@needs("meta")
@clause("memcached-expiration-times-larger-is-absolute")
def test_the_time_left_until_a_unix_time(server: Server, session: Session) -> None:
    """Of a Unix time a year ahead, a year is left."""
    key = server.key()
    year = 365 * 24 * 60 * 60
    session.put(key, b"data", expire=int(time.time()) + year)

    left = ttl(session, key)

    assert left is not None
    assert year - SLACK <= left <= year + SLACK


@clause("memcached-storage-commands-negative-expires-at-once", "memcached-touch-times-as-in-set")
@pytest.mark.parametrize("command", [b"set", b"add", b"touch", b"gat"], ids=["set", "add", "touch", "gat"])
@pytest.mark.parametrize("seconds", [-1, -1000, -2147483648])
def test_a_negative_time_expires_at_once(
    server: Server, session: Session, command: bytes, seconds: int
) -> None:
    """A negative time makes an item that is not there."""
    key = server.key()
    expire_by(session, command, key, seconds)

    assert session.data(key) is None


def expire_by(session: Session, command: bytes, key: bytes, seconds: int) -> None:
    """Give an item with the data ``data`` its expiration time by this command."""
    if command in {b"set", b"add"}:
        answer = session.store(key, b"data", command=command, expire=seconds)
        assert answer == b"STORED", f"{command!r} was answered {answer!r}"
        return
    session.put(key, b"data")
    if command == b"touch":
        answer = session.ask(b"touch %b %d" % (key, seconds))
        assert answer == b"TOUCHED", f"touch was answered {answer!r}"
        return
    session.send(b"gat %d %b\r\n" % (seconds, key))
    assert [value.data for value in session.values()] == [b"data"]


@clause("memcached-storage-commands-expired-never-retrieved")
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"get %b", b"END"),
        (b"gets %b", b"END"),
        (b"gat 0 %b", b"END"),
        (b"delete %b", b"NOT_FOUND"),
        (b"incr %b 1", b"NOT_FOUND"),
        (b"decr %b 1", b"NOT_FOUND"),
        (b"touch %b 0", b"NOT_FOUND"),
        (b"replace %b 0 0 1\r\n1", b"NOT_STORED"),
        (b"append %b 0 0 1\r\n1", b"NOT_STORED"),
        (b"cas %b 0 0 1 1\r\n1", b"NOT_FOUND"),
        (b"add %b 0 0 1\r\n1", b"STORED"),
    ],
    ids=lambda value: value.split()[0].decode() if b"%b" in value else "",
)
def test_an_expired_item_is_none(server: Server, session: Session, line: bytes, answer: bytes) -> None:
    """To every command an item that has expired is one that is not there."""
    key = server.key()
    session.put(key, b"10", expire=-1)

    assert session.ask(line.replace(b"%b", key)) == answer


# seconds have to pass, however the stream is cut
@cuts("whole")
@clause("memcached-storage-commands-expired-never-retrieved", "memcached-storage-commands-zero-never-expires")
def test_an_item_expires_when_its_time_comes(server: Server, session: Session) -> None:
    """An item with a second to live goes; so does one that touch gave a second; one with none to live stays."""
    short, touched, kept, prolonged = (server.key(str(number)) for number in range(4))
    session.put(short, b"data", expire=1)
    session.put(touched, b"data")
    session.ask(b"touch %b 1" % touched)
    session.put(kept, b"data", expire=0)
    session.put(prolonged, b"data", expire=1)
    session.ask(b"touch %b 100" % prolonged)

    assert gone_within(session, short, 4), "an item with a second to live is still there after four"
    assert gone_within(session, touched, 2), "an item that touch gave a second is still there after four"
    assert session.data(kept) == b"data"
    # a time of 1 may have come before touch did, at a second's boundary
    assert session.data(prolonged) in (b"data", None)


@clause("memcached-touch-replaces-the-time")
def test_touch_keeps_the_item(server: Server, session: Session) -> None:
    """`touch` answers TOUCHED; data and flags stay as they are."""
    key = server.key()
    session.put(key, b"data", flags=5, expire=100)

    answer = session.ask(b"touch %b 0" % key)

    assert answer == b"TOUCHED"
    [item] = session.get(key)
    assert (item.flags, item.data) == (5, b"data")


@needs("meta")
@clause("memcached-touch-replaces-the-time", "memcached-get-and-touch-brings-and-touches")
@pytest.mark.parametrize("command", [b"touch", b"gat", b"gats"], ids=["touch", "gat", "gats"])
def test_the_time_is_replaced(server: Server, session: Session, command: bytes) -> None:
    """What counts after touch, gat and gats is the time that they gave, longer or shorter than before."""
    key = server.key()
    session.put(key, b"data", expire=500)

    left = []
    for seconds in (1000, 50, 0):
        session.send(
            b"touch %b %d\r\n" % (key, seconds)
            if command == b"touch"
            else b"%b %d %b\r\n" % (command, seconds, key)
        )
        session.catch_up()
        left.append(ttl(session, key))

    assert left[0] in range(1000 - SLACK, 1001), f"the times left are {left}"
    assert left[1] in range(50 - SLACK, 51), f"the times left are {left}"
    assert left[2] == -1, f"the times left are {left}"


@clause("memcached-touch-not-found")
def test_touch_of_nothing_is_not_found(server: Server, session: Session) -> None:
    """`touch` of a key without an item answers NOT_FOUND, and makes none."""
    key = server.key()

    answer = session.ask(b"touch %b 100" % key)

    assert answer == b"NOT_FOUND"
    assert session.data(key) is None


@clause(
    "memcached-get-and-touch-brings-and-touches",
    "memcached-get-and-touch-cas-unique-of-gats",
    "memcached-get-and-touch-end-follows",
)
@pytest.mark.parametrize("command", [b"gat", b"gats"], ids=["gat", "gats"])
def test_gat_brings_what_there_is(server: Server, session: Session, command: bytes) -> None:
    """`gat` and `gats` bring each item that there is, `gats` with its unique value; END follows."""
    one, missing, two = server.key("1"), server.key("x"), server.key("2")
    session.put(one, b"first", flags=1)
    session.put(two, b"second", flags=2)
    tokens = [session.token(one), session.token(two)]

    session.send(b"%b 100 %b %b %b\r\n" % (command, one, missing, two))
    found = session.values()

    assert [(value.key, value.flags, value.data) for value in found] == [
        (one, 1, b"first"),
        (two, 2, b"second"),
    ]
    assert [value.cas for value in found] == (tokens if command == b"gats" else [None, None])
    assert session.in_step()


@clause("memcached-touch-times-as-in-set")
@pytest.mark.parametrize("line", [b"touch %b x", b"touch %b 1x", b"gat x %b"])
def test_a_time_that_is_none_is_refused(server: Server, session: Session, line: bytes) -> None:
    """A time that is no number is answered with an error, and the item stays."""
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(line.replace(b"%b", key))

    assert is_error(answer), f"{line!r} was answered {answer!r}"
    assert session.data(key) == b"data"

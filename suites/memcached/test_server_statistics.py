"""Servers: stats (sections Statistics, General-purpose statistics, Settings statistics)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, role
from suites.memcached.hosts import MAXIMUM_ITEM, MEMORY_LIMIT
from suites.memcached.session import Session
from suites.memcached.subjects import Server

pytestmark = role("server")

#: What libraries and monitors read, with the form of its value.
NUMBERS = (
    *("pid", "uptime", "time", "pointer_size", "curr_items", "total_items", "bytes", "curr_connections"),
    *("total_connections", "cmd_get", "cmd_set", "cmd_flush", "cmd_touch", "get_hits", "get_misses"),
    *("delete_hits", "delete_misses", "incr_hits", "incr_misses", "decr_hits", "decr_misses", "cas_hits"),
    *("cas_misses", "cas_badval", "touch_hits", "touch_misses", "evictions", "bytes_read", "bytes_written"),
    *("limit_maxbytes", "threads"),
)
#: What each command counts; % stands for a key that there is, ~ for one that there is not.
COUNTED = {
    "get-hit": (b"get %", {"cmd_get": 1, "get_hits": 1}),
    "get-miss": (b"get ~", {"cmd_get": 1, "get_misses": 1}),
    "set": (b"set % 0 0 1\r\n5", {"cmd_set": 1, "total_items": 1}),
    "incr-hit": (b"incr % 1", {"incr_hits": 1}),
    "incr-miss": (b"incr ~ 1", {"incr_misses": 1}),
    "decr-hit": (b"decr % 1", {"decr_hits": 1}),
    "delete-hit": (b"delete %", {"delete_hits": 1}),
    "delete-miss": (b"delete ~", {"delete_misses": 1}),
    "touch-hit": (b"touch % 0", {"cmd_touch": 1, "touch_hits": 1}),
    "touch-miss": (b"touch ~ 0", {"cmd_touch": 1, "touch_misses": 1}),
    "cas-miss": (b"cas ~ 0 0 1 1\r\n5", {"cas_misses": 1}),
    "cas-bad": (b"cas % 0 0 1 99999999\r\n5", {"cas_badval": 1}),
    "flush": (b"flush_all 1000", {"cmd_flush": 1}),
}


@clause("memcached-statistics-general", "memcached-general-purpose-statistics-form")
def test_stats_is_lines_and_an_end(session: Session) -> None:
    """`stats` is answered by lines of STAT, name and value, and END."""
    session.send(b"stats\r\n")
    said = session.catch_up()

    assert said[-1] == b"END"
    assert all(re.fullmatch(rb"STAT [!-~]+ [ -~]*", line) for line in said[:-1]), f"stats was answered {said}"
    names = [line.split(b" ")[1] for line in said[:-1]]
    assert len(set(names)) == len(names), "a statistic stands there twice"


@clause("memcached-general-purpose-statistics-names")
def test_the_statistics_that_clients_read(server: Server, session: Session) -> None:
    """The statistics that libraries and monitors read are there and are numbers, and the version is that of version."""
    stats = session.stats()

    missing = [name for name in NUMBERS if not stats.get(name, "").isdigit()]
    assert missing == [], f"missing, or no number: {missing}"
    assert stats["version"] == session.ask(b"version").decode().removeprefix("VERSION ")
    assert {"rusage_user", "rusage_system"} <= stats.keys()
    assert int(stats["limit_maxbytes"]) == MEMORY_LIMIT
    assert server.connect().in_step()


@clause("memcached-general-purpose-statistics-counters")
@pytest.mark.parametrize(("line", "counts"), COUNTED.values(), ids=COUNTED.keys())
def test_counters_count(server: Server, line: bytes, counts: dict[str, int]) -> None:
    """Each command changes its counters by what it did."""
    session = server.connect(to=server.own())
    key, missing = server.key(), server.key()
    session.put(key, b"5")
    before = session.stats()

    session.send(line.replace(b"%", key).replace(b"~", missing) + b"\r\n")
    session.catch_up()

    after = session.stats()
    changes = {name: int(after[name]) - int(before[name]) for name in counts}
    assert changes == counts


@clause("memcached-general-purpose-statistics-counters")
def test_items_and_octets_are_counted(server: Server) -> None:
    """The number of items and of octets grows with what is stored."""
    session = server.connect(to=server.own())
    before = session.stats()
    for number in range(10):
        session.put(server.key(str(number)), b"x" * 1000)

    after = session.stats()

    assert int(after["total_items"]) - int(before["total_items"]) == 10
    # items of before that flush_all invalidated may be reclaimed meanwhile
    assert int(after["curr_items"]) >= 10
    assert int(after["bytes"]) >= 10 * 1000


@clause("memcached-general-purpose-statistics-counters")
def test_connections_are_counted(server: Server) -> None:
    """Each connection that is open is one more."""
    own = server.own()
    session = server.connect(to=own)

    others = [server.connect(to=own) for _ in range(3)]

    assert all(other.in_step() for other in others)
    # those of health checks come and go
    assert int(session.stats()["curr_connections"]) >= 4


@clause("memcached-statistics-unknown-argument")
@pytest.mark.parametrize("argument", [b"foo", b"items", b"slabs", b"sizes", b"reset"])
def test_stats_with_an_argument(server: Server, argument: bytes) -> None:
    """`stats` with an argument is answered by lines, RESET or an error, and the stream is in step."""
    session = server.connect(to=server.own())
    session.put(server.key(), b"data")

    session.send(b"stats " + argument + b"\r\n")
    said = session.catch_up()

    if argument == b"foo":
        assert len(said) == 1, f"an argument that is none was answered {said}"
        assert said[0].split(b" ")[0] in {b"ERROR", b"CLIENT_ERROR", b"END"}, f"it was answered {said}"
    elif argument == b"reset":
        assert said == [b"RESET"]
    else:
        assert said[-1] == b"END", f"stats {argument!r} was answered {said}"
        assert all(line.startswith(b"STAT ") for line in said[:-1]), f"it was answered {said}"


@clause("memcached-settings-statistics-settings")
def test_stats_settings(session: Session) -> None:
    """`stats settings` tells the limits with which the server was started."""
    settings = session.stats(b"settings")

    assert settings.get("maxbytes") == str(MEMORY_LIMIT)
    assert settings.get("item_size_max") == str(MAXIMUM_ITEM)
    assert settings.get("maxconns", "").isdigit()

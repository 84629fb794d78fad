"""Our server by an injected clock: what takes days or falls into one second, decided in no time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from suites.memcached.by_hand import DRIVERS, Driver, ServerByHand, server_by_hand

DAY = 86_400


@pytest.fixture(params=DRIVERS)
def server(request: pytest.FixtureRequest) -> Iterator[ServerByHand]:
    """A server with nothing in it."""
    driver: Driver = request.param
    with server_by_hand(driver) as running:
        yield running


@pytest.mark.parametrize("seconds", [1, 2, 59, 60, 61, 30 * DAY])
@pytest.mark.parametrize("fetches", [0, 1, 3])
def test_an_item_lives_to_its_last_second(server: ServerByHand, seconds: int, fetches: int) -> None:
    """Also one that was fetched so often that it is found without looking at its time."""
    session = server.connect()
    session.put(b"k", b"data", expire=seconds)
    for _ in range(fetches):
        assert session.data(b"k") == b"data"

    server.advance(seconds - 1)
    assert session.data(b"k") == b"data"
    server.advance(1)

    assert session.data(b"k") is None


def test_an_item_without_expiration_stays(server: ServerByHand) -> None:
    """Zero is never."""
    session = server.connect()
    session.put(b"k", b"data")
    server.advance(400 * DAY)
    assert [session.data(b"k") for _ in range(3)] == [b"data"] * 3


@pytest.mark.parametrize("command", [b"touch k 100", b"gat 100 k", b"mg k T100"])
def test_a_new_time_takes_the_place_of_the_old(server: ServerByHand, command: bytes) -> None:
    """It is counted from the command on, also for an item that is fetched all the time."""
    session = server.connect()
    session.put(b"k", b"data", expire=1000)
    for _ in range(3):
        session.data(b"k")
    server.advance(50)
    session.send(command + b"\r\n")
    session.catch_up()

    server.advance(99)
    assert session.data(b"k") == b"data"
    server.advance(1)

    assert session.data(b"k") is None


@pytest.mark.parametrize("fetches", [0, 3])
def test_a_flush_comes_after_its_delay(server: ServerByHand, fetches: int) -> None:
    """What is there by then goes; what is stored after that second stays."""
    session = server.connect()
    session.put(b"k", b"data")
    for _ in range(fetches):
        session.data(b"k")
    assert session.ask(b"flush_all 100") == b"OK"

    server.advance(98)
    assert session.data(b"k") == b"data"
    server.advance(1)
    assert session.data(b"k") is None
    session.put(b"same-second", b"data")
    assert session.data(b"same-second") is None
    server.advance(1)
    session.put(b"later", b"data")

    assert session.data(b"later") == b"data"
    server.advance(1000)
    assert session.data(b"later") == b"data"


def test_a_flush_with_a_delay_is_replaced_by_the_next(server: ServerByHand) -> None:
    """Only the latest comes."""
    session = server.connect()
    session.put(b"k", b"data")
    assert session.ask(b"flush_all 10") == b"OK"
    assert session.ask(b"flush_all 100") == b"OK"

    server.advance(50)
    assert session.data(b"k") == b"data"
    server.advance(50)

    assert session.data(b"k") is None


def test_times_of_a_meta_answer(server: ServerByHand) -> None:
    """``t`` counts down, ``l`` up since the item was stored, or fetched again."""
    session = server.connect()
    session.put(b"k", b"data", expire=1000)
    server.advance(10)

    first = session.meta(b"mg k t l h u")
    session.data(b"k")
    session.data(b"k")
    server.advance(5)
    second = session.meta(b"mg k t l h u")

    assert first.flags == ["t990", "l10", "h0"]
    assert second.flags == ["t985", "l5", "h1"]


def test_one_wins_the_right_to_renew(server: ServerByHand) -> None:
    """As soon as less time is left than R says, one alone is told."""
    session = server.connect()
    session.put(b"k", b"data", expire=100)

    assert session.meta(b"mg k R30").flags == []
    server.advance(71)

    assert session.meta(b"mg k R30").flags == ["W"]
    assert session.meta(b"mg k R30").flags == ["Z"]

"""Servers: incr and decr (section Increment/Decrement)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = role("server")

LARGEST = 2**64 - 1
#: The number that is stored is 2^63 or more, which memcached reads only as long as its memory is clean.
LARGE = needs("numbers-from-2-63")
BOTH = pytest.mark.parametrize("command", [b"incr", b"decr"], ids=["incr", "decr"])


@clause("memcached-increment-decrement-changes-in-place")
@pytest.mark.parametrize(
    ("command", "before", "delta", "after"),
    [
        (b"incr", 0, 1, 1),
        (b"incr", 9, 1, 10),
        (b"incr", 99999, 1, 100000),
        (b"incr", 5, 0, 5),
        (b"incr", 2**32 - 1, 1, 2**32),
        (b"incr", 2**63 - 1, 1, 2**63),
        (b"decr", 11, 1, 10),
        pytest.param(b"decr", 2**63, 1, 2**63 - 1, marks=LARGE),
        pytest.param(b"decr", LARGEST, LARGEST, 0, marks=LARGE),
    ],
)
def test_the_number_changes(
    server: Server, session: Session, command: bytes, before: int, delta: int, after: int
) -> None:
    """The answer is the new number, which the item has from then on; flags stay."""
    key = server.key()
    session.put(key, b"%d" % before, flags=42)

    answer = session.ask(b"%b %b %d" % (command, key, delta))

    assert answer == b"%d" % after
    [item] = session.get(key)
    assert (item.flags, item.data.rstrip(b" ")) == (42, b"%d" % after)


@clause("memcached-increment-decrement-not-found")
@BOTH
def test_a_missing_number_is_not_made(server: Server, session: Session, command: bytes) -> None:
    """A key without an item is answered NOT_FOUND, and stays without one."""
    key = server.key()

    answer = session.ask(command + b" %b 1" % key)

    assert answer == b"NOT_FOUND"
    assert session.data(key) is None


@clause("memcached-increment-decrement-decr-stops-at-0")
@pytest.mark.parametrize(("before", "delta"), [(0, 1), (5, 6), (1, LARGEST)])
def test_decr_stops_at_0(server: Server, session: Session, before: int, delta: int) -> None:
    """Less than 0 is 0."""
    key = server.key()
    session.put(key, b"%d" % before)

    assert session.ask(b"decr %b %d" % (key, delta)) == b"0"


@clause("memcached-increment-decrement-incr-wraps-at-64-bits")
@pytest.mark.parametrize(
    ("before", "delta", "after"),
    [
        pytest.param(LARGEST, 1, 0, marks=LARGE),
        pytest.param(LARGEST, LARGEST, LARGEST - 1, marks=LARGE),
        pytest.param(2**63, 2**63, 0, marks=LARGE),
        (2**63 - 1, LARGEST, 2**63 - 2),
        (2, LARGEST, 1),
        (10, LARGEST, 9),
    ],
)
def test_incr_goes_on_from_0(server: Server, session: Session, before: int, delta: int, after: int) -> None:
    """Beyond 64 bits the number goes on from 0, and the item has that number."""
    key = server.key()
    session.put(key, b"%d" % before)

    answer = session.ask(b"incr %b %d" % (key, delta))

    assert answer == b"%d" % after
    assert (session.data(key) or b"").rstrip(b" ") == b"%d" % after
    assert session.ask(b"incr %b 1" % key) == b"%d" % (after + 1)


@clause("memcached-increment-decrement-non-numbers-refused")
@BOTH
@pytest.mark.parametrize(
    "data", [b"x", b"", b"1x", b"-5", b"1.5", b"18446744073709551616", b"0x1", b"9" * 30]
)
def test_data_that_are_no_number_are_refused(
    server: Server, session: Session, command: bytes, data: bytes
) -> None:
    """Data that are no number of 64 bits are answered with an error, and stay as they are."""
    key = server.key()
    session.put(key, data)

    answer = session.ask(command + b" %b 1" % key)

    assert answer.startswith(b"CLIENT_ERROR "), f"{command!r} of {data!r} was answered {answer!r}"
    assert session.data(key) == data


@clause("memcached-increment-decrement-delta-of-64-bits")
@BOTH
@pytest.mark.parametrize("delta", [b"-1", b"x", b"1x", b"1.0", b"18446744073709551616", b"9" * 40])
def test_an_amount_that_is_none_is_refused(
    server: Server, session: Session, command: bytes, delta: bytes
) -> None:
    """An amount that is no unsigned number of 64 bits is answered with an error, and the number stays."""
    key = server.key()
    session.put(key, b"10")

    answer = session.ask(command + b" %b %b" % (key, delta))

    assert is_error(answer), f"the amount {delta!r} was answered {answer!r}"
    assert session.data(key) == b"10"


@clause("memcached-increment-decrement-shorter-number-may-be-padded")
def test_a_number_that_lost_digits(server: Server, session: Session) -> None:
    """After decr from 100 to 99 the item is 99, perhaps with spaces behind, and arithmetic goes on with 99."""
    key = server.key()
    session.put(key, b"100")

    answer = session.ask(b"decr %b 1" % key)

    assert answer == b"99"
    assert session.data(key) in (b"99", b"99 ")
    assert session.ask(b"incr %b 1" % key) == b"100"
    assert session.data(key) == b"100"


@clause("memcached-increment-decrement-changes-in-place", "memcached-protocol-any-segments")
def test_clients_count_together(server: Server) -> None:
    """Ten clients that each add 1 twenty times, all at once, have added 200."""
    key = server.key()
    sessions = [server.connect() for _ in range(10)]
    sessions[0].put(key, b"0")

    for session in sessions:
        session.send(b"incr %b 1\r\n" % key * 20)
    answers = [int(line) for session in sessions for line in session.lines(20)]

    assert sorted(answers) == list(range(1, 201))

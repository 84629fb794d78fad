"""Servers: ma (section Meta Arithmetic)."""

from __future__ import annotations

import base64

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session
from suites.memcached.subjects import Server

pytestmark = [role("server"), needs("meta")]

LARGEST = 2**64 - 1
#: The number that is stored is 2^63 or more, which memcached reads only as long as its memory is clean.
LARGE = needs("numbers-from-2-63")


@clause("memcached-meta-arithmetic-changes", "memcached-meta-arithmetic-value")
def test_ma_adds_1(server: Server, session: Session) -> None:
    """`ma` adds 1 and answers HD, with v VA and the new number."""
    key = server.key()
    session.put(key, b"10")

    silent = session.ask(b"ma " + key)
    reply = session.meta(b"ma %b v" % key)

    assert silent == b"HD"
    assert (reply.code, reply.data) == ("VA", b"12")
    assert session.data(key) == b"12"


@clause("memcached-meta-arithmetic-modes", "memcached-meta-arithmetic-delta")
@pytest.mark.parametrize(
    ("flags", "after"),
    [
        *((b"MI", b"101"), (b"M+", b"101"), (b"MD", b"99"), (b"M-", b"99"), (b"D5", b"105"), (b"D0", b"100")),
        *((b"MI D50", b"150"), (b"D100 MD", b"0"), (b"D18446744073709551515", b"18446744073709551615")),
    ],
)
def test_modes_and_deltas(server: Server, session: Session, flags: bytes, after: bytes) -> None:
    """M says in which direction the number goes, D how far."""
    key = server.key()
    session.put(key, b"100")

    assert session.meta(b"ma %b v %b" % (key, flags)).data == after


@clause("memcached-meta-arithmetic-stops-and-wraps")
@pytest.mark.parametrize(
    ("before", "flags", "after"),
    [
        (0, b"MD", 0),
        (5, b"MD D6", 0),
        (5, b"D%d" % LARGEST, 4),
        pytest.param(LARGEST, b"", 0, marks=LARGE),
        pytest.param(LARGEST, b"D2", 1, marks=LARGE),
        pytest.param(2**63, b"D%d" % 2**63, 0, marks=LARGE),
    ],
)
def test_the_ends_of_64_bits(server: Server, session: Session, before: int, flags: bytes, after: int) -> None:
    """Decrementing stops at 0; incrementing goes on from 0."""
    key = server.key()
    session.put(key, b"%d" % before)

    assert session.meta(b"ma %b v %b" % (key, flags)).data == b"%d" % after


@clause("memcached-meta-arithmetic-not-found")
@pytest.mark.parametrize("flags", [b"", b" v", b" MD", b" J5"])
def test_ma_of_nothing(server: Server, session: Session, flags: bytes) -> None:
    """Without an item, and without N, the answer is NF, and none is made."""
    key = server.key()

    assert session.ask(b"ma %b%b" % (key, flags)) == b"NF"
    assert session.data(key) is None


@clause("memcached-meta-arithmetic-autovivify", "memcached-meta-arithmetic-initial-value")
@pytest.mark.parametrize(
    ("flags", "number"),
    [(b"", b"0"), (b" J13", b"13"), pytest.param(b" J%d" % LARGEST, b"%d" % LARGEST, marks=LARGE)],
)
def test_ma_makes_the_item(server: Server, session: Session, flags: bytes, number: bytes) -> None:
    """With N the item is made, with the number of J or 0, to live so long; the next ma counts from there."""
    key = server.key()

    made = session.meta(b"ma %b N1000 v t%b" % (key, flags))
    after = session.meta(b"ma %b MD D1 v" % key)

    assert (made.code, made.data) == ("VA", number)
    assert 997 <= int(made.token("t") or "0") <= 1000
    assert after.data == b"%d" % max(int(number) - 1, 0)


@clause("memcached-meta-arithmetic-compares-cas", "memcached-meta-arithmetic-returns-cas")
def test_ma_compares_the_unique_value(server: Server, session: Session) -> None:
    """With C the number changes when the value is the item's, EX otherwise; c brings the new one."""
    key = server.key()
    session.put(key, b"10")
    token = session.token(key)

    wrong = session.ask(b"ma %b C%d" % (key, token + 1000))
    there = session.data(key)
    right = session.meta(b"ma %b C%d c v" % (key, token))

    assert (wrong, there, right.data) == (b"EX", b"10", b"11")
    assert right.token("c") == str(session.token(key)) != str(token)


@clause("memcached-meta-arithmetic-ttl")
def test_ma_sets_the_time(server: Server, session: Session) -> None:
    """T sets the time that remains, and t brings it."""
    key = server.key()
    session.put(key, b"10")

    before = session.ask(b"ma %b t" % key)
    session.meta(b"ma %b T1000" % key)
    after = int(session.meta(b"ma %b t" % key).token("t") or "0")

    assert before == b"HD t-1"
    assert 997 <= after <= 1000


@clause("memcached-meta-arithmetic-base64-key")
def test_ma_with_a_binary_key(server: Server, session: Session) -> None:
    """With b the key is base64."""
    key = server.key()
    session.put(key, b"10")

    assert session.meta(b"ma %b b v" % base64.b64encode(key)).data == b"11"


@clause("memcached-meta-arithmetic-quiet")
def test_a_quiet_ma(server: Server, session: Session) -> None:
    """With q the answer of success is not sent; EX is."""
    key = server.key()
    session.put(key, b"10")

    session.send(b"ma %b q\r\nma %b q C1\r\nmn\r\n" % (key, key))

    assert session.lines(2) == [b"EX", b"MN"]
    assert session.data(key) == b"11"


@clause("memcached-meta-arithmetic-non-numbers-refused")
@pytest.mark.parametrize("data", [b"x", b"", b"-1", b"1.5", b"18446744073709551616"])
def test_ma_of_no_number(server: Server, session: Session, data: bytes) -> None:
    """Data that are no number are answered with CLIENT_ERROR, also with q, and stay."""
    key = server.key()
    session.put(key, data)

    answers = [session.ask(b"ma %b%b" % (key, flags)) for flags in (b"", b" v", b" q")]

    assert all(answer.startswith(b"CLIENT_ERROR ") for answer in answers), f"the answers were {answers}"
    assert session.data(key) == data

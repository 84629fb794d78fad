"""Differential properties: whatever is said, a server answers octet for octet as memcached does, and as the model.

The model is the exemplar's core, which obeys every clause. What is not said, and what is not compared, is listed in ``exclusions.py``; the
last tests hold that list to its word.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from lab.judge.marks import clause, cuts, needs, role
from lab.judge.selection import Selection
from lab.judge.verdict import Unsupported
from lab.stack.engine import EngineMissing, find_engine
from lab.stack.project import Lab
from suites.memcached import exclusions
from suites.memcached.differential import OutOfStep, Player, Table, alike, machine
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store
from suites.memcached.hosts import held, single
from suites.memcached.operations import new_key
from suites.memcached.properties import in_profile
from suites.memcached.subjects import Server
from suites.waiting import wait_until

#: A search in profile ``deep`` takes minutes.
long_search = pytest.mark.timeout(3600)
STEPS = 25
#: Commands in one go, at most; about a third of them on the average.
BATCH = 60
#: Conversations of each family in profile ``quick``: together well over 20,000 commands a server.
CONVERSATIONS = 40

Agree = Callable[[str], int]


def now() -> int:
    """The Unix time."""
    return int(time.time())


def search(table: Table, family: str, profile: str) -> int:
    """Play conversations to all; how many commands were compared.

    Raises:
        AssertionError: somebody answers otherwise; the conversation is as short as may be.
        Unsupported: a server's unique values cannot be brought in step with those of the others.
    """
    try:
        run_state_machine_as_test(
            machine(table, family, BATCH),
            settings=in_profile(profile, quick=CONVERSATIONS, deep=100 * CONVERSATIONS, steps=STEPS),
        )
    except OutOfStep as error:
        raise Unsupported(str(error)) from error
    except Flaky as error:
        raise AssertionError(f"once only: {table.difference}") from error
    finally:
        table.close()
    return table.said


@pytest.fixture
def standard(
    server: Server, selection: Selection, lab: Lab, worker_number: int, request: pytest.FixtureRequest
) -> Iterator[list[Player]]:
    """The reference server, an instance that nobody else uses; nobody where it does not run, or is the server under test."""
    if server.host.kind == "reference" or selection.peers != "reference":
        yield []
        return
    request.getfixturevalue("reference_services")
    with held(lab, single(worker_number)) as [shard]:
        yield [Player("memcached", shard.endpoint())]


@pytest.fixture
def agree(server: Server, standard: list[Player], profile: str) -> Agree:
    """Holds that memcached, the server under test and the model agree on a family of commands."""

    def agreed(family: str) -> int:
        under_test = Player(server.host.name, server.own().endpoint())
        return search(Table([*standard, under_test], now), family, profile)

    return agreed


# the cut of the stream is the batches' own, so each runs once


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause(
    "memcached-protocol-data-returned-unchanged",
    "memcached-storage-commands-cas-when-unmodified",
    "memcached-storage-commands-negative-expires-at-once",
    "memcached-retrieval-command-cas-unique-identifies",
)
def test_storage_is_answered_alike(agree: Agree) -> None:
    """A property: any sequence of storage and retrieval is answered as by memcached."""
    assert agree("storage") > 0


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause(
    "memcached-increment-decrement-changes-in-place",
    "memcached-increment-decrement-incr-wraps-at-64-bits",
    "memcached-deletion-deletes",
)
def test_arithmetic_touch_and_delete_are_answered_alike(agree: Agree) -> None:
    """A property: any sequence of arithmetic, touch and delete is answered as by memcached."""
    assert agree("arithmetic") > 0


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause("memcached-meta-commands-common-syntax", "memcached-meta-commands-flags-in-order")
def test_meta_commands_are_answered_alike(agree: Agree) -> None:
    """A property: any sequence of meta commands with any flags is answered as by memcached."""
    assert agree("meta") > 0


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause("memcached-meta-commands-mixed-with-others", "memcached-other-commands-flush-all")
def test_all_commands_mixed_are_answered_alike(agree: Agree) -> None:
    """A property: any sequence of commands, flush_all among them, is answered as by memcached."""
    assert agree("mixed") > 0


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause(
    "memcached-error-strings-client-error",
    "memcached-error-strings-in-step-after-error",
    "memcached-storage-commands-wrong-length-refused",
)
def test_mistakes_are_answered_alike(agree: Agree) -> None:
    """A property: wrong lengths, numbers, keys, flags and words are answered as by memcached."""
    assert agree("mistakes") > 0


LONG_OPAQUE = b"O" + b"7" * 32
#: What a line that is refused at its opaque token has done by then; {k} is a new key.
HALF_DONE = {
    "fetched": b"set {k} 0 0 1\r\nx\r\nmg {k} k {o}\r\nmg {k} h\r\n",
    "not fetched before h": b"set {k} 0 0 1\r\nx\r\nmg {k} h {o}\r\nmg {k} h\r\n",
    "touched": b"set {k} 0 0 1\r\nx\r\nmg {k} T100000 {o}\r\nmg {k} t\r\n",
    "not touched behind": b"set {k} 0 0 1\r\nx\r\nmg {k} {o} T100000\r\nmg {k} t\r\n",
    "made": b"mg {k} {o} N100000\r\nmg {k} t\r\n",
    "made with its time": b"mg {k} N100000 {o}\r\nmg {k} t\r\n",
    "no answer of a miss": b"mg {k} q {o}\r\n",
    "not deleted": b"set {k} 0 0 1\r\nx\r\nmd {k} {o}\r\nmg {k} v\r\n",
    "counted": b"set {k} 0 0 1\r\n1\r\nmn\r\nma {k} {o}\r\nmg {k} v\r\n",
    "counted, not touched behind": b"set {k} 0 0 1\r\n1\r\nmn\r\nma {k} {o} T100000\r\nmg {k} v t\r\n",
    "a number made": b"ma {k} N100000 J7 {o}\r\nmg {k} v t\r\n",
    "not stored": b"ms {k} 1 {o}\r\nx\r\nmg {k} v\r\n",
}


@role("server")
@needs("meta")
@cuts("whole")
@pytest.mark.parametrize("octets", HALF_DONE.values(), ids=HALF_DONE)
@clause("memcached-meta-commands-common-syntax")
def test_a_refused_line_has_done_what_it_had_done(
    server: Server, standard: list[Player], octets: bytes
) -> None:
    """Flags are worked off in order: a line that is refused at one has done what those before it ask for."""
    said = octets.replace(b"{k}", new_key()).replace(b"{o}", LONG_OPAQUE)
    table = Table([*standard, Player(server.host.name, server.own().endpoint())], now)
    expected = table.session.feed(said)
    try:
        difference = table.compare([said], [expected])
    finally:
        table.close()

    assert difference is None, difference


#: Everything that is given seconds to live, and what was left alone; %d stands for the seconds.
MORTAL = (
    b"set {k}a 0 %d 1\r\nx\r\nset {k}b 0 0 1\r\nx\r\ntouch {k}b %d\r\nset {k}c 0 0 1\r\nx\r\ngat %d {k}c\r\n"
    b"ms {k}d 1 T%d\r\nx\r\nmg {k}e N%d v\r\nma {k}f N%d v\r\nset {k}g 0 0 1\r\nx\r\nset {k}h 0 100000 1\r\nx\r\n"
)
ALL = b"get {k}a {k}b {k}c {k}d {k}e {k}f {k}g {k}h\r\n"
#: Seconds to live in each profile.
LIVES = {"quick": (2,), "deep": (2, 3, 5, 10)}


@role("server")
@needs("meta", "noreply")
@cuts("whole")
@long_search
@clause(
    "memcached-storage-commands-expired-never-retrieved", "memcached-expiration-times-relative-to-30-days"
)
def test_seconds_that_pass_are_counted_alike(server: Server, standard: list[Player], profile: str) -> None:
    """What was given some seconds to live, in any of six ways, goes when they have passed; the rest stays."""
    players = [*standard, Player(server.host.name, server.own().endpoint())]
    lives = LIVES[profile]
    keys = {life: new_key() for life in lives}
    for life, key in keys.items():
        for player in players:
            player.say(MORTAL.replace(b"{k}", key).replace(b"%d", b"%d" % life))

    # a server's seconds begin at any moment: one that is told of may be over, or not yet begun
    asked = b"".join(ALL.replace(b"{k}", key) for key in keys.values())
    left = b"".join(
        b"VALUE %bg 0 1\r\nx\r\nVALUE %bh 0 1\r\nx\r\nEND\r\n" % (key, key) for key in keys.values()
    )
    wait_until(lambda: all(player.say(asked) == left for player in players), max(lives) + 2)
    said = {player.name: answer for player in players if (answer := player.say(asked)) != left}
    for player in players:
        player.close()

    assert said == {}, f"after {max(lives)} seconds and two more {said}, and not {left!r}"


# the list


@pytest.fixture
def shard(
    lab: Lab, selection: Selection, worker_number: int, request: pytest.FixtureRequest
) -> Iterator[Player]:
    """The reference server, for one test alone."""
    if selection.peers != "reference":
        pytest.skip("the run was told to do without the reference server")
    try:
        find_engine()
    except EngineMissing as error:
        pytest.skip(str(error))
    request.getfixturevalue("reference_services")
    with held(lab, single(worker_number)) as [mine]:
        player = Player("memcached", mine.endpoint())
        yield player
        player.close()


SHOWN = {entry.name: entry.shown_by for entry in exclusions.EXCLUSIONS if entry.shown_by is not None}


@pytest.mark.parametrize("octets", SHOWN.values(), ids=SHOWN)
def test_what_is_left_out_is_still_answered_otherwise(octets: bytes, shard: Player) -> None:
    """Everything that is left out still makes memcached part from the model."""
    key = new_key()
    said = octets.replace(b"{k}", key).replace(b"{b}", base64.b64encode(key))

    session = Session(Store(now))

    assert not alike(session.feed(said), shard.say(said)), "memcached and the model agree: compare it again"


def test_clocks_are_allowed_for_and_nothing_else() -> None:
    """Seconds of ``t`` and ``l`` may differ a little; other numbers, and many seconds, may not."""
    assert alike(b"HD t100 l0\r\n", b"HD t99 l1\r\n")
    assert not alike(b"HD t100\r\n", b"HD t97\r\n")
    assert not alike(b"HD t100\r\n", b"HD t-1\r\n")
    assert not alike(b"HD s1\r\n", b"HD s2\r\n")
    assert not alike(b"VALUE a 0 1 7\r\n", b"VALUE a 0 1 8\r\n")


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_model_keeps_time_by_the_clock_it_is_given(beyond: int) -> None:
    """Items expire in their second, not before; each way to give a time is tried."""
    clock = [1_700_000_000]
    session = Session(Store(lambda: clock[0]))
    session.feed(
        b"set a 0 10 1\r\nx\r\nset b 0 1700000010 1\r\nx\r\nms c 1 T10\r\nx\r\nset d 0 0 1\r\nx\r\ntouch d 10\r\n"
    )
    session.feed(b"set e 0 0 1\r\nx\r\nset f 0 2592000 1\r\nx\r\nflush_all 20\r\n")

    clock[0] += 9 + beyond
    left = session.feed(b"get a b c d e\r\n")
    clock[0] += 10
    flushed = session.feed(b"get e f\r\n")

    assert left.count(b"VALUE") == (1 if beyond else 5)
    assert flushed.count(b"VALUE") == (0 if beyond else 2)

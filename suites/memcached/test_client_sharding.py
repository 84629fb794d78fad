"""Clients that spread keys over servers (section Keys: a key identifies its data)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.exchange import FAULT_TIMEOUT
from suites.memcached.operations import delete, get, get_many, new_key, put
from suites.memcached.subjects import Client, claims

# which server a key goes to has nothing to do with how streams are cut
pytestmark = [role("client"), needs("sharding"), cuts("whole")]

COUNT = 60


@clause("memcached-keys-same-server-each-time")
def test_keys_are_found_where_they_were_put(client: Client) -> None:
    """Of sixty keys each is on one server, all four servers have some, and each is found and deleted there."""
    keys = [new_key(str(number)) for number in range(COUNT)]
    with client.on_shards(4) as (talk, shards):
        talk.run(*(put(key, b"of " + key) for key in keys))
        places = {
            key: [n for n, shard in enumerate(shards) if client.stored(key, at=shard.endpoint())]
            for key in keys
        }
        found = talk.run(*(get(key) for key in keys))
        deleted = talk.run(*(delete(key) for key in keys))
        left = [
            key for key in keys for shard in shards if client.stored(key, at=shard.endpoint()) is not None
        ]

    assert {len(where) for where in places.values()} == {1}, f"keys and their servers: {places}"
    assert {where[0] for where in places.values()} == {0, 1, 2, 3}, "a server has none of sixty keys"
    assert [result.get("value") for result in found] == [b"of " + key for key in keys]
    assert all(result.get("success") for result in deleted)
    assert left == []


@needs("get-many")
@clause("memcached-keys-same-server-each-time")
def test_many_keys_are_gathered(client: Client) -> None:
    """A get of many keys asks each server for its own, and brings them all."""
    keys = [new_key(str(number)) for number in range(COUNT)]
    with client.on_shards(4) as (talk, _):
        talk.run(*(put(key, b"of " + key) for key in keys))
        [result] = talk.run(get_many(*keys))

    found = {entry["key"]: entry["value"] for entry in result.get("items", [])}
    assert found == {key: b"of " + key for key in keys}


@clause("memcached-keys-same-server-each-time")
def test_a_second_client_finds_them(client: Client) -> None:
    """Two clients with the same list of servers look for a key in the same place."""
    keys = [new_key(str(number)) for number in range(COUNT)]
    with client.on_shards(4) as (talk, shards):
        talk.run(*(put(key, b"of " + key) for key in keys))
        addresses = [tap.endpoint for tap in talk.taps]
        again = client.run_again(addresses, *(get(key) for key in keys))
        assert len(shards) == 4

    assert [result.get("value") for result in again] == [b"of " + key for key in keys]


@clause("memcached-keys-down-server-is-told", "memcached-keys-others-served-when-one-is-down")
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_one_server_down(client: Client, how: str) -> None:
    """With one of four servers down, what is told as stored can be found; the keys of the others are found."""
    keys = [new_key(str(number)) for number in range(COUNT)]
    with client.on_shards(4, timeout=FAULT_TIMEOUT) as (talk, shards):
        talk.run(*(put(key, b"old") for key in keys))
        lost = [key for key in keys if client.stored(key, at=shards[0].endpoint())]
        others = [key for key in keys if key not in lost][:10]
        shards[0].kill() if how == "killed" else shards[0].pause()
        hit = talk.run(put(lost[0], b"new"))[0]
        served = talk.run(*(get(key) for key in others))
        told = [result.get("success") for result in talk.run(*(put(key, b"new") for key in lost[:3]))]
        found = [result.get("value") for result in talk.run(*(get(key) for key in lost[:3]))]

    assert lost, "the first server has none of sixty keys"
    for success, value in zip(told, found, strict=True):
        assert not success or value == b"new", f"told as stored: {told}; found: {found}"
    assert [result.get("value") for result in served] == [b"old"] * 10, (
        f"after {hit} the keys of the other servers were told as {claims(served)}"
    )

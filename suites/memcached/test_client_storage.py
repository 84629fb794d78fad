"""Clients: what storage commands look like, and what their answers are told as (section Storage commands)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.contract import Name
from suites.memcached.operations import get, new_key, plain, put, store
from suites.memcached.subjects import Client

pytestmark = role("client")

#: Each storage command that a client may have, with the feature by which it says so.
COMMANDS = [
    pytest.param("set", id="set"),
    *(pytest.param(name, id=name, marks=needs("add-replace")) for name in ("add", "replace")),
    *(pytest.param(name, id=name, marks=needs("append")) for name in ("append", "prepend")),
]


@clause("memcached-storage-commands-request-form", "memcached-commands-name-first")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_storage_command_has_its_words(client: Client, name: Name) -> None:
    """A storage command is sent as name, key, flags, expiration time and length, with the data behind."""
    key = new_key()

    exchange = client.run(store(name, key, b"some data", expire=1000))

    sent = exchange.one(name)
    assert len(sent.words) == 5, f"the client sent {sent.line!r}"
    assert sent.words[:2] == [name.encode(), key], f"the client sent {sent.line!r}"
    assert sent.words[2].isdigit(), f"the flags are no number: {sent.line!r}"
    # append and prepend accept no expiration time, so a client may leave it at 0
    assert sent.words[3] == b"1000" or name in {"append", "prepend"}, f"the client sent {sent.line!r}"
    assert sent.words[4] == b"9", f"the client sent {sent.line!r}"
    assert (sent.data, sent.data_ending) == (b"some data", b"\r\n"), f"behind the line came {sent}"


@clause("memcached-storage-commands-stored-is-told")
def test_stored_is_success(client: Client) -> None:
    """A value that was stored is reported as stored, and the server holds it."""
    key = new_key()

    exchange = client.run(put(key, b"value"), get(key))

    stored, found = exchange.results
    assert stored.get("success"), f"STORED was told as {stored}"
    assert client.stored(key) == b"value"
    assert found.get("value") == b"value", f"the value that was stored came back as {found}"


@needs("cas")
@clause("memcached-storage-commands-cas-value-of-gets")
def test_cas_uses_the_value_of_gets(client: Client) -> None:
    """`cas` is sent with the unique value that gets brought, and succeeds while nobody else has stored."""
    key = new_key()

    exchange = client.run(put(key, b"first"), plain("gets", key), store("cas", key, b"second"))

    token = exchange.conversations[0].replies.split(b"VALUE ")[1].split(b"\r\n")[0].split(b" ")[3]
    sent = exchange.one("cas")
    assert sent.words == [b"cas", key, sent.words[2], b"0", b"6", token], (
        f"gets brought {token!r}: {sent.line!r}"
    )
    assert exchange.result.get("success"), f"STORED was told as {exchange.result}"
    assert client.stored(key) == b"second"

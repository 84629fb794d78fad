"""Clients: what storage commands look like, and what their answers are told as (section Storage commands)."""

from __future__ import annotations

import time

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.contract import Name
from suites.memcached.operations import get, new_key, plain, put, store
from suites.memcached.responder import Manners
from suites.memcached.subjects import Client, claims

pytestmark = role("client")

#: Each storage command that a client may have, with the feature by which it says so.
COMMANDS = [
    pytest.param("set", id="set"),
    *(pytest.param(name, id=name, marks=needs("add-replace")) for name in ("add", "replace")),
    *(pytest.param(name, id=name, marks=needs("append")) for name in ("append", "prepend")),
]
THIRTY_DAYS = 60 * 60 * 24 * 30


@clause(
    "memcached-storage-commands-request-form",
    "memcached-commands-name-first",
    "memcached-protocol-lines-end-with-crlf",
    "memcached-protocol-data-block-ends-with-crlf",
)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_storage_command_has_its_words(client: Client, name: Name) -> None:
    """A storage command is sent as name, key, flags, expiration time and length, with the data behind."""
    key = new_key()

    exchange = client.run(store(name, key, b"some data", expire=1000))

    sent = exchange.one(name)
    assert len(sent.words) == 5, f"the client sent {sent.line!r}"
    assert sent.ending == b"\r\n", f"the client's line ends with {sent.ending!r}"
    assert sent.words[:2] == [name.encode(), key], f"the client sent {sent.line!r}"
    assert sent.words[2].isdigit(), f"the flags are no number: {sent.line!r}"
    # append and prepend accept no expiration time, so a client may leave it at 0
    assert sent.words[3] == b"1000" or name in {"append", "prepend"}, f"the client sent {sent.line!r}"
    assert sent.words[4] == b"9", f"the client sent {sent.line!r}"
    assert (sent.data, sent.data_ending) == (b"some data", b"\r\n"), f"behind the line came {sent}"


@clause("memcached-storage-commands-stored-is-told")
@pytest.mark.parametrize("name", COMMANDS)
def test_stored_is_success(client: Client, name: Name) -> None:
    """What was stored is reported as stored, and the server holds it."""
    key = new_key()
    if name in {"replace", "append", "prepend"}:
        client.give(key, b"old")

    exchange = client.run(store(name, key, b"new"))

    assert exchange.result.get("success") is True, f"STORED was told as {exchange.result}"
    after = {"append": b"oldnew", "prepend": b"newold"}.get(name, b"new")
    assert client.stored(key) == after


@clause("memcached-storage-commands-not-stored-is-told")
@pytest.mark.parametrize("name", COMMANDS[1:])
def test_not_stored_is_no_success(client: Client, name: Name) -> None:
    """NOT_STORED is not told as success; the client goes on, on the same connection."""
    key, legal = new_key(), new_key()
    if name == "add":
        client.give(key, b"old")

    exchange = client.run(store(name, key, b"new"), put(legal, b"data"), get(legal))

    assert not exchange.results[0].get("success"), f"NOT_STORED was told as {exchange.results[0]}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"
    assert len(exchange.conversations) == 1, "NOT_STORED broke the connection"


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


@needs("cas")
@clause("memcached-storage-commands-cas-value-of-gets")
@pytest.mark.parametrize("token", [1, 2**32, 2**63, 2**64 - 1])
def test_a_unique_value_of_64_bits_comes_back(client: Client, token: int) -> None:
    """Any unique value of 64 bits that gets brings is sent by cas as it came."""
    answer = b"VALUE key 0 4 %d\r\ndata\r\nEND\r\n" % token

    exchange = client.run_with_script(
        Manners(answers={"gets": answer}), plain("gets", b"key"), store("cas", b"key", b"new")
    )

    assert exchange.one("cas").words[5] == b"%d" % token, f"the client sent {exchange.lines}"


@needs("cas")
@clause("memcached-storage-commands-exists-is-told", "memcached-storage-commands-not-found-is-told")
@pytest.mark.parametrize("answer", [b"EXISTS\r\n", b"NOT_FOUND\r\n"], ids=["exists", "not-found"])
def test_cas_that_was_refused_is_no_success(client: Client, answer: bytes) -> None:
    """EXISTS and NOT_FOUND are not told as success; the client goes on."""
    exchange = client.run_with_script(
        Manners(answers={"cas": answer}, holds={b"key": (0, b"data")}),
        plain("gets", b"key"),
        store("cas", b"key", b"new"),
        get(b"key"),
    )

    assert not exchange.results[1].get("success"), f"{answer!r} was told as {exchange.results[1]}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@clause("memcached-expiration-times-sent-as-given")
@pytest.mark.parametrize("expire", [0, 1, THIRTY_DAYS, THIRTY_DAYS + 1, 1893456000, 2147483647])
def test_the_time_is_sent_as_given(client: Client, expire: int) -> None:
    """Seconds up to 30 days and Unix times are sent as the number that was given."""
    key = new_key()

    exchange = client.run(put(key, b"data", expire=expire))

    assert exchange.one("set").words[3] == b"%d" % expire, f"the client sent {exchange.lines}"


@clause("memcached-expiration-times-sent-as-given")
def test_a_time_in_the_past_is_sent_as_given(client: Client) -> None:
    """A Unix time that has passed is sent as it is, and the item is not there."""
    key = new_key()
    moment = int(time.time()) - 1000

    exchange = client.run(put(key, b"data", expire=moment), get(key))

    assert exchange.one("set").words[3] == b"%d" % moment, f"the client sent {exchange.lines}"
    assert exchange.result.get("value") is None


@clause("memcached-expiration-times-sent-as-given")
def test_a_negative_time_is_sent_or_refused(client: Client) -> None:
    """A negative time is sent as it is, or refused as no time; it is not sent as another."""
    key = new_key()
    client.give(key, b"old")

    exchange = client.run(put(key, b"new", expire=-1), get(key))

    sent = exchange.all("set")
    assert [command.words[3] for command in sent] in ([b"-1"], []), f"the client sent {exchange.lines}"
    if not sent:
        assert exchange.results[0]["outcome"] == "failed", f"nothing was sent, and told {exchange.results[0]}"
    assert exchange.result.get("value") == (None if sent else b"old")


@clause("memcached-storage-commands-only-valid-requests")
@pytest.mark.parametrize("expire", [2**63, 2**64, -(2**63) - 1], ids=["2-63", "2-64", "minus-2-63"])
def test_a_time_that_no_server_takes_is_not_sent(client: Client, expire: int) -> None:
    """An expiration time beyond any number that servers read is refused by the client, or comes out as the server's error."""
    key, legal = new_key(), new_key()

    exchange = client.run(put(key, b"data", expire=expire), put(legal, b"data"), get(legal))

    assert exchange.all("set")[0].key == legal, f"the client sent {exchange.lines}"


@needs("flags")
@clause("memcached-storage-commands-only-valid-requests")
@pytest.mark.parametrize("flags", [-1, 2**32, 2**64])
def test_flags_that_are_none_are_not_sent(client: Client, flags: int) -> None:
    """Flags that are negative or beyond 32 bits are refused by the client."""
    key, legal = new_key(), new_key()

    exchange = client.run(put(key, b"data", flags=flags), put(legal, b"data"), get(legal))

    assert exchange.all("set")[0].key == legal, f"the client sent {exchange.lines}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"

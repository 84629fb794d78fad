"""Clients: data blocks, their lengths and what comes back (section Protocol)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.hosts import MAXIMUM_ITEM
from suites.memcached.operations import get, get_many, new_key, put, store
from suites.memcached.responder import Manners
from suites.memcached.subjects import Client, claims

pytestmark = role("client")

TRAPS = {
    "empty": b"",
    "crlf": b"one\r\ntwo\r\n",
    "crlf-alone": b"\r\n",
    "end": b"\r\nEND\r\n",
    "item": b"\r\nEND\r\nVALUE x 0 1\r\nx\r\n",
    "error": b"SERVER_ERROR out of memory\r\n",
    "stored": b"STORED\r\n",
    "command": b"\r\ndelete x\r\n",
    "nul": b"\0" * 10,
    "every-octet": bytes(range(256)),
    "digits": b"12345",
    "like-pickle": b"\x80\x04K\x01.",
}


# where an answer is cut is told by test_client_pieces, one piece at a time
@cuts("whole")
@clause(
    "memcached-protocol-data-sent-unchanged",
    "memcached-protocol-length-ends-retrieved-data",
    "memcached-protocol-data-block-ends-with-crlf",
    "memcached-storage-commands-length-of-octets",
)
@pytest.mark.parametrize("data", TRAPS.values(), ids=TRAPS.keys())
def test_a_value_goes_and_comes_unchanged(client: Client, data: bytes) -> None:
    """Whatever octets a value has, they are sent with their length, and handed back; what follows is in step."""
    key, next_key = new_key(), new_key()

    exchange = client.run(put(key, data), get(key), put(next_key, b"next"), get(next_key))

    sent = exchange.all("set")[0]
    assert (sent.words[4], sent.data, sent.data_ending) == (b"%d" % len(data), data, b"\r\n"), (
        f"it sent {sent}"
    )
    assert exchange.results[1].get("value") == data, f"it came back as {claims(exchange.results)}"
    assert exchange.results[3].get("value") == b"next", (
        f"the client is out of step: {claims(exchange.results)}"
    )


# as above
@cuts("whole")
@needs("get-many")
@clause("memcached-protocol-length-ends-retrieved-data")
def test_many_values_come_unchanged(client: Client) -> None:
    """Values that look like the end of the answer, or like another item, stay apart from each other."""
    values = {new_key(): data for data in TRAPS.values()}
    for key, data in values.items():
        client.give(key, data)

    exchange = client.run(get_many(*values))

    found = {item["key"]: item["value"] for item in exchange.result.get("items", [])}
    assert found == values, f"they came back as {exchange.result}"


# pieces of so many octets only take their time
@cuts("whole")
@clause("memcached-protocol-data-sent-unchanged", "memcached-protocol-length-ends-retrieved-data")
@pytest.mark.parametrize("size", [4096, 100_000, 1_000_000])
def test_a_large_value(client: Client, size: int) -> None:
    """A value of up to a megabyte goes and comes unchanged."""
    key = new_key()
    data = (b"0123456789abcde\r\n" * (size // 17 + 1))[:size]

    exchange = client.run(put(key, data), get(key))

    assert exchange.one("set").data == data
    assert exchange.result.get("value") == data, f"{len(data)} octets came back as others"


# 8 MiB, which no cut makes more telling
@cuts("whole")
@clause("memcached-error-strings-allowed-for", "memcached-storage-commands-stored-is-told")
def test_a_value_beyond_the_limit(client: Client) -> None:
    """A value that the server refuses for its size is not told as stored, and the client goes on."""
    key, legal = new_key(), new_key()

    exchange = client.run(put(key, b"x" * (MAXIMUM_ITEM + 1)), put(legal, b"data"), get(legal), get(key))

    assert not exchange.results[0].get("success"), f"it was told as {exchange.results[0]}"
    assert exchange.results[2].get("value") == b"data", (
        f"the client is out of step: {claims(exchange.results)}"
    )
    assert exchange.results[3].get("value") is None


@needs("append")
@clause("memcached-storage-commands-length-of-octets")
@pytest.mark.parametrize("name", ["append", "prepend"])
def test_nothing_is_added(client: Client, name: str) -> None:
    """To append or prepend no octets is sent with the length 0."""
    key = new_key()
    client.give(key, b"data")

    exchange = client.run(store("append" if name == "append" else "prepend", key, b""), get(key))

    sent = exchange.one(name)
    assert (sent.words[4], sent.data, sent.data_ending) == (b"0", b"", b"\r\n"), f"it sent {sent}"
    assert exchange.result.get("value") == b"data"


@needs("flags")
@clause("memcached-storage-commands-flags-sent")
@pytest.mark.parametrize("flags", [0, 1, 255, 65535])
def test_flags_go_and_come(client: Client, flags: int) -> None:
    """Flags of the caller's are sent in decimal, and those of an item are handed out."""
    key, other = new_key(), new_key()
    client.give(other, b"other", flags=flags)

    exchange = client.run(put(key, b"data", flags=flags), get(key), get(other))

    assert exchange.one("set").words[2] == b"%d" % flags, f"the client sent {exchange.lines}"
    assert [result.get("flags") for result in exchange.results[1:]] == [flags, flags], f"{exchange.results}"


@needs("flags")
@clause("memcached-storage-commands-flags-sent")
@pytest.mark.parametrize("flags", [65536, 2147483648, 4294967295])
def test_flags_of_32_bits_come(client: Client, flags: int) -> None:
    """Flags of 32 bits that others have stored are handed out whole."""
    exchange = client.run_with_script(Manners(holds={b"key": (flags, b"data")}), get(b"key"))

    assert (exchange.result.get("value"), exchange.result.get("flags")) == (b"data", flags), (
        f"{exchange.result}"
    )

"""Clients: which keys reach the wire, and how (section Keys)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.contract import Name
from suites.memcached.exchange import Exchange
from suites.memcached.operations import FEATURE, get, new_key, put, sample
from suites.memcached.subjects import Client, claims

pytestmark = role("client")

LONGEST = 250
#: One operation of each way in which a client makes a command line.
OPERATIONS: tuple[Name, ...] = ("get", "set", "append", "delete", "incr", "touch", "get_many")
ANY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(FEATURE[name]) if name in FEATURE else ()) for name in OPERATIONS]
)
CONTROLS = {
    "nul": b"\0",
    "soh": b"\x01",
    "bell": b"\x07",
    "escape": b"\x1b",
    "unit-separator": b"\x1f",
    "delete": b"\x7f",
    "cr": b"\r",
    "lf": b"\n",
    "crlf": b"\r\n",
    "command": b"\r\ndelete x\r\n",
}
SPACES = {"space": b" ", "tab": b"\t", "vertical-tab": b"\x0b", "form-feed": b"\x0c"}


#: Seconds that a client waits whose command line was none, so that no answer comes; others have them for their answers.
TIMEOUT = 1.0


def never_sent(client: Client, name: Name, key: bytes, mark: bytes) -> None:
    """Ask for an operation on a key that no command line can hold; nothing of it may reach the wire."""
    legal = new_key()

    exchange = client.run(sample(name, key), put(legal, b"data"), get(legal), timeout=TIMEOUT)

    assert mark not in exchange.octets, f"the client sent {exchange.octets!r}"
    refused, _, found = exchange.results
    assert refused["outcome"] != "done" or not refused.get("success"), f"it was told as {refused}"
    assert found.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


# how the answers are cut has no part in what is not asked
@cuts("whole")
@ANY
@clause("memcached-keys-no-control-characters")
@pytest.mark.parametrize("octets", [b"\r\ndelete x\r\n", b"\0"], ids=["command", "nul"])
def test_no_operation_sends_a_key_with_control_characters(client: Client, name: Name, octets: bytes) -> None:
    """A key with a line end, a whole command or NUL in it does not reach the wire, in any operation."""
    mark = new_key()

    never_sent(client, name, mark + octets + b"x", mark)


# as above
@cuts("whole")
@clause("memcached-keys-no-control-characters")
@pytest.mark.parametrize("octets", CONTROLS.values(), ids=CONTROLS.keys())
def test_a_key_with_control_characters_is_not_sent(client: Client, octets: bytes) -> None:
    """A key with a control character in its middle does not reach the wire."""
    mark = new_key()

    never_sent(client, "set", mark + octets + b"x", mark)


# as above
@cuts("whole")
@ANY
@clause("memcached-keys-no-whitespace")
def test_no_operation_sends_a_key_with_a_space(client: Client, name: Name) -> None:
    """A key with a space in its middle does not reach the wire, in any operation."""
    mark = new_key()

    never_sent(client, name, mark + b" 0", mark)


# as above
@cuts("whole")
@clause("memcached-keys-no-whitespace")
@pytest.mark.parametrize("octets", SPACES.values(), ids=SPACES.keys())
def test_a_key_with_whitespace_is_not_sent(client: Client, octets: bytes) -> None:
    """A key with whitespace in its middle does not reach the wire."""
    mark = new_key()

    never_sent(client, "set", mark + octets + b"0", mark)


# as above
@cuts("whole")
@clause("memcached-keys-no-whitespace", "memcached-keys-no-control-characters")
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize("octets", [b" ", b"\n", b"\r\n", b"\0"], ids=["space", "lf", "crlf", "nul"])
def test_nor_is_one_that_begins_or_ends_so(client: Client, octets: bytes, place: str) -> None:
    """Whitespace or a control character at either end of a key does not reach the wire either."""
    mark = new_key()

    never_sent(client, "set", octets + mark if place == "first" else mark + octets, mark)


# as above
@cuts("whole")
@ANY
@clause("memcached-keys-longer-never-sent")
@pytest.mark.parametrize("length", [LONGEST + 1, 5000])
def test_a_key_too_long_is_not_sent(client: Client, name: Name, length: int) -> None:
    """A key of 251 octets and more does not reach the wire, in any operation."""
    mark = new_key()

    never_sent(client, name, mark.ljust(length, b"x"), mark)


# as above
@cuts("whole")
@clause("memcached-keys-longer-never-sent")
@pytest.mark.parametrize("name", ["get", "set", "delete"])
def test_length_is_that_of_octets(client: Client, name: Name) -> None:
    """A key of fewer than 250 characters whose UTF-8 has more octets does not reach the wire."""
    mark = new_key()

    never_sent(client, name, mark + "é".encode() * 120, mark)


def asked(exchange: Exchange) -> list[bytes]:
    """The keys of the retrievals; gets brings all that get does."""
    return [command.key for command in exchange.commands if command.name in {"get", "gets"}]


@clause("memcached-keys-250-sent")
@pytest.mark.parametrize("length", [1, LONGEST - 1, LONGEST])
def test_a_key_of_250_octets_is_sent(client: Client, length: int) -> None:
    """A key of up to 250 octets stores and brings back."""
    key = new_key().ljust(length, b"k")[:length]

    exchange = client.run(put(key, b"data"), get(key))

    assert exchange.one("set").key == key, f"the client sent {exchange.lines}"
    assert asked(exchange) == [key], f"the client sent {exchange.lines}"
    assert exchange.result.get("value") == b"data", f"it came back as {claims(exchange.results)}"


# as above
@cuts("whole")
@clause("memcached-keys-no-empty-key")
@pytest.mark.parametrize("name", ["get", "set", "delete"])
def test_an_empty_key_is_not_sent(client: Client, name: Name) -> None:
    """A command without its key does not reach the wire."""
    legal = new_key()

    exchange = client.run(sample(name, b""), put(legal, b"data"), get(legal), timeout=TIMEOUT)

    keys = [command.key for command in exchange.commands if command.name in {"get", "gets", "set", "delete"}]
    assert keys == [legal, legal], f"the client sent {exchange.octets!r}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@clause("memcached-keys-sent-as-given")
@pytest.mark.parametrize(
    "ending",
    [
        b"UPPER",
        b"/path?x=y&z",
        b"%20%0d%0a",
        b'"quoted"',
        b"\\r\\n",
        "Grüße".encode(),
        "キー".encode(),
        b"~!@#$^*()[]{}",
    ],
    ids=["capitals", "url", "percent", "quotes", "backslash", "latin", "japanese", "signs"],
)
def test_a_key_is_sent_as_it_is(client: Client, ending: bytes) -> None:
    """Case, signs and letters beyond ASCII are sent as the octets that were given, and the item comes back under them."""
    key = new_key() + ending

    exchange = client.run(put(key, b"data"), get(key))

    assert exchange.one("set").key == key, f"the client sent {exchange.lines}"
    assert asked(exchange) == [key], f"the client sent {exchange.lines}"
    assert client.stored(key) == b"data"
    assert exchange.result.get("value") == b"data", f"it came back as {claims(exchange.results)}"

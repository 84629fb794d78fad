"""Clients: retrieval, deletion, arithmetic, touch and the other commands, and what their answers are told as."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.contract import Name
from suites.memcached.operations import change, delete, gat, get, get_many, new_key, plain, put, touch
from suites.memcached.responder import Manners, item
from suites.memcached.subjects import Client, claims

pytestmark = role("client")

LARGEST = 2**64 - 1
BOTH = pytest.mark.parametrize("name", ["incr", "decr"])


@clause(
    "memcached-retrieval-command-request-form",
    "memcached-commands-name-first",
    "memcached-protocol-lines-end-with-crlf",
)
@pytest.mark.parametrize("name", ["get", pytest.param("gets", marks=needs("cas"))])
def test_a_retrieval_has_its_words(client: Client, name: Name) -> None:
    """`get` and `gets` are sent with their key."""
    key = new_key()

    exchange = client.run(plain(name, key))

    asked = [command for command in exchange.commands if command.name in {"get", "gets"}]
    # gets brings all that get does, and more
    assert [(command.words[1:], command.ending) for command in asked] == [([key], b"\r\n")], (
        f"{exchange.lines}"
    )
    assert name == "get" or asked[0].name == "gets", f"the client sent {exchange.lines}"


@needs("get-many")
@clause("memcached-retrieval-command-request-form", "memcached-retrieval-command-items-understood")
def test_several_keys_are_asked_for_in_one_line(client: Client) -> None:
    """Several keys of one server are asked for together, and each item comes back under its own."""
    keys = [new_key(str(number)) for number in range(10)]
    for key in keys[::2]:
        client.give(key, b"of " + key)

    exchange = client.run(get_many(*keys))

    asked = [command for command in exchange.commands if command.name in {"get", "gets"}]
    assert len(asked) == 1, f"the client sent {exchange.lines}"
    assert sorted(asked[0].words[1:]) == sorted(keys), f"the client sent {exchange.lines}"
    found = {entry["key"]: entry["value"] for entry in exchange.result.get("items", [])}
    assert found == {key: b"of " + key for key in keys[::2]}, f"they came back as {exchange.result}"


@needs("get-many")
@clause("memcached-retrieval-command-items-understood")
def test_items_in_any_order(client: Client) -> None:
    """Items that come in another order than they were asked for are handed out under their own keys."""
    answer = item(b"c", b"3", cas=1) + item(b"a", b"1", cas=2) + b"END\r\n"

    exchange = client.run_with_script(
        Manners(
            answers={
                "get": answer.replace(b" 1\r\n", b"\r\n", 1).replace(b" 2\r\n", b"\r\n", 1),
                "gets": answer,
            }
        ),
        get_many(b"a", b"b", b"c"),
    )

    found = {entry["key"]: entry["value"] for entry in exchange.result.get("items", [])}
    assert found == {b"a": b"1", b"c": b"3"}, f"they came back as {exchange.result}"


@clause("memcached-retrieval-command-missing-is-a-miss")
def test_a_miss_is_no_error(client: Client) -> None:
    """A key that the server has not is told as missing; an empty value is none."""
    missing, empty = new_key(), new_key()
    client.give(empty, b"")

    exchange = client.run(get(missing), get(empty))

    assert [result["outcome"] for result in exchange.results] == ["done", "done"], f"{exchange.results}"
    assert [result.get("value", "nothing") for result in exchange.results] == [None, b""], (
        f"{exchange.results}"
    )
    assert len(exchange.conversations) == 1, "a miss broke the connection"


@clause(
    "memcached-deletion-request-form",
    "memcached-deletion-deleted-is-told",
    "memcached-deletion-not-found-is-told",
)
def test_delete_is_sent_and_told(client: Client) -> None:
    """`delete` is sent with the key; DELETED is success, NOT_FOUND is not."""
    key = new_key()
    client.give(key, b"data")

    exchange = client.run(delete(key), delete(key))

    assert [command.words for command in exchange.all("delete")] == [[b"delete", key]] * 2, (
        f"{exchange.lines}"
    )
    assert exchange.results[0].get("success") is True, f"DELETED was told as {exchange.results[0]}"
    assert not exchange.results[1].get("success"), f"NOT_FOUND was told as {exchange.results[1]}"
    assert client.stored(key) is None


@needs("arithmetic")
@BOTH
@clause("memcached-increment-decrement-request-form", "memcached-increment-decrement-number-is-told")
@pytest.mark.parametrize("delta", [1, 7, 0])
def test_arithmetic_is_sent_and_told(client: Client, name: Name, delta: int) -> None:
    """`incr` and `decr` are sent with key and amount, and the new number is told."""
    key = new_key()
    client.give(key, b"100")

    exchange = client.run(change(name, key, delta))

    assert exchange.one(name).words == [name.encode(), key, b"%d" % delta], (
        f"the client sent {exchange.lines}"
    )
    expected = 100 + delta if name == "incr" else 100 - delta
    assert exchange.result.get("number") == expected, f"the number was told as {exchange.result}"


@needs("arithmetic")
@BOTH
@clause("memcached-increment-decrement-amount-of-64-bits")
@pytest.mark.parametrize("delta", [2**31, 2**32, 2**63 - 1, 2**63, LARGEST])
def test_an_amount_of_64_bits_is_sent(client: Client, name: Name, delta: int) -> None:
    """Amounts of up to 64 bits are sent whole, or refused by the client: never as others."""
    key = new_key()
    client.give(key, b"0")

    exchange = client.run(change(name, key, delta))

    amounts = [command.words[2] for command in exchange.all(name)]
    assert amounts in ([b"%d" % delta], []), f"the client sent {exchange.lines}"
    if not amounts:
        assert exchange.result["outcome"] == "failed", f"nothing was sent, and told {exchange.result}"


@needs("arithmetic")
@BOTH
@clause("memcached-increment-decrement-amount-of-64-bits")
@pytest.mark.parametrize("delta", [-1, 2**64, -(2**63)])
def test_what_is_no_amount_is_not_told_as_done(client: Client, name: Name, delta: int) -> None:
    """An amount that is negative or beyond 64 bits is not sent as another, and no number is told."""
    key, legal = new_key(), new_key()
    client.give(key, b"100")

    exchange = client.run(change(name, key, delta), put(legal, b"data"), get(legal))

    sent = [command.words[2] for command in exchange.all(name)]
    assert sent in ([], [b"%d" % delta]), f"the client sent {exchange.lines}"
    assert exchange.results[0].get("number") is None, f"it was told as {exchange.results[0]}"
    assert client.stored(key) == b"100"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@needs("arithmetic")
@BOTH
@clause("memcached-increment-decrement-number-is-told")
@pytest.mark.parametrize("number", [0, 2**31, 2**32, 2**63, LARGEST])
def test_a_number_of_64_bits_is_told(client: Client, name: Name, number: int) -> None:
    """A number of up to 64 bits that the server answers is told whole."""
    exchange = client.run_with_script(Manners(answers={name: b"%d\r\n" % number}), change(name, b"key", 1))

    assert exchange.result.get("number") == number, f"{number} was told as {exchange.result}"


@needs("arithmetic")
@BOTH
@clause("memcached-increment-decrement-not-found-is-told")
def test_arithmetic_of_nothing(client: Client, name: Name) -> None:
    """NOT_FOUND is told, and as no number; the client goes on."""
    key, legal = new_key(), new_key()

    exchange = client.run(change(name, key, 1), put(legal, b"data"), get(legal))

    assert exchange.results[0].get("number") is None, f"NOT_FOUND was told as {exchange.results[0]}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@needs("touch")
@clause(
    "memcached-touch-request-form",
    "memcached-touch-answer-is-told",
    "memcached-expiration-times-sent-as-given",
)
@pytest.mark.parametrize("expire", [0, 100, 2592001, 1893456000])
def test_touch_is_sent_and_told(client: Client, expire: int) -> None:
    """`touch` is sent with key and time; TOUCHED is success, NOT_FOUND is not."""
    key, missing = new_key(), new_key()
    client.give(key, b"data")

    exchange = client.run(touch(key, expire), touch(missing, expire))

    lines = [command.words for command in exchange.all("touch")]
    assert lines == [[b"touch", name, b"%d" % expire] for name in (key, missing)], f"{exchange.lines}"
    assert exchange.results[0].get("success") is True, f"TOUCHED was told as {exchange.results[0]}"
    assert not exchange.results[1].get("success"), f"NOT_FOUND was told as {exchange.results[1]}"


@needs("gat")
@clause("memcached-get-and-touch-request-form", "memcached-get-and-touch-items-understood")
def test_gat_is_sent_and_told(client: Client) -> None:
    """`gat` is sent with the time before the key; the item is handed out, and a missing one told as missing."""
    key, missing = new_key(), new_key()
    client.give(key, b"data")

    exchange = client.run(gat(key, 100), gat(missing, 100))

    asked = [command.words[1:] for command in exchange.commands if command.name in {"gat", "gats"}]
    assert asked == [[b"100", key], [b"100", missing]], f"the client sent {exchange.lines}"
    assert [result.get("value", "nothing") for result in exchange.results] == [b"data", None], (
        f"{exchange.results}"
    )


@needs("version")
@clause("memcached-other-commands-version-told")
def test_the_version_is_told(client: Client) -> None:
    """`version` is sent, and what follows VERSION is handed out."""
    exchange = client.run_with_script(
        Manners(answers={"version": b"VERSION 1.6.18-lab\r\n"}), plain("version")
    )

    assert exchange.one("version").line == b"version"
    assert exchange.result.get("version") == "1.6.18-lab", f"it was told as {exchange.result}"


# where an answer is cut is told by test_client_pieces, one piece at a time
@cuts("whole")
@needs("stats")
@clause("memcached-statistics-understood")
def test_statistics_are_told(client: Client) -> None:
    """What `stats` brings is handed out by name."""
    answer = b"STAT pid 42\r\nSTAT version 1.6.18\r\nSTAT curr_items 7\r\nEND\r\n"

    exchange = client.run_with_script(
        Manners(answers={"stats": answer}, holds={b"key": (0, b"data")}), plain("stats"), get(b"key")
    )

    stats = exchange.results[0].get("stats", {})
    told = {name: stats.get(name, "").strip() for name in ("pid", "version", "curr_items")}
    assert told == {"pid": "42", "version": "1.6.18", "curr_items": "7"}, f"{stats}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@needs("flush")
@clause("memcached-other-commands-flush-all-sent")
def test_flush_all_is_sent(client: Client) -> None:
    """`flush_all` is sent, and OK told as success; the client goes on."""
    exchange = client.run_with_script(Manners(holds={b"key": (0, b"data")}), plain("flush_all"), get(b"key"))

    sent = exchange.one("flush_all")
    assert sent.words in ([b"flush_all"], [b"flush_all", b"0"]), f"the client sent {exchange.lines}"
    assert exchange.results[0]["outcome"] == "done", f"OK was told as {exchange.results[0]}"
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@needs("flush", "flush-delay")
@clause("memcached-other-commands-flush-all-sent")
def test_flush_all_with_a_delay_is_sent(client: Client) -> None:
    """A delay is sent as the number that was given."""
    exchange = client.run_with_script(Manners(), {"name": "flush_all", "expire": 10})

    assert exchange.one("flush_all").words == [b"flush_all", b"10"], f"the client sent {exchange.lines}"


@clause("memcached-protocol-connections-kept")
def test_the_connection_is_kept(client: Client) -> None:
    """Twenty commands go over one connection."""
    keys = [new_key(str(number)) for number in range(10)]

    exchange = client.run(*(put(key, b"data") for key in keys), *(get(key) for key in keys))

    used = [conversation for conversation in exchange.conversations if conversation.commands]
    assert len(used) == 1, f"{len(used)} connections for twenty commands"


@clause("memcached-protocol-length-ends-retrieved-data", "memcached-retrieval-command-items-understood")
@pytest.mark.parametrize("size", [0, 1, 100, 5000])
def test_answers_cut_anywhere(client: Client, size: int) -> None:
    """However the answers are cut, each belongs to its command."""
    key = new_key()
    data = b"line\r\n" * (size // 6) + b"x" * (size % 6)

    exchange = client.run(put(key, data), get(key), delete(key), get(key), put(key, b"last"), get(key))

    assert claims(exchange.results) == [True, data, True, None, True, b"last"]

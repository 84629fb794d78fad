"""Clients: servers that leave, fall silent, answer late or by halves (sections Storage commands and Retrieval command)."""

from __future__ import annotations

import re
import time

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answer, close, reset, say_and_be_silent, say_and_close, say_late, silence
from suites.memcached.contract import Name
from suites.memcached.exchange import FAULT_TIMEOUT, SHORT_TIMEOUT
from suites.memcached.operations import change, get, get_many, new_key, put, sample
from suites.memcached.responder import Manners, item
from suites.memcached.subjects import Client, claims
from suites.waiting import wait_until

# the moment is the script's, or a container's; how a stream is cut has no part in it
pytestmark = [role("client"), cuts("whole")]

SUCCESS = ("success", "number", "value")
RETRIEVALS = ("get", "gets")
WHOLE = item(b"key", b"0123456789") + b"END\r\n"
#: Answers to a get that stop before they are whole.
CUT_SHORT = {
    "in-the-line": WHOLE[:10],
    "behind-the-line": b"VALUE key 0 10\r\n",
    "in-the-data": b"VALUE key 0 10\r\n01234",
    "behind-the-data": b"VALUE key 0 10\r\n0123456789",
}
#: Answers to a get that are none.
BROKEN = {
    "other-command": b"STORED\r\n",
    "no-length": b"VALUE key 0\r\n0123456789\r\nEND\r\n",
    "length-no-number": b"VALUE key 0 x\r\n0123456789\r\nEND\r\n",
    "negative-length": b"VALUE key 0 -1\r\n0123456789\r\nEND\r\n",
    "garbage": b"hello\r\n",
    "empty-line": b"\r\n",
}


def with_cas(octets: bytes) -> bytes:
    """The answer as gets has it: with a unique value in each line."""
    return re.sub(rb"(VALUE \S+ \S+ \S+)\r\n", rb"\1 7\r\n", octets)


@clause("memcached-storage-commands-no-reply-is-no-success")
@pytest.mark.parametrize("leave", [close, reset], ids=["close", "reset"])
@pytest.mark.parametrize("name", ["set", "delete", pytest.param("incr", marks=needs("arithmetic")), "get"])
def test_a_connection_that_ends_is_no_success(client: Client, name: Name, leave: Answer) -> None:
    """When the server leaves instead of answering, always, nothing is told as done."""
    answers = dict.fromkeys(RETRIEVALS if name == "get" else (name,), leave)

    exchange = client.run_with_script(Manners(answers=answers), sample(name, b"key"), timeout=SHORT_TIMEOUT)

    assert not any(exchange.result.get(field) for field in SUCCESS), f"it was told as {exchange.result}"


@clause("memcached-storage-commands-no-reply-is-no-success")
@pytest.mark.parametrize("name", ["set", "delete", pytest.param("incr", marks=needs("arithmetic")), "get"])
def test_silence_is_no_success(client: Client, name: Name) -> None:
    """When no answer comes, the client gives up within its own timeout, and tells nothing as done."""
    answers = dict.fromkeys(RETRIEVALS if name == "get" else (name,), silence)
    began = time.monotonic()

    exchange = client.run_with_script(Manners(answers=answers), sample(name, b"key"), timeout=SHORT_TIMEOUT)

    assert not any(exchange.result.get(field) for field in SUCCESS), f"it was told as {exchange.result}"
    waited = time.monotonic() - began
    # twice the timeout for a client that tries again, and as much for a machine that is busy
    assert waited < 4 * SHORT_TIMEOUT + 2, f"it waited {waited:.1f} s with a timeout of {SHORT_TIMEOUT} s"


@clause("memcached-retrieval-command-cut-answer-is-no-value")
@pytest.mark.parametrize("octets", CUT_SHORT.values(), ids=CUT_SHORT.keys())
@pytest.mark.parametrize("end", [say_and_close, say_and_be_silent], ids=["close", "silence"])
def test_an_answer_by_halves_is_no_value(client: Client, octets: bytes, end: object) -> None:
    """A get whose answer stops before it is whole brings no value, neither a part nor the whole of another."""
    ending = say_and_close if end is say_and_close else say_and_be_silent

    exchange = client.run_with_script(
        Manners(answers={"get": ending(octets), "gets": ending(with_cas(octets))}),
        get(b"key"),
        timeout=SHORT_TIMEOUT,
    )

    assert exchange.result.get("value") is None, f"half an answer was told as {exchange.result}"


@needs("get-many")
@clause("memcached-retrieval-command-cut-answer-is-no-value")
@pytest.mark.parametrize("octets", CUT_SHORT.values(), ids=CUT_SHORT.keys())
def test_of_many_only_what_is_whole(client: Client, octets: bytes) -> None:
    """Of an answer with several items that stops, no part of an item is handed out."""
    answer = item(b"first", b"whole") + octets

    exchange = client.run_with_script(
        Manners(answers={"get": say_and_close(answer), "gets": say_and_close(with_cas(answer))}),
        get_many(b"first", b"key"),
        timeout=FAULT_TIMEOUT,
    )

    found = {entry["key"]: entry["value"] for entry in exchange.result.get("items", [])}
    assert found.get(b"key", b"0123456789") == b"0123456789", f"half an item was told: {found}"
    assert found.get(b"first", b"whole") == b"whole", f"another item was told: {found}"


@clause(
    "memcached-retrieval-command-cut-answer-is-no-value", "memcached-storage-commands-garbage-is-no-success"
)
@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_without_form_is_no_value(client: Client, octets: bytes) -> None:
    """A get that is answered by what is no item and no END brings no value."""
    exchange = client.run_with_script(
        Manners(answers={"get": octets, "gets": with_cas(octets)}), get(b"key"), timeout=FAULT_TIMEOUT
    )

    assert exchange.result.get("value") is None, f"{octets!r} was told as {exchange.result}"


@clause("memcached-retrieval-command-foreign-item-not-taken")
def test_an_item_nobody_asked_for(client: Client) -> None:
    """An item under another key is not handed out as the one that was asked for."""
    answer = {
        "get": item(b"other", b"foreign") + b"END\r\n",
        "gets": item(b"other", b"foreign", cas=7) + b"END\r\n",
    }

    exchange = client.run_with_script(Manners(answers=answer), get(b"key"), timeout=SHORT_TIMEOUT)

    assert exchange.result.get("value") is None, f"the item of another key was told as {exchange.result}"


@clause(
    "memcached-retrieval-command-cut-answer-is-no-value", "memcached-storage-commands-no-reply-is-no-success"
)
@pytest.mark.parametrize("name", ["get", pytest.param("incr", marks=needs("arithmetic"))])
def test_a_late_answer_is_not_that_of_the_next_command(client: Client, name: str) -> None:
    """An answer that comes after its command was given up is not taken for the answer to the next one."""
    if name == "get":
        late: list[Answer | None] = [say_late(item(b"key", b"late") + b"END\r\n", 2 * SHORT_TIMEOUT), None]
        late_with_cas: list[Answer | None] = [
            say_late(item(b"key", b"late", cas=7) + b"END\r\n", 2 * SHORT_TIMEOUT),
            None,
        ]
        manners = Manners(answers={"get": late, "gets": late_with_cas}, holds={b"next": (0, b"right")})
        operations = [get(b"key"), get(b"next"), get(b"next"), get(b"next")]
        right: set[object] = {b"right", None}
    else:
        manners = Manners(answers={"incr": [say_late(b"111\r\n", 2 * SHORT_TIMEOUT), b"222\r\n"]})
        operations = [change("incr", b"key", 1), *(change("incr", b"next", 1) for _ in range(3))]
        right = {222, None}

    exchange = client.run_with_script(manners, *operations, timeout=SHORT_TIMEOUT)

    told = [result.get("value", result.get("number")) for result in exchange.results[1:]]
    assert set(told) <= right, f"after a command that was given up, the next ones were told {told}"
    causes = [result.get("cause", result.get("text", "")) for result in exchange.results[1:]]
    assert not any("late" in cause or "111" in cause for cause in causes), (
        f"the next ones failed of it: {causes}"
    )


@clause("memcached-error-strings-close-after-error-allowed-for")
@pytest.mark.parametrize("leave", [close, reset], ids=["close", "reset"])
def test_after_a_lost_connection_commands_work(client: Client, leave: Answer) -> None:
    """A connection that was lost is replaced: after one more failure at most, commands work again."""
    once: list[Answer | None] = [leave, None]

    exchange = client.run_with_script(
        Manners(answers=dict.fromkeys(RETRIEVALS, once), holds={b"key": (0, b"data")}),
        get(b"key"),
        get(b"key"),
        get(b"key"),
        timeout=SHORT_TIMEOUT,
    )

    assert exchange.result.get("value") == b"data", f"no new connection: {claims(exchange.results)}"


@clause("memcached-storage-commands-no-reply-is-no-success")
def test_a_server_killed_between_commands(client: Client) -> None:
    """A server that is killed is told of; nothing is told as stored or found while it is gone."""
    key = new_key()
    with client.on_shards(1, timeout=FAULT_TIMEOUT) as (talk, [shard]):
        before = talk.run(put(key, b"data"), get(key))
        shard.kill()
        # whether the client finds the end of the stream or loses a command to it would be chance
        connections = talk.taps[0].transcripts
        told = wait_until(
            lambda: all(one.saw("server", "eof") or one.saw("server", "reset") for one in connections)
        )
        after = talk.run(put(key, b"more"), get(key))
        shard.start()

    assert claims(before) == [True, b"data"], f"before it was killed: {before}"
    assert told, "the end of its connections has not come"
    assert not after[0].get("success"), f"stored on a server that is gone: {after}"
    assert after[1].get("value") is None, f"found on a server that is gone: {after}"


@clause("memcached-storage-commands-no-reply-is-no-success")
def test_a_server_frozen_amid_commands(client: Client) -> None:
    """A server that is frozen is given up within the timeout; nothing is told as stored."""
    key = new_key()
    with client.on_shards(1, timeout=FAULT_TIMEOUT) as (talk, [shard]):
        before = talk.run(put(key, b"data"))
        shard.pause()
        began = time.monotonic()
        [frozen] = talk.run(put(key, b"more"))
        waited = time.monotonic() - began
        shard.resume()

    assert before[0].get("success"), f"before it was frozen: {before}"
    assert not frozen.get("success"), f"told as stored by a server that is frozen: {frozen}"
    assert waited < 2 * FAULT_TIMEOUT + 2, f"it waited {waited:.1f} s with a timeout of {FAULT_TIMEOUT} s"


@clause("memcached-error-strings-close-after-error-allowed-for")
def test_a_server_started_again(client: Client) -> None:
    """When the server is there again, commands work again within a few tries."""
    key = new_key()
    with client.on_shards(1, timeout=FAULT_TIMEOUT) as (talk, [shard]):
        talk.run(put(key, b"before"))
        shard.kill()
        shard.start()
        talk.taps[0].peer = shard.endpoint()
        tries = [talk.run(put(key, b"after"))[0].get("success") for _ in range(4)]
        found = talk.run(get(key))[0].get("value")

    assert tries[-1], f"after the start the tries were told as {tries}"
    assert found == b"after"

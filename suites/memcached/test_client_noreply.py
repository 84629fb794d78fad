"""Clients: commands without a reply (the noreply of each section)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.contract import Name, Operation
from suites.memcached.operations import FEATURE, change, delete, get, new_key, put, store, touch
from suites.memcached.responder import Manners
from suites.memcached.subjects import Client, claims

pytestmark = [role("client"), needs("noreply")]


def silent(name: Name, key: bytes) -> Operation:
    """The named operation, which asks for no reply."""
    match name:
        case "delete":
            return delete(key, noreply=True)
        case "incr" | "decr":
            return change(name, key, 5, noreply=True)
        case "touch":
            return touch(key, 100, noreply=True)
        case _:
            return store(name, key, b"42", noreply=True)


#: What each makes of an item with the data 10.
AFTER: dict[Name, bytes | None] = {
    "set": b"42",
    "add": b"10",
    "replace": b"42",
    "append": b"1042",
    "prepend": b"4210",
    "delete": None,
    "incr": b"15",
    "decr": b"5 ",
    "touch": b"10",
}
#: The clauses of the commands that do not store.
FORM: dict[Name, str] = {
    "delete": "memcached-deletion-request-form",
    "incr": "memcached-increment-decrement-request-form",
    "decr": "memcached-increment-decrement-request-form",
    "touch": "memcached-touch-request-form",
}


def marks(name: Name) -> list[pytest.MarkDecorator]:
    """What a command needs of a client, and the clause of its form."""
    form = clause(FORM.get(name, "memcached-storage-commands-request-form"))
    return [form, needs(FEATURE[name])] if name in FEATURE else [form]


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in AFTER])
@clause("memcached-storage-commands-noreply-not-awaited")
def test_noreply_is_sent_and_nothing_awaited(client: Client, name: Name) -> None:
    """The line ends with noreply, the command is carried out, and the commands that follow get their own answers."""
    key, other = new_key(), new_key()
    client.give(key, b"10")

    exchange = client.run(silent(name, key), put(other, b"data"), get(other), get(key))

    assert exchange.all(name)[0].noreply, f"the client sent {exchange.lines}"
    assert exchange.results[1].get("success"), f"the client is out of step: {claims(exchange.results)}"
    assert exchange.results[2].get("value") == b"data", (
        f"the client is out of step: {claims(exchange.results)}"
    )
    found = exchange.results[3].get("value")
    assert found == AFTER[name] or (name == "decr" and found == b"5"), f"after {name} the item is {found!r}"


@clause("memcached-storage-commands-noreply-not-awaited")
def test_many_without_a_reply(client: Client) -> None:
    """Fifty sets without a reply, then one get: all were stored, and the get has its answer."""
    keys = [new_key(str(number)) for number in range(50)]

    exchange = client.run(*(put(key, b"data", noreply=True) for key in keys), get(keys[-1]), get(keys[0]))

    assert [command.noreply for command in exchange.all("set")] == [True] * 50
    assert [result.get("value") for result in exchange.results[-2:]] == [b"data"] * 2


@clause("memcached-storage-commands-noreply-not-awaited")
def test_with_and_without_a_reply(client: Client) -> None:
    """A reply is asked for again behind commands without one."""
    key = new_key()

    exchange = client.run(
        put(key, b"1", noreply=True), put(key, b"2"), delete(key, noreply=True), get(key), put(key, b"3")
    )

    assert [command.noreply for command in exchange.all("set")] == [True, False, False]
    assert exchange.results[1].get("success")
    assert exchange.results[3].get("value", "nothing") is None
    assert exchange.results[4].get("success")


@needs("flush")
@clause("memcached-storage-commands-noreply-not-awaited")
def test_flush_all_without_a_reply(client: Client) -> None:
    """`flush_all` may ask for no reply; what follows gets its own."""
    exchange = client.run_with_script(
        Manners(holds={b"key": (0, b"data")}), {"name": "flush_all", "noreply": True}, get(b"key")
    )

    assert len(exchange.all("flush_all")) == 1
    assert exchange.result.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"

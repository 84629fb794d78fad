"""Clients: the three error strings, to any command (section Error strings), and lines that are no reply."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answer, say_and_close
from suites.memcached.contract import Name
from suites.memcached.exchange import SHORT_TIMEOUT
from suites.memcached.operations import FEATURE, get, put, sample
from suites.memcached.responder import Manners
from suites.memcached.subjects import Client, claims

pytestmark = role("client")

ERRORS = {
    "error": b"ERROR\r\n",
    "client": b"CLIENT_ERROR bad data chunk\r\n",
    "server": b"SERVER_ERROR out of memory storing object\r\n",
}
OPERATIONS: tuple[Name, ...] = (
    *("set", "add", "replace", "append", "prepend", "delete", "incr", "decr", "touch"),
    *("get", "gets", "get_many", "gat", "version"),
)
ANY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs(FEATURE[name]) if name in FEATURE else ()) for name in OPERATIONS]
)
#: What answers a command that failed has not got.
SUCCESS = ("success", "number", "value", "version")


# one line, which is cut by test_client_pieces
@cuts("whole")
@ANY
@clause("memcached-error-strings-allowed-for")
@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS.keys())
def test_an_error_is_no_success(client: Client, name: Name, answer: bytes) -> None:
    """An error string is told as no success, number or value; the commands that follow get their own answers."""
    once: list[Answer | None] = [answer, None]
    # a client may use any of these for a retrieval
    names: tuple[str, ...] = (
        ("get", "gets", "gat", "gats") if name in {"get", "gets", "get_many", "gat"} else (name,)
    )
    answers = dict.fromkeys(names, once)

    exchange = client.run_with_script(
        Manners(answers=answers, holds={b"key": (0, b"data"), b"k": (0, b"x")}),
        sample(name, b"k"),
        put(b"key", b"data"),
        get(b"key"),
        timeout=1.0,
    )

    first, stored, found = exchange.results
    assert not any(first.get(field) for field in SUCCESS), f"{answer!r} was told as {first}"
    assert not first.get("items"), f"{answer!r} was told as {first}"
    assert stored.get("success"), f"the client is out of step: {claims(exchange.results)}"
    assert found.get("value") == b"data", f"the client is out of step: {claims(exchange.results)}"


@clause("memcached-error-strings-allowed-for")
@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS.keys())
def test_errors_one_after_the_other(client: Client, answer: bytes) -> None:
    """Five errors in a row do not keep a client from what comes after."""
    exchange = client.run_with_script(
        Manners(answers={"set": [answer] * 5 + [None]}, holds={b"key": (0, b"data")}),
        *(put(b"key", b"data") for _ in range(6)),
        get(b"key"),
    )

    assert [bool(result.get("success")) for result in exchange.results[:6]] == [False] * 5 + [True]
    assert exchange.result.get("value") == b"data"


# a connection is closed, wherever the answer before was cut
@cuts("whole")
@clause("memcached-error-strings-close-after-error-allowed-for")
@pytest.mark.parametrize("name", ["set", "get", "delete"])
def test_a_close_behind_an_error(client: Client, name: Name) -> None:
    """A connection that is closed behind an error line is replaced: after one more failure at most, commands work again."""
    farewell = say_and_close(b"SERVER_ERROR too many connections\r\n")
    once: list[Answer | None] = [farewell, None]
    names: tuple[str, ...] = ("get", "gets") if name == "get" else (name,)
    answers = dict.fromkeys(names, once)

    exchange = client.run_with_script(
        Manners(answers=answers, holds={b"key": (0, b"data")}),
        sample(name, b"k"),
        get(b"key"),
        get(b"key"),
        timeout=SHORT_TIMEOUT,
    )

    assert not any(exchange.results[0].get(field) for field in SUCCESS), (
        f"it was told as {exchange.results[0]}"
    )
    assert exchange.result.get("value") == b"data", f"no new connection: {claims(exchange.results)}"


@cuts("whole")
@clause("memcached-storage-commands-garbage-is-no-success")
@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("set", b"\r\n"),
        ("set", b"HELLO\r\n"),
        ("set", b"END\r\n"),
        ("set", b"NOT STORED\r\n"),
        ("set", b"220 mx.lab.example ESMTP\r\n"),
        ("delete", b"STORED\r\n"),
        ("delete", b"HELLO\r\n"),
        pytest.param("incr", b"HELLO\r\n", marks=needs("arithmetic")),
        pytest.param("incr", b"\r\n", marks=needs("arithmetic")),
        pytest.param("touch", b"HELLO\r\n", marks=needs("touch")),
    ],
)
def test_a_line_that_is_no_reply_is_no_success(client: Client, name: Name, answer: bytes) -> None:
    """What no server says to the command is not told as success or as a number."""
    exchange = client.run_with_script(
        Manners(answers={name: [answer, None]}), sample(name, b"k"), timeout=SHORT_TIMEOUT
    )

    assert not any(exchange.result.get(field) for field in SUCCESS), (
        f"{answer!r} was told as {exchange.result}"
    )

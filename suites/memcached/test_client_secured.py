"""Clients: TLS, and user name and password in the text protocol (sections Protocol and Authentication)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from suites.memcached.exchange import SHORT_TIMEOUT, Login
from suites.memcached.operations import get, new_key, put
from suites.memcached.responder import Manners
from suites.memcached.subjects import Client, claims

pytestmark = role("client")


@needs("tls")
@clause("memcached-protocol-data-sent-unchanged", "memcached-protocol-length-ends-retrieved-data")
@pytest.mark.parametrize(
    "data", [b"data", b"", b"\r\n\0" * 1000, b"x" * 100_000], ids=["text", "empty", "crlf", "large"]
)
def test_a_value_goes_and_comes_inside_tls(client: Client, data: bytes) -> None:
    """Inside TLS a value is sent and handed back unchanged."""
    key = new_key()

    exchange = client.run_secured("tls", put(key, data), get(key))

    assert exchange.one("set").data == data
    assert exchange.result.get("value") == data, f"it came back as {claims(exchange.results)}"


@needs("authentication")
@clause("memcached-authentication-sent-first")
def test_credentials_are_sent_first(client: Client, login: Login) -> None:
    """A client with name and password sends them as the data of a set before all else, and its commands work then."""
    key = new_key()

    exchange = client.run_secured("auth", put(key, b"data"), get(key), login=login)

    credentials = f"{login.username} {login.password}".encode()
    for conversation in exchange.conversations:
        first = conversation.commands[0]
        assert (first.name, first.data, first.data_ending) == ("set", credentials, b"\r\n"), "not sent first"
    assert exchange.result.get("value") == b"data", f"the commands behind came to {claims(exchange.results)}"


# a refusal is one line, and what follows is silence
@cuts("whole")
@needs("authentication")
@clause("memcached-authentication-failure-is-told")
def test_refused_credentials_are_told(client: Client) -> None:
    """A client whose credentials are refused tells nothing as done, and sends nothing else on that connection."""
    exchange = client.run_with_script(
        Manners(answers={"set": b"CLIENT_ERROR other words\r\n"}, holds={b"key": (0, b"data")}),
        get(b"key"),
        login=Login("user", "a-password-nobody-may-see"),
        timeout=SHORT_TIMEOUT,
    )

    assert exchange.result["outcome"] != "done", f"refused credentials were told as {exchange.result}"
    assert exchange.all("get") == [], f"the client sent {exchange.lines}"

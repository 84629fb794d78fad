"""Holds that the clients of the catalogue declare what their adapters do, and that what is not declared is refused before it is sent.

Knows the catalogue and the features of operations. Judges no client: what one declares is tried by the cases that need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.host import decode
from lab.judge.subject import ClientSubject
from lab.wire.endpoint import endpoint_of, listen
from suites.memcached.contract import Name
from suites.memcached.operations import FEATURE, sample

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 10.0
#: The rows, by their names.
ROWS = {
    row.name: row
    for row in load_catalogue(ROOT / "implementations" / "catalogue.toml")
    if (row.protocol, row.role) == ("memcached", "client")
}
#: What a client would need to be opened in this way.
WAYS: dict[str, dict[str, object]] = {
    "tls": {"ca_file": "/nowhere.pem"},
    "authentication": {"username": "user", "password": "password"},
}


def lacking(features: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each client with each of these whose feature, which stands beside it, it does not declare."""
    return [
        (row.name, each) for each, feature in features for row in ROWS.values() if feature not in row.features
    ]


@pytest.fixture
def subject(row: str) -> Iterator[ClientSubject]:
    """The client in a process of its own."""
    implementation: Implementation = ROWS[row]
    made = ClientSubject(implementation)
    yield made
    made.stop()


def opened(subject: ClientSubject, port: int, **ways: object) -> dict[str, object]:
    """Open the client at a port of this machine."""
    arguments = {
        "servers": [{"host": "127.0.0.1", "port": port}],
        "ca_file": None,
        "username": None,
        "password": None,
        "timeout": 0.5,
    }
    return subject.call("open", arguments | ways, deadline=DEADLINE)


def test_somebody_lacks_something() -> None:
    """The tests below have something to try."""
    assert len(ROWS) >= 5
    assert lacking(FEATURE.items())
    assert {way for _, way in lacking(zip(WAYS, WAYS, strict=True))} == {*WAYS}


@pytest.mark.parametrize(("row", "name"), lacking(FEATURE.items()))
def test_an_operation_that_is_not_declared_is_refused(subject: ClientSubject, name: Name) -> None:
    """A client that does not declare a feature says that it has no such command, and sends nothing in its place."""
    with listen() as listener:
        listener.settimeout(0)
        assert opened(subject, endpoint_of(listener).port)["outcome"] == "done"

        answer = decode(subject.call("run", {"operations": [sample(name, b"key")]}, deadline=DEADLINE))

        assert isinstance(answer, dict)
        [result] = answer["results"]
        assert result["outcome"] == "failed"
        assert f"has no {name}" in result["cause"]
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize(("row", "way"), lacking(zip(WAYS, WAYS, strict=True)))
def test_a_way_to_open_that_is_not_declared_is_refused(subject: ClientSubject, way: str) -> None:
    """A client that has no TLS, or no authentication, is not opened as if nobody had asked for it."""
    answer = opened(subject, 1, **WAYS[way])

    assert answer["outcome"] == "failed"
    assert "has no " in str(answer["cause"])

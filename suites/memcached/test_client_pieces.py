"""Clients: answers that arrive in pieces, cut at the places that mislead (section Protocol).

Each piece is read by the client before the next one comes; a tap that cuts leaves that to chance.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answers, Pieces
from suites.memcached.operations import change, delete, get, get_many, plain, put
from suites.memcached.responder import Manners, item
from suites.memcached.subjects import Client, claims

# the script itself cuts
pytestmark = [role("client"), cuts("whole")]

DATA = b"one\r\nEND\r\ntwo"
ITEM = b"VALUE key 0 13\r\n" + DATA + b"\r\nEND\r\n"
#: Where the answer to a get is cut: octets before the cut.
PLACES = {
    "in-value": 3,
    "in-key": 8,
    "before-the-length-ends": 13,
    "between-cr-and-lf-of-the-line": 15,
    "before-the-data": 16,
    "behind-a-line-in-the-data": 21,
    "behind-end-in-the-data": 26,
    "before-the-crlf-of-the-data": 29,
    "inside-the-crlf-of-the-data": 30,
    "before-end": 31,
    "in-end": 33,
    "before-the-last-octet": 35,
}


@clause("memcached-protocol-length-ends-retrieved-data", "memcached-retrieval-command-items-understood")
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_an_item_in_two_pieces(client: Client, place: int) -> None:
    """An item that is cut anywhere is handed out whole, also behind what looks like the end inside its data."""
    with_cas = ITEM.replace(b"13\r\n", b"13 7\r\n", 1)
    # the unique value makes the line longer by two octets
    later = place + 2 if place > PLACES["before-the-length-ends"] else place
    answers: dict[str, Answers] = {
        "get": [Pieces(ITEM[:place], ITEM[place:]), b"END\r\n"],
        "gets": [Pieces(with_cas[:later], with_cas[later:]), b"END\r\n"],
    }

    exchange = client.run_with_script(Manners(answers=answers), get(b"key"), get(b"other"))

    assert claims(exchange.results) == [DATA, None], f"it came back as {exchange.results}"


@needs("get-many")
@clause("memcached-protocol-length-ends-retrieved-data", "memcached-retrieval-command-items-understood")
@pytest.mark.parametrize("inside", [True, False], ids=["inside-the-data", "between-items"])
def test_many_items_in_pieces(client: Client, inside: bool) -> None:  # noqa: FBT001 - a parameter
    """Several items cut between them, or behind what looks like the end inside one, are all handed out."""

    def answer(cas: bytes) -> Pieces:
        first = b"VALUE a 0 13" + cas + b"\r\n" + DATA + b"\r\n"
        second = b"VALUE b 0 1" + cas + b"\r\nb\r\nEND\r\n"
        place = first.index(b"END\r\n") + 5 if inside else len(first)
        return Pieces(first[:place], first[place:] + second)

    exchange = client.run_with_script(
        Manners(answers={"get": answer(b""), "gets": answer(b" 7")}), get_many(b"a", b"b")
    )

    found = {entry["key"]: entry["value"] for entry in exchange.result.get("items", [])}
    assert found == {b"a": DATA, b"b": b"b"}, f"they came back as {exchange.result}"


@clause("memcached-protocol-length-ends-retrieved-data")
def test_a_value_octet_by_octet(client: Client) -> None:
    """An answer of which each octet comes alone is handed out whole."""
    # nothing inside it looks like the end: with so many pieces it would be chance which of them is read by itself
    data = b"one\r\n\r\ntwo"
    whole = {"get": item(b"key", data) + b"END\r\n", "gets": item(b"key", data, cas=7) + b"END\r\n"}
    pieces = {
        name: Pieces(*(octets[index : index + 1] for index in range(len(octets))), pause=0.003)
        for name, octets in whole.items()
    }

    exchange = client.run_with_script(
        Manners(answers={name: [said, b"END\r\n"] for name, said in pieces.items()}),
        get(b"key"),
        get(b"other"),
    )

    assert claims(exchange.results) == [data, None], f"it came back as {exchange.results}"


@clause("memcached-storage-commands-stored-is-told", "memcached-deletion-deleted-is-told")
@pytest.mark.parametrize("place", [1, 3, 6, 7], ids=["first", "third", "before-crlf", "inside-crlf"])
def test_a_line_in_two_pieces(client: Client, place: int) -> None:
    """STORED and DELETED that are cut anywhere are told as success."""
    stored, deleted = b"STORED\r\n", b"DELETED\r\n"

    exchange = client.run_with_script(
        Manners(
            answers={
                "set": [Pieces(stored[:place], stored[place:]), stored],
                "delete": Pieces(deleted[:place], deleted[place:]),
            }
        ),
        put(b"key", b"data"),
        delete(b"key"),
        put(b"key", b"data"),
    )

    assert claims(exchange.results) == [True, True, True], f"they were told as {exchange.results}"


@needs("arithmetic")
@clause("memcached-increment-decrement-number-is-told")
@pytest.mark.parametrize("place", [1, 2, 3], ids=["inside-the-number", "before-crlf", "inside-crlf"])
def test_a_number_in_two_pieces(client: Client, place: int) -> None:
    """A number that is cut anywhere is told whole."""
    answer = b"42\r\n"

    exchange = client.run_with_script(
        Manners(answers={"incr": Pieces(answer[:place], answer[place:])}), change("incr", b"key", 1)
    )

    assert exchange.result.get("number") == 42, f"it was told as {exchange.result}"


@needs("stats")
@clause("memcached-statistics-understood")
@pytest.mark.parametrize("place", [6, 13, 25], ids=["inside-a-line", "between-lines", "before-end"])
def test_statistics_in_two_pieces(client: Client, place: int) -> None:
    """Statistics that are cut anywhere are all handed out."""
    answer = b"STAT pid 42\r\nSTAT time 5\r\nEND\r\n"

    exchange = client.run_with_script(
        Manners(answers={"stats": Pieces(answer[:place], answer[place:])}), plain("stats")
    )

    stats = exchange.result.get("stats", {})
    assert {name: stats.get(name, "").strip() for name in ("pid", "time")} == {"pid": "42", "time": "5"}, (
        f"{stats}"
    )

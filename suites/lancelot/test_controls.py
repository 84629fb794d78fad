"""Controls: a known-good server opens and closes each run, and known-bad ones show that the oracle can say no."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.judge.evidence import Evidence
from lab.judge.marks import control
from lab.judge.mutant_door import EXEMPLAR
from lab.judge.place import HERE
from lab.judge.subject import ClientSubject
from lab.wire.segmentation import whole
from suites.lancelot.exchange import Client
from suites.lancelot.mutants import DOOR
from suites.lancelot.specification import ANSWERS, COLOR, NAME, QUEST, UNKNOWN, answers, conversation
from suites.lancelot.subjects import Server, server_process


def told(name: str) -> tuple[bytes, int | None]:
    """What a server of ours answers to a few questions, and how it ends."""
    subject = server_process(DOOR.row("server", name), HERE)
    server = Server(subject, Evidence(), whole)
    try:
        session = server.connect()
        session.send(NAME, b"Why?", COLOR)
        said = session.finish()
        server.ask_to_stop()
        return said, server.exit_status()
    finally:
        server.close()


def taken(name: str) -> list[bytes]:
    """What a client of ours takes for the three answers of the exemplar server."""
    client, peer = ClientSubject(DOOR.row("client", name)), server_process(DOOR.row("server", EXEMPLAR), HERE)
    try:
        return Client(client, peer, Evidence(), whole).ask("pipeline").answers
    finally:
        client.stop()
        peer.stop()


def known_good() -> None:
    """The exemplar server answers as the specification says, and ends when asked to; the exemplar client takes answers."""
    assert told(EXEMPLAR) == (answers([NAME, b"Why?", COLOR]), 0)
    assert taken(EXEMPLAR) == [ANSWERS[NAME], ANSWERS[QUEST], ANSWERS[COLOR]]


@control("opening")
def test_known_good_conversation_opens_the_run() -> None:
    """Before the first case a server that is known to be right is found right."""
    known_good()


@control("closing")
def test_known_good_conversation_closes_the_run() -> None:
    """After the last case it still is."""
    known_good()


@control("opening")
@pytest.mark.parametrize("name", ["backwards", "silent", "line-ends"])
def test_oracle_sees_a_wrong_server(name: str) -> None:
    """A server that answers in another order, not at all, or with more is told from the exemplar."""
    said, _ = told(name)

    assert said != answers([NAME, b"Why?", COLOR]), f"{name} answered {said!r}"


@control("opening")
@pytest.mark.parametrize("name", ["backwards-client", "segment-is-answer"])
def test_oracle_sees_a_wrong_client(name: str) -> None:
    """A client that takes answers in another order, or several for one, is told from the exemplar."""
    assert taken(name) != [ANSWERS[NAME], ANSWERS[QUEST], ANSWERS[COLOR]]


@control("opening")
def test_oracle_knows_the_table() -> None:
    """The oracle's answers are those of the specification's page."""
    page = (Path(__file__).parents[2] / "docs" / "lancelot.md").read_text(encoding="utf-8")

    for question, said in ANSWERS.items():
        assert f"| `{question.decode()}` | `{said.decode()}` |" in page
    assert f"`{UNKNOWN.decode()}`" in page
    assert conversation(NAME + b"\n" + NAME) == (ANSWERS[NAME] + UNKNOWN, False)

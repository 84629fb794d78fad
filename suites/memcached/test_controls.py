"""Controls: a known-good conversation opens and closes each run, and known-bad ones show that the oracle can say no."""

from __future__ import annotations

import pytest

from lab.judge.marks import control
from lab.wire.driver import connect
from lab.wire.transcript import Transcript
from suites.memcached.conversation import Conversation
from suites.memcached.hosts import Host
from suites.memcached.operations import new_key
from suites.memcached.session import Session, is_error


def known_good(peer: Host) -> None:
    """The driver stores data with a line end and a reply in them, and gets exactly these back."""
    key, data = new_key(), b"one\r\nEND\r\ntwo"
    with connect(peer.endpoint()) as stream:
        session = Session(stream)
        session.put(key, data, flags=7)
        item = session.gets(key)
        deleted = session.ask(b"delete " + key)

    assert (item.key, item.flags, item.data) == (key, 7, data)
    assert deleted == b"DELETED"


@control("opening")
def test_known_good_conversation_opens_the_run(peer: Host) -> None:
    """Before the first case the peer stores and gives back."""
    known_good(peer)


@control("closing")
def test_known_good_conversation_closes_the_run(peer: Host) -> None:
    """After the last case the peer still does: no case has spoilt it for others."""
    known_good(peer)


def said(octets: bytes) -> Conversation:
    """A conversation in which the client said this."""
    transcript = Transcript()
    transcript.record("client", "data", octets)
    return Conversation(transcript)


@control("opening")
def test_oracle_sees_an_injected_command() -> None:
    """A line end inside a key makes two commands of one, and the oracle sees both."""
    good = said(b"set key 0 0 4\r\ndata\r\n")
    bad = said(b"get key\r\nflush_all\r\n\r\n")

    assert [(command.name, command.key, command.data) for command in good.commands] == [
        ("set", b"key", b"data")
    ]
    assert [command.name for command in bad.commands] == ["get", "flush_all", ""]


@control("opening")
def test_oracle_sees_a_wrong_length() -> None:
    """A length that is not that of the data shows in what follows the data block."""
    assert said(b"set key 0 0 4\r\ndata\r\n").commands[0].data_ending == b"\r\n"
    assert said(b"set key 0 0 3\r\ndata\r\n").commands[0].data_ending != b"\r\n"


@control("opening")
@pytest.mark.parametrize("line", [b"STORED", b"CLIENT_ERROR", b"ERRORS", b"SERVER_ERROR ", b"client_error x"])
def test_oracle_knows_error_strings(line: bytes) -> None:
    """What only looks like an error string is none."""
    assert is_error(b"ERROR")
    assert is_error(b"CLIENT_ERROR bad data chunk")
    assert not is_error(line)

"""Servers: version, verbosity, quit, flush_all, cache_memlimit, shutdown (section Other commands)."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.stream import Ended
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server
from suites.waiting import wait_until

pytestmark = role("server")


@clause("memcached-other-commands-version", "memcached-protocol-replies-end-with-crlf")
def test_version(session: Session) -> None:
    """`version` is answered VERSION and one word, on one line."""
    answer = session.ask(b"version")

    assert re.fullmatch(rb"VERSION [!-~]+", answer), f"version was answered {answer!r}"
    assert session.in_step()


@needs("verbosity")
@clause("memcached-other-commands-verbosity")
@pytest.mark.parametrize("level", [0, 1])
def test_verbosity(session: Session, level: int) -> None:
    """`verbosity` with a number is answered OK."""
    answer = session.ask(b"verbosity %d" % level)
    session.ask(b"verbosity 0")

    assert answer == b"OK"


@clause("memcached-other-commands-quit-closes")
def test_quit_closes(server: Server, session: Session) -> None:
    """Upon `quit` the server closes, and says nothing."""
    session.send(b"quit\r\n")

    assert session.closed_by_server()
    assert session.stream.ended == "eof"
    assert server.connect().in_step()


@clause("memcached-other-commands-quit-amid-commands")
def test_quit_amid_pipelined_commands(server: Server, session: Session) -> None:
    """Commands before `quit` are carried out and answered, those behind it are not."""
    before, behind = server.key("before"), server.key("behind")

    # a server that leaves at once may not take what stands behind
    with suppress(Ended):
        session.send(
            b"set %b 0 0 5\r\nfirst\r\nget %b\r\nquit\r\nset %b 0 0 4\r\nlast\r\nversion\r\n"
            % (before, before, behind)
        )
    said = session.stream.receive_to_end()

    # octets behind quit that were not read make the end a reset, which may take the answers with it
    assert (
        said in (b"STORED\r\nVALUE %b 0 5\r\nfirst\r\nEND\r\n" % before, b"")
        or session.stream.ended == "reset"
    )
    other = server.connect()
    assert other.data(before) == b"first"
    assert other.data(behind) is None


@clause("memcached-other-commands-quit-amid-commands")
@pytest.mark.parametrize("count", [1, 50])
def test_all_before_quit_is_answered(server: Server, session: Session, count: int) -> None:
    """With `quit` at the end of many commands, all answers arrive before the end."""
    key = server.key()
    session.put(key, b"0")

    said = session.say_all(b"incr %b 1\r\n" % key * count)

    assert said == b"".join(b"%d\r\n" % number for number in range(1, count + 1))
    assert session.stream.ended == "eof"


@clause("memcached-other-commands-shutdown-disabled")
def test_shutdown_is_disabled(server: Server, session: Session) -> None:
    """`shutdown` is answered with an error, and the server goes on."""
    answer = session.ask(b"shutdown")

    assert answer.startswith(b"ERROR"), f"shutdown was answered {answer!r}"
    assert session.in_step()
    assert server.connect().in_step()


@clause("memcached-other-commands-memory-limit-adjusted")
def test_the_limit_of_memory_is_adjusted(server: Server) -> None:
    """`cache_memlimit` with a number of megabytes is answered OK or with an error, and the server goes on."""
    session = server.connect(to=server.own())

    answer = session.ask(b"cache_memlimit 64")

    assert answer == b"OK" or is_error(answer), f"cache_memlimit was answered {answer!r}"
    assert session.in_step()


@clause("memcached-other-commands-flush-all")
@pytest.mark.parametrize("line", [b"flush_all", b"flush_all 0", b"flush_all -1"])
def test_flush_all_invalidates_all(server: Server, line: bytes) -> None:
    """After `flush_all` none of the items is there, to any command."""
    session = server.connect(to=server.own())
    keys = [server.key(str(number)) for number in range(20)]
    for key in keys:
        session.put(key, b"10")

    answer = session.ask(line)

    assert answer == b"OK"
    assert session.get(*keys) == []
    assert session.ask(b"incr %b 1" % keys[0]) == b"NOT_FOUND"
    assert session.ask(b"delete %b" % keys[1]) == b"NOT_FOUND"
    assert session.store(keys[2], b"data", command=b"replace") == b"NOT_STORED"


@clause("memcached-other-commands-flush-all-spares-later-items")
def test_what_is_stored_after_flush_all_is_there(server: Server) -> None:
    """An item stored in the same moment as `flush_all`, and after it, is there."""
    session = server.connect(to=server.own())
    key = server.key()
    session.put(key, b"before")

    session.send(b"flush_all\r\nset %b 0 0 5\r\nafter\r\n" % key)

    assert session.lines(2) == [b"OK", b"STORED"]
    assert session.data(key) == b"after"


@needs("flush-delay")
@clause("memcached-other-commands-flush-all-with-delay")
def test_flush_all_with_a_delay_waits(server: Server) -> None:
    """Before the delay is over all items are there."""
    session = server.connect(to=server.own())
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(b"flush_all 1000")

    assert answer == b"OK"
    assert session.data(key) == b"data"


# seconds have to pass, however the stream is cut
@cuts("whole")
@needs("flush-delay")
@clause("memcached-other-commands-flush-all-with-delay")
def test_flush_all_with_a_delay_comes(server: Server) -> None:
    """When the delay is over the items are gone."""
    session = server.connect(to=server.own())
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(b"flush_all 1")

    assert answer == b"OK"
    gone = wait_until(lambda: session.data(key) is None, 5)
    assert gone, "the item is there five seconds after a delay of one"


@clause("memcached-other-commands-flush-all-bad-delay")
def test_a_delay_that_is_none_is_refused(server: Server) -> None:
    """`flush_all` with something that is no number is answered with an error, and the items stay."""
    session = server.connect(to=server.own())
    key = server.key()
    session.put(key, b"data")

    answer = session.ask(b"flush_all x")

    assert is_error(answer), f"a delay that is none was answered {answer!r}"
    assert session.data(key) == b"data"


@clause("memcached-other-commands-flush-all-noreply")
@pytest.mark.parametrize("line", [b"flush_all noreply", b"flush_all 0 noreply"])
def test_flush_all_without_a_reply(server: Server, line: bytes) -> None:
    """`flush_all` with noreply invalidates, and says nothing."""
    session = server.connect(to=server.own())
    key = server.key()
    session.put(key, b"data")

    session.send(line + b"\r\n")

    assert session.catch_up() == []
    assert session.data(key) is None

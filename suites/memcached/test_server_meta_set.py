"""Servers: ms and md (sections Meta Set and Meta Delete)."""

from __future__ import annotations

import base64

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = [role("server"), needs("meta")]


@clause("memcached-meta-set-stores", "memcached-meta-set-client-flags")
@pytest.mark.parametrize(
    "data", [b"data", b"", b"\r\nmn\r\n", bytes(range(256))], ids=["text", "empty", "command", "all"]
)
@pytest.mark.parametrize("flags", [0, 1, 65535, 4294967295])
def test_ms_stores_data_and_flags(server: Server, session: Session, data: bytes, flags: int) -> None:
    """`ms` stores the data, with the client flags of F, and answers HD."""
    key = server.key()

    reply = session.meta(b"ms %b %d F%d" % (key, len(data), flags), data)

    assert (reply.code, reply.flags) == ("HD", [])
    [item] = session.get(key)
    assert (item.data, item.flags) == (data, flags)


@clause("memcached-meta-set-client-flags")
def test_ms_without_f_stores_0(server: Server, session: Session) -> None:
    """Without F the client flags are 0, whatever they were before."""
    key = server.key()
    session.put(key, b"before", flags=5)

    session.meta(b"ms %b 4" % key, b"data")

    [item] = session.get(key)
    assert (item.data, item.flags) == (b"data", 0)


@clause(
    "memcached-meta-set-mode-add",
    "memcached-meta-set-mode-append-prepend",
    "memcached-meta-set-mode-replace",
    "memcached-meta-set-mode-set",
)
@pytest.mark.parametrize(
    ("mode", "absent", "present", "after"),
    [
        ("E", "HD", "NS", b"old"),
        ("A", "NS", "HD", b"oldnew"),
        ("P", "NS", "HD", b"newold"),
        ("R", "NS", "HD", b"new"),
        ("S", "HD", "HD", b"new"),
    ],
    ids=["add", "append", "prepend", "replace", "set"],
)
def test_modes(server: Server, session: Session, mode: str, absent: str, present: str, after: bytes) -> None:
    """Each mode stores when its command would, and answers NS when it would not."""
    key, missing = server.key(), server.key()
    session.put(key, b"old")

    without = session.meta(b"ms %b 3 M%b" % (missing, mode.encode()), b"new")
    with_item = session.meta(b"ms %b 3 M%b" % (key, mode.encode()), b"new")

    assert (without.code, with_item.code) == (absent, present)
    assert session.data(missing) == (b"new" if absent == "HD" else None)
    assert session.data(key) == after


@clause("memcached-meta-set-unknown-mode-refused")
@pytest.mark.parametrize("mode", [b"MX", b"M1", b"M!"])
def test_a_mode_that_is_none_is_refused(server: Server, session: Session, mode: bytes) -> None:
    """A mode that is none is answered with an error, and nothing is stored."""
    key = server.key()

    session.send(b"ms %b 3 %b\r\nnew\r\n" % (key, mode))
    said = session.catch_up()

    assert said, "nothing was answered"
    assert all(is_error(line) for line in said), f"{mode!r} was answered {said}"
    assert session.data(key) is None


@clause("memcached-meta-set-stores", "memcached-meta-commands-errors-as-usual")
@pytest.mark.parametrize(
    "line",
    [b"ms %b 2\r\nabcd\r\n", b"ms %b 4\r\nabc\r\n\r\n", b"ms %b 2 !\r\nab\r\n", b"ms %b 2 Fx\r\nab\r\n"],
)
def test_ms_with_a_mistake_stores_nothing(server: Server, session: Session, line: bytes) -> None:
    """A wrong length, a flag that is none or a token that is no number is refused, and the stream comes in step."""
    key = server.key()

    session.send(line.replace(b"%b", key))
    said = session.catch_up()

    assert said, "nothing was answered"
    assert all(is_error(answer) for answer in said), f"{line!r} was answered {said}"
    assert session.data(key) is None


@clause("memcached-meta-set-base64-key")
def test_ms_with_a_binary_key(server: Server, session: Session) -> None:
    """With b the key of the item is what the base64 stands for."""
    key = server.key()

    reply = session.meta(b"ms %b 4 b" % base64.b64encode(key), b"data")

    assert reply.code == "HD"
    assert session.data(key) == b"data"


@clause("memcached-meta-set-returns-cas", "memcached-meta-set-key", "memcached-meta-set-opaque")
def test_ms_tells_what_it_is_asked(server: Server, session: Session) -> None:
    """c, k and O bring the unique value that the item has now, the key and the token."""
    key = server.key()

    reply = session.meta(b"ms %b 4 c k Oxyz" % key, b"data")

    assert reply.code == "HD"
    assert reply.token("c") == str(session.token(key))
    assert (reply.token("k"), reply.token("O")) == (key.decode(), "xyz")


@clause("memcached-meta-set-compares-cas", "memcached-meta-set-cas-not-found")
@pytest.mark.parametrize("mode", [b"", b" MA", b" MP", b" MR"], ids=["set", "append", "prepend", "replace"])
def test_ms_compares_the_unique_value(server: Server, session: Session, mode: bytes) -> None:
    """With C the item is stored when the value is the item's, EX otherwise, NF (or NS for modes) without an item."""
    key, missing = server.key(), server.key()
    session.put(key, b"old")
    token = session.token(key)

    wrong = session.meta(b"ms %b 3 C%d%b" % (key, token + 1000, mode), b"new")
    unchanged = session.data(key)
    right = session.meta(b"ms %b 3 C%d%b" % (key, token, mode), b"new")
    absent = session.meta(b"ms %b 3 C%d%b" % (missing, token, mode), b"new")

    assert (wrong.code, unchanged, right.code) == ("EX", b"old", "HD")
    assert b"new" in (session.data(key) or b"")
    assert absent.code in ({"NF"} if not mode else {"NF", "NS"}), f"without an item the answer was {absent}"
    assert session.data(missing) is None


@clause("memcached-meta-set-invalidates-older")
def test_ms_with_an_older_value_marks_stale(server: Server, session: Session) -> None:
    """With I an older unique value stores, and marks the item stale; without I it is EX."""
    key = server.key()
    session.put(key, b"first")
    older = session.token(key)
    session.put(key, b"second")

    refused = session.meta(b"ms %b 5 C%d" % (key, older), b"third")
    taken = session.meta(b"ms %b 5 I C%d" % (key, older), b"third")
    read = session.meta(b"mg %b v" % key)

    assert (refused.code, taken.code, read.data) == ("EX", "HD", b"third")
    assert "X" in read.flags, f"the item is not stale: {read}"


@clause("memcached-meta-set-ttl")
@pytest.mark.parametrize(
    ("seconds", "left"), [(b"1000", range(997, 1001)), (b"0", [-1])], ids=["limited", "for-ever"]
)
def test_ms_sets_the_time_to_live(server: Server, session: Session, seconds: bytes, left: range) -> None:
    """T is the time to live; 0 is for ever, and a negative one is over at once."""
    key = server.key()

    session.meta(b"ms %b 4 T%b" % (key, seconds), b"data")
    told = int(session.meta(b"mg %b t" % key).token("t") or "-2")
    session.meta(b"ms %b 4 T-1" % key, b"data")

    assert told in left
    assert session.data(key) is None


@clause("memcached-meta-set-quiet")
def test_a_quiet_ms(server: Server, session: Session) -> None:
    """With q success is silent, and NS, EX and NF are told."""
    key, missing = server.key(), server.key()
    session.put(key, b"old")

    session.send(
        b"ms %b 1 q\r\na\r\nms %b 1 q ME\r\nb\r\nms %b 1 q C1\r\nc\r\nms %b 1 q C1\r\nd\r\nmn\r\n"
        % (key, key, key, missing)
    )

    assert session.lines(4) == [b"NS", b"EX", b"NF", b"MN"]
    assert session.data(key) == b"a"


@clause("memcached-meta-set-quiet-errors-answered")
@pytest.mark.parametrize(
    "line", [b"ms %b 2 q\r\nabcd\r\n", b"ms %b 2 q !\r\nab\r\n", b"ms %b 2 q MX\r\nab\r\n"]
)
def test_quiet_errors_of_ms_are_told(server: Server, session: Session, line: bytes) -> None:
    """With q errors are answered all the same."""
    session.send(line.replace(b"%b", server.key()))
    said = session.catch_up()

    assert said, f"{line!r} was not answered"
    assert all(is_error(answer) for answer in said), f"{line!r} was answered {said}"


# md


@clause("memcached-meta-delete-deletes", "memcached-meta-delete-not-found")
def test_md_removes(server: Server, session: Session) -> None:
    """`md` answers HD and removes the item; then it answers NF."""
    key = server.key()
    session.put(key, b"data")

    assert session.ask(b"md " + key) == b"HD"
    assert session.data(key) is None
    assert session.ask(b"md " + key) == b"NF"


@clause("memcached-meta-delete-compares-cas")
def test_md_compares_the_unique_value(server: Server, session: Session) -> None:
    """With C the item is removed when the value is the item's, EX otherwise."""
    key = server.key()
    session.put(key, b"data")
    token = session.token(key)

    wrong = session.ask(b"md %b C%d" % (key, token + 1000))
    there = session.data(key)
    right = session.ask(b"md %b C%d" % (key, token))

    assert (wrong, there, right, session.data(key)) == (b"EX", b"data", b"HD", None)


@clause("memcached-meta-delete-base64-key", "memcached-meta-delete-key", "memcached-meta-delete-opaque")
def test_md_tells_what_it_is_asked(server: Server, session: Session) -> None:
    """B takes the key in base64; k and O bring key and token."""
    key = server.key()
    session.put(key, b"data")

    reply = session.meta(b"md %b k Oxyz" % key)
    session.put(key, b"data")
    binary = session.meta(b"md %b b" % base64.b64encode(key))

    assert (reply.code, reply.token("k"), reply.token("O")) == ("HD", key.decode(), "xyz")
    assert (binary.code, session.data(key)) == ("HD", None)


@clause("memcached-meta-delete-marks-stale", "memcached-meta-delete-stale-ttl")
def test_md_marks_stale(server: Server, session: Session) -> None:
    """With I the item stays, stale, with another unique value; T with it sets how long."""
    key = server.key()
    session.put(key, b"data")
    token = session.token(key)

    answer = session.ask(b"md %b I T1000" % key)
    reply = session.meta(b"mg %b v t c" % key)

    assert (answer, reply.data) == (b"HD", b"data")
    assert "X" in reply.flags
    assert 997 <= int(reply.token("t") or "0") <= 1000
    assert reply.token("c") != str(token)


@clause("memcached-meta-delete-quiet")
def test_a_quiet_md(server: Server, session: Session) -> None:
    """With q the answer of success is not sent; EX is."""
    key, other = server.key(), server.key()
    session.put(key, b"data")
    session.put(other, b"data")

    session.send(b"md %b q\r\nmd %b q C1\r\nmn\r\n" % (key, other))

    assert session.lines(2) == [b"EX", b"MN"]
    assert session.data(key) is None

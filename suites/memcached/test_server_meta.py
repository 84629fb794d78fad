"""Servers: what all meta commands have, mn and me (sections Meta Commands, Meta No-Op, Meta Debug)."""

from __future__ import annotations

import base64

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = [role("server"), needs("meta")]


@clause("memcached-meta-no-op-static-answer")
def test_mn_is_answered_mn(session: Session) -> None:
    """`mn` is answered MN."""
    assert session.ask(b"mn") == b"MN"
    assert session.in_step()


@clause("memcached-meta-no-op-ends-a-chain")
def test_mn_ends_a_quiet_chain(server: Server, session: Session) -> None:
    """Behind quiet commands that say nothing, MN is the first thing said, and all before it has been done."""
    keys = [server.key(str(number)) for number in range(20)]

    session.send(
        b"".join(b"mg %b v q\r\n" % key for key in keys)
        + b"".join(b"ms %b 2 q\r\nab\r\n" % key for key in keys)
        + b"".join(b"md %b q\r\n" % key for key in keys[:10])
        + b"mn\r\n"
    )

    assert session.line() == b"MN"
    assert [session.data(key) for key in keys] == [None] * 10 + [b"ab"] * 10


@clause("memcached-meta-commands-mixed-with-others")
def test_meta_and_other_commands_see_the_same(server: Server, session: Session) -> None:
    """What one kind of command stores, changes and deletes the other kind sees."""
    key = server.key()
    session.put(key, b"10", flags=7)

    read = session.meta(b"mg %b v f" % key)
    changed = session.ask(b"incr %b 5" % key)
    stored = session.meta(b"ms %b 3 F8" % key, b"abc")
    [item] = session.get(key)
    deleted = session.ask(b"delete " + key)
    missed = session.meta(b"mg %b v" % key)

    assert (read.code, read.flags, read.data) == ("VA", ["f7"], b"10")
    assert (changed, stored.code, item.flags, item.data) == (b"15", "HD", 8, b"abc")
    assert (deleted, missed.code) == (b"DELETED", "EN")


@clause("memcached-meta-commands-common-syntax")
@pytest.mark.parametrize(
    "line", [b"mg %b", b"mg %b v", b"mg %b  s  v ", b"ms %b 2\r\nab", b"ma %b", b"md %b"]
)
def test_the_answer_is_a_code_and_flags(server: Server, session: Session, line: bytes) -> None:
    """A meta command with more or less spaces between its words is answered by two letters and what was asked for."""
    key = server.key()
    session.put(key, b"10")

    session.send(line.replace(b"%b", key) + b"\r\n")
    reply = session.meta_reply()

    assert reply.code in {"HD", "VA"}, f"{line!r} was answered {reply}"
    assert session.in_step()


@clause("memcached-meta-commands-flags-in-order")
@pytest.mark.parametrize("order", [b"t s f k", b"k f s t", b"s Oabc k t", b"f k Oabc s c"])
def test_flags_come_in_the_order_asked(server: Server, session: Session, order: bytes) -> None:
    """The flags of the answer stand in the order of the question."""
    key = server.key()
    session.put(key, b"data")

    reply = session.meta(b"mg %b %b" % (key, order))

    assert [word[0] for word in reply.flags] == [chr(word[0]) for word in order.split()], (
        f"the answer was {reply}"
    )


@clause("memcached-meta-commands-proxy-tokens-ignored")
@pytest.mark.parametrize("tokens", [b"P", b"L", b"Ppath/x", b"Lpath/", b"Pa Lb"])
def test_tokens_for_proxies_are_ignored(server: Server, session: Session, tokens: bytes) -> None:
    """P and L change nothing, in any meta command."""
    key = server.key()

    replies = [
        session.meta(b"ms %b 2 %b" % (key, tokens), b"10"),
        session.meta(b"mg %b %b v" % (key, tokens)),
        session.meta(b"ma %b %b v" % (key, tokens)),
        session.meta(b"md %b %b" % (key, tokens)),
    ]

    assert [reply.code for reply in replies] == ["HD", "VA", "VA", "HD"], f"the answers were {replies}"
    assert [reply.data for reply in replies] == [None, b"10", b"11", None]


@clause("memcached-meta-commands-errors-as-usual")
@pytest.mark.parametrize(
    "line",
    [
        *(b"mg", b"ms", b"ms %b", b"md", b"ma", b"me", b"mg %b !", b"md %b !", b"ma %b !", b"mg %b v v"),
        *(b"ms %b x", b"ms %b -1", b"ma %b Dx", b"ma %b D-1", b"ma %b Jx N0", b"ma %b MX"),
        *(b"mg %b Nx", b"mg %b Rx", b"mg %b Tx", b"md %b Cx", b"mg !! b v"),
    ],
)
def test_mistakes_are_errors(server: Server, session: Session, line: bytes) -> None:
    """A word missing, a flag that is none or stands twice, a token that is no number: an error, and nothing happens."""
    key = server.key()
    session.put(key, b"10")

    answer = session.ask(line.replace(b"%b", key))

    assert is_error(answer), f"{line!r} was answered {answer!r}"
    assert session.in_step()
    assert session.data(key) == b"10"


@clause("memcached-meta-debug-describes")
def test_me_describes_an_item(server: Server, session: Session) -> None:
    """`me` tells expiration, last access, unique value, fetched or not, class and size."""
    key = server.key()
    session.put(key, b"data", expire=1000)

    before = session.ask(b"me " + key)
    token = session.token(key)
    after = session.ask(b"me " + key)

    first, second = (dict(word.split(b"=") for word in line.split(b" ")[2:]) for line in (before, after))
    assert before.split(b" ")[:2] == [b"ME", key], f"me was answered {before!r}"
    assert first.keys() >= {b"exp", b"la", b"cas", b"fetch", b"cls", b"size"}, f"me was answered {before!r}"
    # memcached 1.6.18 tells the seconds that are left with a minus
    assert 997 <= abs(int(first[b"exp"])) <= 1000, f"me was answered {before!r}"
    assert (first[b"fetch"], second[b"fetch"]) == (b"no", b"yes")
    assert int(first[b"cas"]) == token
    assert int(first[b"size"]) > 4


@clause("memcached-meta-debug-miss")
def test_me_of_nothing(server: Server, session: Session) -> None:
    """`me` of a key without an item is answered EN."""
    assert session.ask(b"me " + server.key()) == b"EN"


@clause("memcached-meta-debug-base64-key")
def test_me_of_a_binary_key(server: Server, session: Session) -> None:
    """With b the key is base64, in the answer too."""
    encoded = base64.b64encode(b"\0 \r\n" + server.key())
    session.meta(b"ms %b 4 b" % encoded, b"data")

    answer = session.ask(b"me %b b" % encoded)

    assert answer.startswith(b"ME %b " % encoded), f"me was answered {answer!r}"

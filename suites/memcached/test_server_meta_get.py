"""Servers: mg (section Meta Get)."""

from __future__ import annotations

import base64

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.session import Session, is_error
from suites.memcached.subjects import Server

pytestmark = [role("server"), needs("meta")]


@clause("memcached-meta-get-value")
@pytest.mark.parametrize(
    "data", [b"data", b"", b"\r\nEN\r\nMN\r\n", bytes(range(256))], ids=["text", "empty", "replies", "all"]
)
def test_v_brings_the_data(server: Server, session: Session, data: bytes) -> None:
    """With v the answer is VA, the length and the data."""
    key = server.key()
    session.put(key, data)

    reply = session.meta(b"mg %b v" % key)

    assert (reply.code, reply.flags, reply.data) == ("VA", [], data)
    assert session.in_step()


@clause("memcached-meta-get-header")
def test_without_v_the_answer_is_a_header(server: Server, session: Session) -> None:
    """Without v the answer is HD."""
    key = server.key()
    session.put(key, b"data")

    assert session.ask(b"mg " + key) == b"HD"
    assert session.ask(b"mg %b s" % key) == b"HD s4"


@clause("memcached-meta-get-miss")
@pytest.mark.parametrize("flags", [b"", b" v", b" s t f", b" T100", b" R30"])
def test_a_miss_is_en(server: Server, session: Session, flags: bytes) -> None:
    """Without an item the answer is EN."""
    assert session.ask(b"mg %b%b" % (server.key(), flags)).split(b" ")[0] == b"EN"


@clause(
    "memcached-meta-get-client-flags",
    "memcached-meta-get-size",
    "memcached-meta-get-key",
    "memcached-meta-get-opaque",
)
@pytest.mark.parametrize("value", [b"", b" v"], ids=["header", "value"])
def test_what_is_asked_for_is_told(server: Server, session: Session, value: bytes) -> None:
    """f, s, k and O bring client flags, size, key and the token itself."""
    key = server.key()
    session.put(key, b"some data", flags=99)

    reply = session.meta(b"mg %b f s k Oopaque-123%b" % (key, value))

    assert sorted(reply.flags) == sorted(["f99", "s9", f"k{key.decode()}", "Oopaque-123"])


@clause("memcached-meta-get-opaque")
def test_an_opaque_token_of_32_octets(server: Server, session: Session) -> None:
    """An opaque token may have 32 octets; a miss brings it back too."""
    token = b"0123456789abcdef0123456789abcdef"[:31]
    key = server.key()
    session.put(key, b"data")

    assert session.ask(b"mg %b O%b" % (key, token)) == b"HD O" + token
    assert session.meta(b"mg %b O%b v" % (server.key(), token)).token("O") in (token.decode(), None)


@clause("memcached-meta-get-cas")
def test_c_brings_the_unique_value(server: Server, session: Session) -> None:
    """C brings the number that gets brings."""
    key = server.key()
    session.put(key, b"data")

    assert session.meta(b"mg %b c" % key).token("c") == str(session.token(key))


@clause("memcached-meta-get-ttl")
def test_t_of_an_item_that_stays(server: Server, session: Session) -> None:
    """T of an item that does not expire is -1."""
    key = server.key()
    session.put(key, b"data")

    assert session.ask(b"mg %b t" % key) == b"HD t-1"


@clause("memcached-meta-get-hit-before", "memcached-meta-get-last-access", "memcached-meta-get-no-bump")
def test_what_was_before_the_command(server: Server, session: Session) -> None:
    """H and l tell of before this command: 0 at first, 1 once it was hit; with u it does not count as a hit."""
    key = server.key()
    session.put(key, b"data")

    told = [session.meta(b"mg %b h l%b" % (key, more)) for more in (b" u", b" u", b"", b"", b" u")]

    assert [reply.token("h") for reply in told] == ["0", "0", "0", "1", "1"]
    ages = [int(reply.token("l") or "-1") for reply in told]
    assert all(0 <= age <= 5 for age in ages), f"the seconds since the last access are {ages}"


@clause("memcached-meta-get-hit-before")
def test_other_commands_hit_too(server: Server, session: Session) -> None:
    """An item that `get` brought has been hit."""
    key = server.key()
    session.put(key, b"data")
    session.get(key)

    assert session.ask(b"mg %b h" % key) == b"HD h1"


@clause("memcached-meta-get-base64-key")
@pytest.mark.parametrize(
    "ending", [b" v", b"", b" k v", b" k"], ids=["value", "header", "key-and-value", "key"]
)
def test_a_binary_key_in_base64(server: Server, session: Session, ending: bytes) -> None:
    """With b any octets can be a key, in base64; an answer that has the key has it so, with b."""
    encoded = base64.b64encode(b"\0\r\n key \xff" + server.key())
    session.meta(b"ms %b 4 b" % encoded, b"data")

    reply = session.meta(b"mg %b b%b" % (encoded, ending))

    assert reply.code == ("VA" if b"v" in ending else "HD")
    if b"k" in ending:
        assert reply.token("k") == encoded.decode()
        assert "b" in reply.flags


@clause("memcached-meta-get-base64-key")
def test_a_key_in_base64_is_the_key(server: Server, session: Session) -> None:
    """A key that could be sent as it is names the same item in base64."""
    key = server.key()
    session.put(key, b"data")

    assert session.meta(b"mg %b b v" % base64.b64encode(key)).data == b"data"


@clause("memcached-meta-get-quiet-miss")
@pytest.mark.parametrize("flags", [b"q", b"v q", b"q s Oabc"])
def test_a_quiet_miss_says_nothing(server: Server, session: Session, flags: bytes) -> None:
    """With q a miss is silent, and a hit is told."""
    key, missing = server.key(), server.key()
    session.put(key, b"data")

    session.send(b"mg %b %b\r\nmg %b %b\r\nmg %b %b\r\nmn\r\n" % (missing, flags, key, flags, missing, flags))

    assert session.meta_reply().code == ("VA" if b"v" in flags else "HD")
    assert session.line() == b"MN"


@clause("memcached-meta-get-quiet-errors-answered")
@pytest.mark.parametrize("line", [b"mg " + b"k" * 251 + b" q", b"mg %b q !", b"mg %b q Nx", b"mg !! b q"])
def test_quiet_errors_are_told(server: Server, session: Session, line: bytes) -> None:
    """With q errors are answered all the same."""
    answer = session.ask(line.replace(b"%b", server.key()))

    assert is_error(answer), f"{line[:20]!r} was answered {answer!r}"
    assert session.ask(b"mn") == b"MN"


@clause("memcached-meta-get-update-ttl")
def test_t_with_a_token_sets_the_time(server: Server, session: Session) -> None:
    """T gives the item a time to live, which t then tells; 0 takes it away, and a negative one ends it."""
    key = server.key()
    session.put(key, b"data")

    session.meta(b"mg %b T1000" % key)
    limited = int(session.meta(b"mg %b t" % key).token("t") or "0")
    session.meta(b"mg %b T0" % key)
    unlimited = session.ask(b"mg %b t" % key)
    session.meta(b"mg %b T-1" % key)

    assert 997 <= limited <= 1000
    assert unlimited == b"HD t-1"
    assert session.data(key) is None


@clause("memcached-meta-get-vivify", "memcached-meta-get-vivified-once")
def test_a_miss_makes_an_item_and_one_winner(server: Server, session: Session) -> None:
    """N makes an item without data; who caused it gets W, all others Z until it is stored."""
    key = server.key()

    first = session.meta(b"mg %b N1000 v t" % key)
    others = [server.connect().meta(b"mg %b N1000 v" % key) for _ in range(2)]
    session.meta(b"ms %b 4" % key, b"data")
    after = session.meta(b"mg %b N1000 v" % key)

    assert (first.code, first.data) == ("VA", b"")
    assert "W" in first.flags
    assert "Z" not in first.flags
    assert 997 <= int(first.token("t") or "0") <= 1000
    assert [("Z" in reply.flags, "W" in reply.flags, reply.data) for reply in others] == [
        (True, False, b"")
    ] * 2
    assert (after.data, after.flags) == (b"data", [])


@clause("memcached-meta-get-recache")
def test_an_item_about_to_expire_is_won_once(server: Server, session: Session) -> None:
    """R with more seconds than are left wins once, with fewer not at all."""
    key = server.key()
    session.put(key, b"data", expire=100)

    early = session.meta(b"mg %b R30 v" % key)
    won = session.meta(b"mg %b R200 v" % key)
    later = server.connect().meta(b"mg %b R200 v" % key)

    assert early.flags == []
    assert (won.data, won.flags) == (b"data", ["W"])
    assert (later.data, later.flags) == (b"data", ["Z"])


@clause("memcached-meta-get-stale", "memcached-meta-get-recache")
def test_a_stale_item_is_told(server: Server, session: Session) -> None:
    """An item that md marked stale is brought with X, and W for the first who asks, Z for others; ms makes it fresh."""
    key = server.key()
    session.put(key, b"data")
    session.meta(b"md %b I T1000" % key)

    first = session.meta(b"mg %b v" % key)
    second = session.meta(b"mg %b v" % key)
    session.meta(b"ms %b 3" % key, b"new")
    fresh = session.meta(b"mg %b v" % key)

    assert (first.data, sorted(first.flags)) == (b"data", ["W", "X"])
    assert (second.data, sorted(second.flags)) == (b"data", ["X", "Z"])
    assert (fresh.data, fresh.flags) == (b"new", [])

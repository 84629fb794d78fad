"""Servers: user name and password in the text protocol (section Authentication)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.memcached.exchange import Login
from suites.memcached.session import Session
from suites.memcached.subjects import Server

pytestmark = [role("server"), needs("authentication")]


def authenticate(session: Session, login: Login, *, words: bytes = b"k 0 0") -> bytes:
    """Send the set that authenticates; the line that answers."""
    data = f"{login.username} {login.password}".encode()
    return session.ask(b"set %b %d\r\n%b" % (words, len(data), data))


@clause("memcached-authentication-stored-is-success", "memcached-authentication-works-after")
def test_after_the_right_password_commands_work(server: Server) -> None:
    """The right credentials are answered STORED; then commands work as elsewhere."""
    session = server.connect("auth")
    key = server.key()

    answer = authenticate(session, server.login)
    session.put(key, b"data")

    assert answer == b"STORED"
    assert session.data(key) == b"data"
    assert session.ask(b"incr %b 1" % server.key()) == b"NOT_FOUND"
    assert session.in_step()


@clause("memcached-authentication-nothing-before")
@pytest.mark.parametrize(
    "line",
    [
        b"get k",
        b"version",
        b"stats",
        b"delete k",
        b"incr k 1",
        b"flush_all",
        b"mg k v",
        b"mn",
        b"verbosity 1",
    ],
)
def test_before_it_nothing_is_carried_out(server: Server, line: bytes) -> None:
    """Without credentials each command is answered with CLIENT_ERROR."""
    answer = server.connect("auth").ask(line)

    assert answer.startswith(b"CLIENT_ERROR "), f"{line!r} was answered {answer!r}"


@clause("memcached-authentication-failure-is-client-error", "memcached-authentication-nothing-before")
@pytest.mark.parametrize(
    "data",
    [b"user0 wrong", b"nobody %b", b"user0", b"user0 ", b" ", b"user0%b", b"user0 %bx"],
    ids=["password", "name", "one-word", "no-password", "blank", "no-space", "longer"],
)
def test_wrong_credentials_give_access_to_nothing(server: Server, data: bytes) -> None:
    """Wrong credentials are answered with CLIENT_ERROR, and commands behind them too."""
    session = server.connect("auth")
    given = data.replace(b"%b", server.login.password.encode())

    answer = session.ask(b"set k 0 0 %d\r\n%b" % (len(given), given))
    after = session.ask(b"get k")

    assert answer.startswith(b"CLIENT_ERROR "), f"wrong credentials were answered {answer!r}"
    assert after.startswith(b"CLIENT_ERROR "), f"after wrong credentials get was answered {after!r}"


@clause("memcached-authentication-first-set-authenticates")
@pytest.mark.parametrize("words", [b"k 0 0", b"_ 0 0", b"other 99 100", b"k 0 -1"])
def test_the_words_of_the_set_do_not_matter(server: Server, words: bytes) -> None:
    """Key, flags and time of the set that authenticates are ignored; it stores nothing."""
    session = server.connect("auth")

    answer = authenticate(session, server.login, words=words)

    assert answer == b"STORED"
    assert session.data(words.split(b" ")[0]) is None


@clause("memcached-authentication-failure-is-client-error", "memcached-authentication-stored-is-success")
def test_a_second_try_may_succeed(server: Server) -> None:
    """After wrong credentials the right ones are taken."""
    session = server.connect("auth")
    session.ask(b"set k 0 0 11\r\nuser0 wrong")

    assert authenticate(session, server.login) == b"STORED"


@clause("memcached-authentication-nothing-before")
def test_each_connection_authenticates_itself(server: Server) -> None:
    """That one connection has authenticated helps no other."""
    assert authenticate(server.connect("auth"), server.login) == b"STORED"

    assert server.connect("auth").ask(b"version").startswith(b"CLIENT_ERROR ")

"""Ready means that the server has answered in its own protocol; and what is said of one that never does.

Knows sockets that play servers, and single containers that are thrown away.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

from lab.stack import images, leases, lifecycle, readiness
from lab.stack.engine import Engine
from lab.stack.progress import Quiet
from lab.stack.project import BadCompose, Lab, Question
from lab.stack.service import Service, from_listing
from lab.stack.sweep import labels_of_this_process
from lab.wire.authority import Authority
from suites.lab.stack_labs import ROOT, engine_or_skip, temporary_lab

GREETING = Question(25, re.compile(rb"^220 "))
Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk) -> Iterator[tuple[str, int]]:
    """Let one connection after another be served by `talk`; gives the address."""
    stop = threading.Event()
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _peer = listener.accept()
                except TimeoutError:
                    continue
                # who asks leaves as soon as the answer is there
                with connection, suppress(BrokenPipeError, ConnectionResetError):
                    talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        held.callback(thread.join)
        held.callback(stop.set)
        address: tuple[str, int] = listener.getsockname()
        yield address


def test_an_answer_that_matches_is_ready_even_in_pieces() -> None:
    """A greeting may come in any number of segments."""

    def talk(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in b"220 mx ready\r\n":
            connection.sendall(bytes([octet]))

    with server(talk) as address:
        assert readiness.ask(GREETING, address) is None


@pytest.mark.parametrize(
    ("sent", "why"), [(b"", "answered b''"), (b"421 busy\r\n", "421 busy"), (b"22", "answered b'22'")]
)
def test_an_accepted_connection_alone_is_not_ready(sent: bytes, why: str) -> None:
    """The engine's proxy accepts before the server listens: an end of stream, or another answer, is a no."""
    with server(lambda connection: connection.sendall(sent)) as address:
        assert why in (readiness.ask(GREETING, address) or "ready")


def test_silence_is_not_ready_and_ends_at_the_deadline() -> None:
    """A paused server accepts and says nothing; the attempt must not hang on it."""
    released = threading.Event()

    def talk(_connection: socket.socket) -> None:
        released.wait(10)

    with server(talk) as address:
        try:
            assert "timed out" in (readiness.ask(GREETING, address, 0.2) or "ready")
        finally:
            released.set()


def test_a_closed_port_is_not_ready() -> None:
    """Refused at once is an answer too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert "refused" in (readiness.ask(GREETING, address) or "ready")


def test_a_datagram_is_asked_and_answered() -> None:
    """By UDP the octets sent and the one datagram that comes back decide."""
    question = Question(53, re.compile(rb"^pong"), b"ping", transport="udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as played:
        played.bind(("127.0.0.1", 0))

        def answer() -> None:
            for reply in (b"pong", b"what"):
                _octets, peer = played.recvfrom(100)
                played.sendto(reply, peer)

        thread = threading.Thread(target=answer)
        thread.start()
        assert readiness.ask(question, played.getsockname()) is None
        assert "what" in (readiness.ask(question, played.getsockname()) or "ready")
        thread.join()


def test_a_server_behind_tls_is_asked_under_tls(tmp_path: Path) -> None:
    """The handshake has to succeed; whether the certificate is sound is for the cases to judge."""
    leaf = Authority.create(tmp_path).issue_expired("server", ["elsewhere.example"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)

    def talk(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.sendall(b"220 mx ready\r\n")
        except ssl.SSLError:
            return  # asked without TLS, below

    with server(talk) as address:
        assert readiness.ask(Question(465, re.compile(rb"^220 "), tls=True), address) is None
        assert readiness.ask(Question(465, re.compile(rb"^220 "), b"x" * 100), address) is not None


@contextmanager
def single_container(lab: Lab, command: list[str]) -> Iterator[Service]:
    """Run memcached's image with a command of the test's own, seen as a service of the lab."""
    engine: Engine = engine_or_skip()
    server_of_image = lab.servers()["memcached"]
    images.build(engine, [server_of_image], Quiet())
    name = f"{images.REPOSITORY}/memcached:{images.tag('memcached', None)}"
    testcontainers_config.ryuk_disabled = True
    container = DockerContainer(name).with_command(command[1:])
    container.ports["11211/tcp"] = ("127.0.0.1", None)  # type: ignore[assignment]  # docker's form for one address
    container.with_kwargs(
        entrypoint=command[0],
        labels=labels_of_this_process(lab, os.getpid()),
    )
    with container:
        with engine.session() as client:
            ident = container.get_wrapped_container().id
            listed = client.api.containers(all=True, filters={"id": ident})
        yield from_listing(listed[0], engine)


@pytest.mark.docker
def test_a_server_that_never_becomes_ready_is_given_up_with_its_log() -> None:
    """It runs, accepts through the proxy and answers nothing: the message tells state and last log lines."""
    lab = Lab.here(ROOT)
    with single_container(lab, ["bash", "-c", "echo starting; echo never mind; exec sleep 60"]) as service:
        refresh = _refresher(service)
        with pytest.raises(readiness.NotReady, match="tcp 11211") as given_up:
            readiness.wait(service, lab.servers()["memcached"].ready, refresh, seconds=1)
    assert given_up.value.state == "running"
    assert given_up.value.exit_code is None
    assert "never mind" in str(given_up.value)


@pytest.mark.docker
def test_a_server_that_ended_is_not_waited_for() -> None:
    """Its exit code and its last words are told at once, long before the deadline."""
    lab = Lab.here(ROOT)
    asked: list[float] = []

    def clock() -> float:
        asked.append(time.monotonic())
        return asked[-1]

    with (
        single_container(lab, ["bash", "-c", "echo bad configuration >&2; exit 7"]) as service,
        pytest.raises(readiness.NotReady, match="exit code 7") as given_up,
    ):
        readiness.wait(
            service, lab.servers()["memcached"].ready, _refresher(service), seconds=60, clock=clock
        )
    assert asked[-1] - asked[0] < 30
    assert given_up.value.exit_code == 7
    assert "bad configuration" in given_up.value.log


def _refresher(service: Service) -> Callable[[str], Service]:
    """Ask the engine for the container as it now stands."""

    def refresh(_name: str) -> Service:
        with service.engine.session() as client:
            return from_listing(
                client.api.containers(all=True, filters={"id": service.container})[0], service.engine
            )

    return refresh


@pytest.mark.docker
def test_up_says_which_server_failed_and_leaves_the_others_running(tmp_path: Path) -> None:
    """One server's wrong answer ends `up`; what did come up stays, so that it can be looked at."""
    compose = (
        (ROOT / "compose.yaml")
        .read_text(encoding="utf-8")
        .replace('expect: "^VERSION "', 'expect: "^NEVER "')
    )
    with temporary_lab(tmp_path / "checkout", compose=compose) as lab:
        with pytest.raises(readiness.NotReady, match=r"memcached is not ready: tcp 11211 answered b'VERSION"):
            leases.up_to_stay(lab, ["memcached", "dnsmasq"], seconds=5)
        assert {s.name: s.state for s in lifecycle.services(lab).values()} == {
            "memcached": "running",
            "dnsmasq": "running",
        }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("services: [", "ParserError"),
        ("x-erle: {accounts: {count: 1, prefix: u, domain: d}}", "KeyError: 'services'"),
        (
            (
                "x-erle: {accounts: {count: 1, prefix: u, domain: d}}\n"
                "services: {a: {x-erle: {ready: [{port: 1, expect: '('}]}}}"
            ),
            "unterminated subpattern",
        ),
    ],
    ids=["not-yaml", "no-services", "bad-expression"],
)
def test_a_compose_file_that_makes_no_sense_is_named(tmp_path: Path, text: str, why: str) -> None:
    """One line: which file, and what is wrong with it."""
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(BadCompose, match=why) as bad:
        Lab.here(tmp_path).servers()
    assert str(tmp_path / "compose.yaml") in str(bad.value)
    assert "\n" not in str(bad.value)

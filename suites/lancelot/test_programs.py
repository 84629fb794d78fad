"""The Lancelot client and the servers' command lines as a user meets them: what they print, refuse, and how they end.

What a server answers on the wire is for the conformance cases.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.wire.script import ScriptedPeer
from lab.wire.segmentation import octets as each_octet
from lab.wire.stream import RecordedStream
from suites.lancelot.programs import ANSWER, LANCELOT, SERVERS, ask, endpoint_in, first_line, serving

each_server = pytest.mark.parametrize("server", SERVERS, ids=" ".join)
PRINTED = """\
What is your name? My name is Sir Lancelot of Camelot.
What is your quest? To seek the Holy Grail.
What is your favorite color? Blue.
"""


# the client


def test_client_prints_the_answers() -> None:
    """The three questions and what a server says to them, a line each."""
    with serving("server_poll") as server:
        ran = LANCELOT.run("client", "127.0.0.1", str(server.endpoint.port))

    assert ran.succeeded() == PRINTED


def test_client_asks_everything_at_once() -> None:
    """With --pipeline no answer is waited for before the last question."""

    def dialogue(stream: RecordedStream) -> None:
        for _ in range(3):
            stream.receive_until(b"?")
        stream.send(b"One.Two.Three.")

    with ScriptedPeer(dialogue) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port), "--pipeline")

    lines = ran.succeeded().splitlines()
    assert [line.partition("? ")[2] for line in lines] == ["One.", "Two.", "Three."]


def test_client_puts_answers_together_that_come_in_pieces() -> None:
    """Each answer comes octet by octet, and the next one's beginning with its end."""

    def dialogue(stream: RecordedStream) -> None:
        stream.receive_until(b"?")
        stream.send(b"One. Tw")
        stream.receive_until(b"?")
        stream.send(b"o.Three")
        stream.receive_until(b"?")
        stream.send(b".")

    with ScriptedPeer(dialogue, segmentation=each_octet) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port))

    lines = ran.succeeded().splitlines()
    assert [line.partition("? ")[2] for line in lines] == ["One.", "Two.", "Three."]


def test_client_prints_nothing_that_moves_a_terminal() -> None:
    """Control characters and octets beyond ASCII come out as escapes."""

    def dialogue(stream: RecordedStream) -> None:
        for _ in range(3):
            stream.receive_until(b"?")
            stream.send(b"\x1b[2J\xff.")

    with ScriptedPeer(dialogue) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port))

    assert ran.succeeded().count("\\x1b[2J\\xff.") == 3


def test_client_tells_of_a_connection_that_ends_in_an_answer() -> None:
    """What had come is in the one line."""

    def dialogue(stream: RecordedStream) -> None:
        stream.receive_until(b"?")
        stream.send(b"My name is")

    with ScriptedPeer(dialogue) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port))

    ran.failed_with("in the middle of an answer", "My name is")


def test_client_does_not_wait_for_ever() -> None:
    """A server that says nothing costs the time-out; so does one that dribbles."""

    def dialogue(stream: RecordedStream) -> None:
        stream.receive_until(b"?")
        stream.receive_to_end()

    with ScriptedPeer(dialogue) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port), "--timeout", "0.2")

    ran.failed_with("timed out")


def test_client_does_not_collect_without_end() -> None:
    """An answer without a full stop is given up after 4096 octets."""

    def dialogue(stream: RecordedStream) -> None:
        stream.receive_until(b"?")
        stream.send(b"x" * 100_000)
        stream.receive_to_end()

    with ScriptedPeer(dialogue) as peer:
        ran = LANCELOT.run("client", "127.0.0.1", str(peer.endpoint.port))

    ran.failed_with("4096 octets came without a full stop")


def test_client_tells_that_nobody_listens() -> None:
    """A refused connection is one line."""
    with ScriptedPeer(RecordedStream.close) as peer:
        port = peer.endpoint.port

    LANCELOT.run("client", "127.0.0.1", str(port)).failed_with("Connection refused")


def test_client_tells_that_a_name_is_unknown() -> None:
    """A name under .invalid is never found (RFC 6761, section 6.4)."""
    LANCELOT.run("client", "camelot.invalid").failed_with("camelot.invalid", "name not found")


@pytest.mark.parametrize("words", [(), ("h", "0"), ("h", "65536"), ("h", "x"), ("h", "--timeout", "0")])
def test_client_refuses_wrong_arguments(words: tuple[str, ...]) -> None:
    """One line, status 2."""
    LANCELOT.run("client", *words).failed_with("--help", status=2)


# the servers


@each_server
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_server_says_where_it_listens_and_ends_at_a_signal(
    server: tuple[str, ...], number: signal.Signals
) -> None:
    """`listening on HOST:PORT` is its first and only line, and there it answers; status 0."""
    with serving(*server) as running:
        assert ask(running.endpoint) == ANSWER
        ran = running.stop(number)

    assert ran.succeeded() == ""


@each_server
def test_server_ignores_sighup(server: tuple[str, ...]) -> None:
    """SIGHUP is for the daemon; a server at a terminal goes on."""
    with serving(*server) as running:
        running.process.send_signal(signal.SIGHUP)
        assert ask(running.endpoint) == ANSWER
        ran = running.stop()

    ran.succeeded()


@each_server
def test_server_tells_that_the_port_is_taken(server: tuple[str, ...]) -> None:
    """Also the one that shares its port among its own workers does not share it with a stranger."""
    with serving(*server) as running:
        program, *options = server
        ran = LANCELOT.run(program, "127.0.0.1", "--port", str(running.endpoint.port), *options)

    ran.failed_with(str(running.endpoint.port), "Address already in use", "--port 0")


@each_server
def test_server_help_teaches(server: tuple[str, ...]) -> None:
    """What to type, what it prints, what the exit status means."""
    said = LANCELOT.run(server[0], "--help").succeeded()

    for word in ("INTERFACE", "--port", "1060", "listening on", "SIGTERM", "Exit status", "Try it"):
        assert word in said, f"no {word!r} in {said}"


def test_server_takes_an_ipv6_interface() -> None:
    """The address stands in brackets, so that it can be told from the port."""
    process = LANCELOT.start("server_epoll", "::1", "--port", "0")
    try:
        assert first_line(process).startswith("listening on [::1]:")
    finally:
        process.terminate()
        LANCELOT.finish("server_epoll", process)


@pytest.mark.parametrize(
    ("words", "complaint", "status"),
    [
        ((), "INTERFACE", 2),
        (("127.0.0.1", "--port", "65536"), "no TCP port", 2),
        (("127.0.0.1", "--grace", "-1"), "no time in seconds", 2),
        (("127.0.0.1", "--frobnicate"), "--frobnicate", 2),
        (("camelot.invalid",), "no such interface or name", 1),
        (("192.0.2.1",), "Cannot assign requested address", 1),
    ],
)
def test_server_refuses_wrong_arguments(words: tuple[str, ...], complaint: str, status: int) -> None:
    """One line that names what is wrong."""
    LANCELOT.run("server_poll", *words).failed_with(complaint, status=status)


@pytest.mark.parametrize("workers", ["0", "1001", "x"])
def test_number_of_workers_is_checked(workers: str) -> None:
    """One line, status 2."""
    LANCELOT.run("server_threads", "127.0.0.1", "--workers", workers).failed_with(
        "no number of workers", status=2
    )


# the judge's door


@each_server
def test_door_starts_a_server_and_ends_it_with_its_input(server: tuple[str, ...]) -> None:
    """A line of configuration in, the port out, the end of the input as a signal."""
    program, *options = server
    process = LANCELOT.start("service", program.removeprefix("server_"), *options, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"host": "127.0.0.1"}\n')
    process.stdin.flush()

    port = json.loads(first_line(process))["ready"]["plain"]

    with serving("server_epoll"):  # its own port is not in the way
        LANCELOT.run("client", "127.0.0.1", str(port)).succeeded()
    LANCELOT.finish("service", process, "").succeeded()


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "x", '{"host": 1}', '{"host": "127.0.0.1", "port": "1"}', '{"host": "::1", "x": 1}'],
)
def test_door_refuses_a_wrong_configuration(line: str) -> None:
    """One line that shows what is expected."""
    process = LANCELOT.start("service", "poll", stdin=subprocess.PIPE)

    LANCELOT.finish("service", process, f"{line}\n").failed_with('{"host": "127.0.0.1", "port": 0} expected')


# what cannot be brought about from outside

#: Starts the threads server with one worker, which dies with its first client.
WITH_A_DEFECT = """
import sys
from pathlib import Path
from implementations.lancelot import server_threads as program

attend = program.attend

def attend_second(connection, *rest):
    program.attend = attend
    while connection.recv(4096):
        pass
    connection.close()
    raise RuntimeError("a defect")

program.attend = attend_second
sys.exit(program.main(program.SERVER, ["127.0.0.1", "--port", "0", "--workers", "1"]))
"""


def test_thread_that_died_is_replaced() -> None:
    """It costs its client; the next one is served by a new worker, and the log has the defect."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_A_DEFECT],
        cwd=Path(__file__).resolve().parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        endpoint = endpoint_in(first_line(process))
        answers = [ask(endpoint), ask(endpoint)]
    finally:
        process.terminate()
        ran = LANCELOT.finish("server_threads", process)

    assert answers == [b"", ANSWER]
    assert ran.status == 0
    assert "RuntimeError: a defect" in ran.complaint

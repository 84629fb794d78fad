"""The programs squares and hashing, run as a user runs them: on memcached, and on servers that fail them."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lab.judge.programs import Programs, Ran
from lab.judge.verdict import Blocked
from lab.stack.project import Lab
from lab.stack.service import Service
from lab.wire.answers import Answer, reset, say_and_be_silent, say_and_close, silence
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from lab.wire.script import ScriptedPeer
from suites.memcached.hosts import SHARDS, Shard, held
from suites.memcached.responder import Manners, Responder
from suites.memcached.session import Session

run = Programs("implementations.memcached", deadline=60.0).run
WORDS = ["apple", "avocado", "banana", "cherry", "date", "élan", "zebra", "zucchini", "9lives", "Mango"]
#: Keys of a way begin with its name.
WAYS = ("first-letter", "hash", "md5", "ketama")


@pytest.fixture
def four(lab: Lab, reference_services: Mapping[str, Service] | None) -> Iterator[list[Shard]]:
    """The four servers, empty."""
    if reference_services is None:
        pytest.skip("the run was told to do without the reference server")
    try:
        with held(lab, *SHARDS) as mine:
            yield mine
    except Blocked as error:
        pytest.skip(str(error))


def places(servers: list[Shard]) -> list[str]:
    """The servers as a command line names them."""
    return [f"{server.endpoint().host}:{server.endpoint().port}" for server in servers]


def items(server: Shard) -> int:
    """How many items a server has been given, and the key it is asked by."""
    with connect(server.endpoint(), timeout=5.0) as stream:
        return int(Session(stream).stats()["total_items"])


@pytest.fixture
def word_file(tmp_path: Path) -> Path:
    """A list of words."""
    path = tmp_path / "words"
    path.write_text("\n".join(WORDS), encoding="utf-8")
    return path


# squares


def test_squares_come_out_of_the_cache_more_and_more(four: list[Shard]) -> None:
    """Each round has more answers from the cache than the first, and the last ones take less time than the first."""
    [place] = places(four[:1])

    ran = run(
        "squares",
        place,
        "--rounds",
        "6",
        "--count",
        "300",
        "--largest",
        "400",
        "--pause",
        "0.002",
        "--seed",
        "7",
    )

    ran.succeeded()
    rounds = re.findall(r"^round +(\d+): +([\d.]+) s, +([\d.]+)% from the cache$", ran.output, re.MULTILINE)
    assert [int(number) for number, _, _ in rounds] == [1, 2, 3, 4, 5, 6]
    shares = [float(share) for _, _, share in rounds]
    assert shares == sorted(shares)
    assert shares[-1] > 90 > shares[0], f"from the cache: {shares}"
    assert float(rounds[-1][1]) < float(rounds[0][1]), f"seconds: {rounds}"
    with connect(four[0].endpoint(), timeout=5.0) as stream:
        held = {number: Session(stream).data(b"square:%d" % number) for number in range(401)}
    assert {number: int(data) for number, data in held.items() if data} == {
        number: number * number for number, data in held.items() if data
    }
    assert sum(data is not None for data in held.values()) > 300


def test_squares_does_ten_rounds_of_two_thousand(four: list[Shard]) -> None:
    """Without options there are ten rounds of 2000."""
    [place] = places(four[:1])

    ran = run("squares", place, "--pause", "0")

    ran.succeeded()
    assert ran.output.count("from the cache") == 10
    with connect(four[0].endpoint(), timeout=5.0) as stream:
        assert Session(stream).stats()["cmd_get"] == "20000"


def test_a_wrong_square_is_not_printed(four: list[Shard]) -> None:
    """What somebody else has left under a key is not taken for the answer."""
    [place] = places(four[:1])
    with connect(four[0].endpoint(), timeout=5.0) as stream:
        for number in range(11):
            Session(stream).put(b"square:%d" % number, b"x")

    run("squares", place, "--largest", "10").failed_with("holds b'x' as the square of")


# hashing


def test_hashing_puts_each_word_on_one_server(four: list[Shard], word_file: Path) -> None:
    """For each way every word is on the server that the table counts it for, and on no other."""
    ran = run(
        "hashing", *places(four), "--words", str(word_file), environment={**os.environ, "PYTHONHASHSEED": "0"}
    )

    ran.succeeded()
    table = {
        re.sub(" ", "-", line[:13].strip()): [int(word) for word in line[13:].split("×")[0].split()]
        for line in ran.output.splitlines()
        if "×" in line
    }
    assert tuple(table) == WAYS
    found: dict[str, list[int]] = {way: [] for way in WAYS}
    for server in four:
        with connect(server.endpoint(), timeout=5.0) as stream:
            session = Session(stream)
            for way in WAYS:
                held = [word for word in WORDS if session.data(f"{way}:{word}".encode()) == word.encode()]
                found[way].append(len(held))
    assert found == table
    assert all(sum(counts) == len(WORDS) for counts in table.values())
    assert sum(items(server) for server in four) == len(WAYS) * len(WORDS)


def shares(ran: Ran, way: str) -> tuple[float, float, float]:
    """The figures of a way: the fullest server, and the per cent that move and are lost."""
    match = re.search(rf"^{way} .*× *([\d.]+) +([\d.]+)% +([\d.]+)%$", ran.output, re.MULTILINE)
    assert match is not None, f"no line for {way} in {ran.output}"
    return float(match[1]), float(match[2]), float(match[3])


def test_hashing_shows_balance_and_moves(four: list[Shard]) -> None:
    """Consistent hashing moves about a fifth of the words for a fifth server, md5 four fifths; hash() is lost to others."""
    ran = run("hashing", *places(four), "--limit", "1500")

    ran.succeeded()
    letter, _, letter_lost = shares(ran, "first letter")
    _, hash_moved, hash_lost = shares(ran, "hash")
    md5, md5_moved, md5_lost = shares(ran, "md5")
    ketama, ketama_moved, ketama_lost = shares(ran, "ketama")
    assert (letter_lost, md5_lost, ketama_lost) == (0, 0, 0)
    assert 60 < hash_lost < 90, f"three quarters of the words are lost to another process, not {hash_lost} %"
    assert 70 < md5_moved < 90
    assert 70 < hash_moved < 90
    assert 10 < ketama_moved < 30
    assert md5 < 1.2 < letter
    assert ketama < 1.4
    assert "PYTHONHASHSEED" in ran.output


def test_hashing_with_a_fixed_seed_loses_nothing(four: list[Shard], word_file: Path) -> None:
    """With PYTHONHASHSEED every process has the same hash."""
    ran = run(
        "hashing", *places(four), "--words", str(word_file), environment={**os.environ, "PYTHONHASHSEED": "1"}
    )

    assert shares(ran, "hash")[2] == 0


def test_hashing_draws_a_plot(four: list[Shard], word_file: Path, tmp_path: Path) -> None:
    """The plot is a picture that tells the ways and what it shows, and nothing half-written stands beside it."""
    pytest.importorskip("matplotlib")
    picture = tmp_path / "plot.svg"

    ran = run("hashing", *places(four), "--words", str(word_file), "--plot", str(picture))

    ran.succeeded()
    assert f"plot: {picture}" in ran.output
    root = ET.parse(picture).getroot()  # noqa: S314 - our own program has just made it
    assert root.tag.endswith("svg")
    comments = picture.read_text(encoding="utf-8")
    assert all(f"<!-- {word} -->" in comments for word in ("first letter", "hash", "md5", "ketama"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.svg", "words"]


# bad input

WRONG: dict[str, tuple[str, list[str], str]] = {
    "squares-port": ("squares", ["localhost"], "'localhost' is not HOST:PORT"),
    "squares-port-high": ("squares", ["localhost:65536"], "'localhost:65536' is not HOST:PORT"),
    "squares-rounds": ("squares", ["--rounds", "0"], "'0' is no whole number from 1"),
    "squares-count": ("squares", ["--count", "many"], "'many' is no whole number from 1"),
    "squares-pause": ("squares", ["--pause", "nan"], "'nan' is no time in seconds"),
    "squares-timeout": ("squares", ["--timeout", "0"], "'0' is no time in seconds"),
    "squares-option": ("squares", ["--x-erle"], "--x-erle"),
    "hashing-nothing": ("hashing", [], "HOST:PORT"),
    "hashing-port": ("hashing", ["a:1", "b:x"], "'b:x' is not HOST:PORT"),
    "hashing-limit": ("hashing", ["a:1", "--limit", "-1"], "'-1' is no whole number from 1"),
}


@pytest.mark.parametrize(("program", "words", "complaint"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(program: str, words: list[str], complaint: str) -> None:
    """Exit status 2, and one line that says which argument is wrong."""
    run(program, *words).failed_with(complaint, status=2)


@pytest.mark.parametrize("program", ["squares", "hashing"])
def test_help(program: str) -> None:
    """`--help` tells the options and the exit status."""
    ran = run(program, "--help")

    ran.succeeded()
    assert "--timeout SECONDS" in ran.output
    assert "Exit status" in ran.output


UNUSABLE: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "No such file or directory"),
    "empty": (b"\n \n", "no words in it"),
    "no-text": (b"\xff\xfe", "no text in UTF-8"),
    "long": (b"x" * 201, "no key can hold it"),
}


@pytest.mark.parametrize(("octets", "complaint"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_word_files_are_refused(octets: bytes | None, complaint: str, tmp_path: Path) -> None:
    """The line names the file, and no server is asked."""
    path = tmp_path / "words"
    if octets is not None:
        path.write_bytes(octets)

    run("hashing", "127.0.0.1:1", "--words", str(path)).failed_with(str(path), complaint)


@pytest.mark.parametrize("name", ["plot.jpeg", "plot", "no/folder.svg"])
def test_plots_that_cannot_be_drawn_are_refused(name: str, tmp_path: Path) -> None:
    """What ends otherwise, or goes into no folder, is told before any server is asked."""
    ran = run("hashing", "127.0.0.1:1", "--plot", str(tmp_path / name))

    ran.failed_with(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_server_named_twice_is_refused() -> None:
    """Two names for one server would be one server."""
    run("hashing", "127.0.0.1:1", "127.0.0.1:1").failed_with("a server stands there twice")


# servers that fail


@pytest.fixture
def script() -> Iterator[Callable[[dict[str, Answer]], str]]:
    """Opens a server that answers so; gives its place."""
    opened: list[ScriptedPeer] = []

    def begin(answers: dict[str, Answer]) -> str:
        opened.append(ScriptedPeer(Responder(Manners(answers=answers))))
        endpoint: Endpoint = opened[-1].endpoint
        return f"{endpoint.host}:{endpoint.port}"

    yield begin
    for peer in opened:
        peer.close()


FAILING: dict[str, tuple[dict[str, Answer], str]] = {
    "error": ({"get": b"ERROR\r\n"}, "answered b'ERROR'"),
    "server-error": ({"set": b"SERVER_ERROR out of memory\r\n"}, "out of memory"),
    "not-stored": ({"set": b"NOT_STORED\r\n"}, "NOT_STORED"),
    "garbage": ({"get": b"\x1b[2J\r\n"}, "answered b'\\x1b[2J'"),
    "other-key": ({"get": b"VALUE other 0 1\r\n1\r\nEND\r\n"}, "VALUE other"),
    "closed": ({"get": say_and_close(b"VALUE ")}, "closed the connection"),
    "reset": ({"get": reset}, "reset by peer"),
    "silent": ({"get": silence}, "no answer in time"),
    "stalled": ({"set": say_and_be_silent(b"STO")}, "no answer in time"),
    "endless": ({"get": b"x" * 70_000}, "answered b'xxx"),
}


@pytest.mark.parametrize("program", ["squares", "hashing"])
@pytest.mark.parametrize(("answers", "complaint"), FAILING.values(), ids=FAILING)
def test_a_failing_server_is_told_in_one_line(
    program: str, answers: dict[str, Answer], complaint: str, script: Callable[[dict[str, Answer]], str]
) -> None:
    """Exit status 1, and one line that names the server and what it did."""
    place = script(answers)

    # the script leaves after a number of commands
    few = ["--limit", "5"] if program == "hashing" else []

    run(program, place, "--timeout", "0.5", *few).failed_with(place, complaint)


@pytest.mark.parametrize("program", ["squares", "hashing"])
def test_a_server_that_is_not_there_is_told(program: str) -> None:
    """Nobody listens, or the name is none."""
    run(program, "127.0.0.1:1").failed_with("127.0.0.1:1", "Connection refused")
    run(program, "no-such-name.invalid:11211").failed_with("no-such-name.invalid:11211")
    run(program, f"{'x' * 70}.example:11211").failed_with("can be no host's name")

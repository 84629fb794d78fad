"""Where servers under test run: what the lab sees of their processes, and verdicts that differ between places."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli import run_command
from lab.judge.place import HERE, family, parse_stat
from lab.judge.rows import Row, differ_by_place
from suites.lab.command_line import erle
from suites.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


def row(implementation: str, place: str, verdict: str, case: str = "p.server.c") -> Row:
    """A verdict."""
    return Row(
        case=case,
        nodeid=f"{case} {implementation}",
        title="",
        protocol="p",
        role="server",
        clauses=["c"],
        implementation=implementation,
        place=place,
        peer="-",
        peer_kind="-",
        cut="whole",
        verdict=verdict,
        reason="",
        attempts=None,
        seconds=0.0,
        transcripts=[],
        reproduce="",
        known=None,
        expected=True,
    )


def test_a_verdict_that_differs_by_place_is_unexpected() -> None:
    """Also where it is the better one; the reason says both."""
    rows = [
        row("a", "", "pass"),
        row("a@erle", "erle", "fail"),
        row("b", "", "lenient"),
        row("b@erle", "erle", "pass"),
    ]

    differing = differ_by_place(rows)

    assert [each["implementation"] for each in differing] == ["a@erle", "b@erle"]
    assert [each["expected"] for each in rows] == [True, False, True, False]
    assert rows[1]["reason"].startswith("differs by place: pass here, fail on erle")


def test_verdicts_without_a_twin_do_not_differ() -> None:
    """The same verdict, another case, another implementation: no difference."""
    rows = [
        row("a", "", "pass"),
        row("a@erle", "erle", "pass"),
        row("a@erle", "erle", "fail", case="p.server.d"),
        row("b@erle", "erle", "fail"),
        row("c", "", "pass"),
        row("c@erle", "erle", "blocked"),
    ]

    assert differ_by_place(rows) == []
    assert all(each["expected"] for each in rows)


def test_a_family_is_a_process_and_its_living_descendants() -> None:
    """Neither strangers nor those who wait to be reaped."""
    table = {1: (0, "S"), 7: (1, "S"), 8: (7, "R"), 9: (8, "S"), 10: (7, "Z"), 11: (1, "S")}

    assert family(7, table) == (7, 8, 9)
    with pytest.raises(ProcessLookupError):
        family(10, table)


def test_a_name_with_spaces_and_brackets_is_no_trouble() -> None:
    """The second field of /proc/PID/stat may hold anything."""
    text = "42 (a) b (c)) S 7 42 42 0 -1 4194560 9 0 0 0 30 12 0 0 20 0 1 0 5 6 7"

    assert parse_stat(text) == (7, "S")


def test_processes_here_are_seen_limited_and_signalled() -> None:
    """A process that is started by the launcher says its pid, has the descriptors it may have, and ends by a signal."""
    count = "import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], flush=True); input()"
    child = subprocess.Popen(
        HERE.argv([sys.executable, "-c", count], descriptors=50),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    said, limit = child.stdout.readline(), child.stdout.readline()

    usage = HERE.usage(child.pid)
    HERE.signal(child.pid, signal.SIGTERM)
    status = child.wait(10)
    child.stdin.close()
    child.stdout.close()

    assert (said, limit) == (f'{{"pid": {child.pid}}}\n'.encode(), b"50\n")
    assert usage.processes == (child.pid,)
    assert usage.resident > 1 << 20
    assert usage.descriptors >= 3
    assert status == -signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        HERE.usage(child.pid)


def test_a_group_is_ended_with_its_children() -> None:
    """What a server leaves behind when it is killed does not stay."""
    script = (
        "import subprocess, sys; c = subprocess.Popen(['sleep', '100']); print(c.pid, flush=True); c.wait()"
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    left = int(child.stdout.readline())
    child.kill()
    child.wait()
    child.stdout.close()

    HERE.end_group(child.pid)

    def gone() -> bool:
        path = Path(f"/proc/{left}/stat")
        return not path.exists() or path.read_text(encoding="latin-1").rpartition(")")[2].split()[0] == "Z"

    assert wait_until(gone, 10), "the child is still there"


@pytest.mark.parametrize(
    ("words", "said"),
    [(["lancelot", "--on", "earl"], "did you mean erle"), (["smtp", "--on", "erle"], "")],
    ids=["unknown", "unable"],
)
def test_places_that_cannot_be_are_told(words: list[str], said: str) -> None:
    """An unknown place, and a protocol whose servers cannot be started elsewhere, are usage errors."""
    ended = erle("run", *words)

    assert ended.returncode in {2, 3}, ended.stderr
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_board_is_given_the_suites_whose_servers_can_run_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a protocol on the command line no other suite is collected, so no server of theirs is brought up."""
    handed: list[list[str]] = []

    class Front:
        def __init__(self, _suites: object, words: list[str], **_rest: object) -> None:
            handed.append(words)

        def run(self) -> int:
            return 0

    monkeypatch.setattr(run_command, "_Front", Front)

    run_command.run(on="erle")

    assert [word for word in handed[0] if word.startswith("suites")] == ["suites/lancelot"]

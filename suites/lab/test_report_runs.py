"""Reading a results folder: what is written is read back, and what is torn, wrong or hostile is told in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import UnknownName
from lab.judge.checked_json import RunError
from lab.judge.results import RunWriter
from lab.judge.runs import find_run, read_run, read_transcript, read_verdicts, run_ids
from lab.wire.transcript import Transcript
from suites.lab.synthetic_runs import Plan, verdict_row, write_run


def test_a_run_is_read_back_whole(tmp_path: Path) -> None:
    """Rows, clauses, implementations of the same name in two roles, peers and controls are all there."""
    run = read_run(write_run(tmp_path))
    assert len(run.verdicts) == 2 * 12 * 3 * 3
    assert len(run.suites["smtp"].clauses) == 36
    client, server = (run.implementation("smtp", role, "twisted") for role in ("client", "server"))
    assert client is not None
    assert server is not None
    assert client.entry != server.entry
    assert run.peers["postfix"].image == "sha256:" + "a" * 64
    assert [control.when for control in run.controls] == ["opening", "closing"]
    assert run.warnings == ()


def test_what_the_judge_writes_is_read(tmp_path: Path) -> None:
    """The writer of results and this reader agree, also on a run that was cut off before its first verdict."""
    writer = RunWriter(tmp_path / "20261122T173000Z-1a2b3c")
    writer.add(verdict_row(reason="ein Grüßen ☃"))
    record = {
        "command": ["smtp"],
        "version": "0.1.0",
        "exit": 0,
        "interrupted": True,
        "seed": 0,
        "profile": "quick",
        "engine": None,
        "suites": {},
        "implementations": {},
        "peers": {},
        "controls": [],
        "left_out": [],
        "lost": ["suites/x.py::test_y[z]"],
        "stale_notes": ["n"],
    }
    writer.finish(record)
    run = read_run(find_run(tmp_path))
    assert (run.id, run.verdicts[0].reason, run.stale_notes) == (writer.id, "ein Grüßen ☃", ("n",))
    assert run.lost == ("suites/x.py::test_y[z]",)
    (writer.directory / "verdicts.jsonl").unlink()
    run = read_run(writer.directory)
    assert run.verdicts == ()
    assert "before its first verdict" in run.warnings[0]


def test_what_the_tap_writes_is_read(tmp_path: Path) -> None:
    """A transcript keeps its octets, its times, and the count of what was not written."""
    recorded = Transcript("here", "there", clock=iter([0.0, 0.25, 0.5, 0.75]).__next__)
    recorded.record("client", "data", b"\x00\xff\r\n")
    recorded.record("server", "data", b"x" * 20_000)
    recorded.record("lab", "note", "déjà".encode())
    (tmp_path / "transcripts").mkdir()
    recorded.write(tmp_path / "transcripts" / "t.jsonl")
    found = read_transcript(tmp_path, "transcripts/t.jsonl")
    assert (found.client, found.server) == ("here", "there")
    assert [event.seconds for event in found.events] == [0.25, 0.5, 0.75]
    assert found.events[0].data == b"\x00\xff\r\n"
    assert len(found.events[1].data) + found.events[1].omitted == 20_000
    assert (found.events[2].sender, found.events[2].note) == ("lab", "déjà")


def test_a_torn_last_line_is_left_out_with_a_warning(tmp_path: Path) -> None:
    """The runner was killed while it wrote: what came before counts."""
    directory = write_run(tmp_path)
    path = directory / "verdicts.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    run = read_run(directory)
    assert len(run.verdicts) == 215
    assert run.warnings == ("verdicts.jsonl:216: the last line is torn and was left out",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"{torn", "not JSON"),
        (b"[]", "expected an object, found a list"),
        (json.dumps(verdict_row(verdict="great")).encode(), "'verdict' should be one of pass, fail"),
        (json.dumps(verdict_row(seconds="quick")).encode(), "'seconds' should be a number, found a string"),
        (json.dumps(verdict_row(expected=1)).encode(), "'expected' should be true or false, found a number"),
        (json.dumps(verdict_row(clauses="one")).encode(), "'clauses' should be a list of strings"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 200_000, "not JSON"),
    ],
)
def test_a_wrong_line_is_told_with_its_place(tmp_path: Path, line: bytes, told: str) -> None:
    """A line in the middle that is wrong names file, line and field, in one line."""
    directory = write_run(tmp_path)
    path = directory / "verdicts.jsonl"
    rows = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([rows[0], line, *rows[1:]]))
    with pytest.raises(RunError, match=r"verdicts\.jsonl:2: ") as raised:
        read_run(directory)
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema": 2}, "schema 2 is not one this version reads"),
        ({"id": None}, "'id' should be a string, found null"),
        ({"peers": []}, "expected an object, found a list"),
        ({"controls": [{"name": "c"}]}, "controls[0]: 'when' should be a string, found nothing"),
    ],
)
def test_a_wrong_record_is_told(tmp_path: Path, change: dict[str, object], told: str) -> None:
    """A mistake in run.json names the field."""
    directory = write_run(tmp_path)
    path = directory / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    with pytest.raises(RunError) as raised:
        read_run(directory)
    assert told in str(raised.value)


def test_only_wanted_lines_are_parsed(tmp_path: Path) -> None:
    """Looking for one clause does not stumble over another line's mistake."""
    directory = write_run(tmp_path)
    path = directory / "verdicts.jsonl"
    path.write_bytes(b"{wrong}\n" + path.read_bytes())
    rows, warnings = read_verdicts(directory, containing="rfc5321-4.1.1-client-greeting-is-refused-0")
    assert 0 < len(rows) < 216
    assert warnings == ()


def test_a_run_is_found_by_id_beginning_folder_and_latest(tmp_path: Path) -> None:
    """`latest` is what the pointer says, or the newest where the pointer leads nowhere."""
    first = write_run(tmp_path, Plan(run="20261122T173000Z-1a2b3c"))
    second = write_run(tmp_path, Plan(run="20261123T080000Z-ffffff"))
    assert run_ids(tmp_path) == (second.name, first.name)
    assert find_run(tmp_path) == second
    assert find_run(tmp_path, "20261122") == first
    assert find_run(tmp_path, first.name) == first
    assert find_run(tmp_path / "nowhere", str(first)) == first
    (tmp_path / "latest").write_text("gone\n", "utf-8")
    assert find_run(tmp_path) == second


def test_an_unknown_run_is_told_with_the_nearest(tmp_path: Path) -> None:
    """A beginning that fits two runs names them; without any run the remedy is told."""
    with pytest.raises(RunError, match="no run in") as raised:
        find_run(tmp_path)
    assert raised.value.remedy == "./erle run"
    write_run(tmp_path, Plan(run="20261122T173000Z-1a2b3c"))
    write_run(tmp_path, Plan(run="20261122T180000Z-ffffff"))
    with pytest.raises(UnknownName, match="20261122T180000Z-ffffff or 20261122T173000Z-1a2b3c"):
        find_run(tmp_path, "20261122")
    with pytest.raises(UnknownName, match="no run called 'x'"):
        find_run(tmp_path, "x")

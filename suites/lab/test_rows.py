"""What a run makes of its rows: repeats, disputes, known failures."""

from __future__ import annotations

import pytest

from lab.judge.rows import Row, dispute, merge_attempts, settle_expectations


def row(verdict: str, *, implementation: str = "smtplib", reason: str = "") -> Row:
    """A row with this verdict; its transcript is called as the verdict."""
    return {
        "case": "smtp.server.c",
        "nodeid": "t.py::c",
        "title": "A title.",
        "protocol": "smtp",
        "role": "server",
        "clauses": ["one"],
        "implementation": implementation,
        "place": "",
        "peer": "driver",
        "peer_kind": "driver",
        "cut": "whole",
        "verdict": verdict,
        "reason": reason or verdict,
        "attempts": None,
        "seconds": 0.1,
        "transcripts": [verdict],
        "reproduce": "./erle run",
        "known": None,
        "expected": True,
    }


@pytest.mark.parametrize(
    ("attempts", "verdict", "reason"),
    [
        (["pass"], "pass", "pass"),
        (["fail", "fail"], "fail", "fail"),
        (["fail", "pass"], "flaky", "fail"),
        (["lenient", "fail"], "flaky", "lenient"),
        (["fail", "blocked"], "blocked", "blocked"),
        (["blocked", "blocked"], "blocked", "blocked"),
        (["blocked", "pass"], "pass", "pass"),
        (["blocked", "fail", "pass"], "flaky", "fail"),
    ],
)
def test_attempts_at_one_case_make_one_verdict(attempts: list[str], verdict: str, reason: str) -> None:
    """Different answers are flaky; an attempt that got none counts only as the last one."""
    merged = merge_attempts([row(name) for name in attempts])

    assert (merged["verdict"], merged["reason"]) == (verdict, reason)
    assert merged["transcripts"] == attempts
    assert merged["attempts"] == (
        f"{sum(name != 'pass' for name in attempts)}/{len(attempts)}" if len(attempts) > 1 else None
    )


def test_what_the_reference_fails_too_is_disputed() -> None:
    """A failure is disputed where the reference server fails the same case, and so is the reference's own."""
    rows = [row("fail", implementation="postfix"), row("fail"), row("pass", implementation="twisted")]

    dispute(rows, frozenset({"postfix"}))

    assert [entry["verdict"] for entry in rows] == ["disputed", "disputed", "pass"]


@pytest.mark.parametrize(
    ("verdict", "known", "expected"),
    [
        ("pass", False, True),
        ("lenient", False, True),
        ("unsupported", False, True),
        ("fail", False, False),
        ("fail", True, True),
        ("disputed", True, True),
        ("blocked", True, False),
        ("flaky", True, False),
    ],
)
def test_a_note_excuses_a_failure_alone(verdict: str, known: bool, expected: bool) -> None:  # noqa: FBT001 - a parameter
    """What could not be asked, and what did not repeat, is to be looked at whatever is written down."""
    rows = [row(verdict)]
    rows[0]["known"] = {"id": "a-note", "reason": "because"} if known else None

    settle_expectations(rows)

    assert rows[0]["expected"] is expected

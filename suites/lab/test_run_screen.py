"""What a run leaves on the terminal: matrix, known failures, and last what to look at.

Knows made-up rows of made-up protocols. Must not know how a run comes about.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from lab.cli.console import SHOWN, show_run
from lab.judge.rows import Row
from lab.judge.suite import Suite, load_suite

REPORT = f"./erle report --results /{'long/' * 30}[folder]"


@pytest.fixture
def suites(tmp_path: Path) -> list[Suite]:
    """Two protocols of one clause each."""
    made = []
    for name in ("chat", "post"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "suite.toml").write_text(f'protocol = "{name}"\ntitle = "The {name} protocol"\n')
        (folder / "clauses.toml").write_text(
            f'protocol = "{name}"\n[groups]\ntalk = "Talk"\n[[clause]]\nid = "{name}-1-hello"\nspec = "Spec"\n'
            'section = "1"\nlevel = "MUST"\nparty = "client"\ngroup = "talk"\nsentences = [1]\ntext = "Says hello."\n'
        )
        made.append(load_suite(folder))
    return made


def row(protocol: str, case: str, verdict: str, *, known: str | None = None, expected: bool = True) -> Row:
    """A verdict of the client `tiny` on the clause of a protocol."""
    return {
        "case": f"{protocol}.client.{case}",
        "nodeid": f"t.py::{case}",
        "title": "A title.",
        "protocol": protocol,
        "role": "client",
        "clauses": [f"{protocol}-1-hello"],
        "implementation": "tiny",
        "place": "",
        "peer": "script",
        "peer_kind": "script",
        "cut": "whole",
        "verdict": verdict,
        "reason": f"seen in {case}",
        "attempts": None,
        "seconds": 0.1,
        "transcripts": [],
        "reproduce": "./erle run",
        "known": {"id": known, "reason": f"why of {known}"} if known else None,
        "expected": expected,
    }


def screen(folder: Path, rows: list[Row], suites: list[Suite]) -> str:
    """What stands on a terminal of 80 columns."""
    written = io.StringIO()
    show_run(Console(file=written, width=80, highlight=False), folder, rows, suites, report=REPORT)
    return written.getvalue()


def test_what_to_look_at_stands_last(suites: list[Suite], tmp_path: Path) -> None:
    """No matrix and no note of a later protocol pushes a finding of an earlier one up the screen."""
    shown = screen(
        tmp_path,
        [
            row("chat", "a", "fail", expected=False),
            row("chat", "b", "fail", known="chat-b"),
            row("post", "c", "fail", known="post-c"),
            row("post", "d", "fail", expected=False),
        ],
        suites,
    )

    order = [
        "The chat protocol",
        "The post protocol",
        "Clauses passed",
        "chat-b: why of chat-b",
        "post-c: why of post-c",
        "chat.client.a",
        "post.client.d",
    ]
    places = [shown.index(words) for words in order]
    assert places == sorted(places), shown
    assert [shown.count(words) for words in order] == [1] * len(order), shown
    assert "chat.client.b" not in shown, "a known failure is nothing to look at"


def test_many_known_failures_are_counted(suites: list[Suite], tmp_path: Path) -> None:
    """Where they would fill the screen, one line says how many, and what lists them."""
    shown = screen(
        tmp_path,
        [row("chat", f"c{number}", "fail", known=f"note-{number}") for number in range(SHOWN + 1)],
        suites,
    )

    assert f"{SHOWN + 1} known failures (tiny {SHOWN + 1}): `{REPORT}`" in shown
    assert "why of" not in shown


def test_findings_of_all_protocols_share_the_screen(suites: list[Suite], tmp_path: Path) -> None:
    """The same case under several cuts is one finding; what is beyond the screen is counted."""
    rows = [row(name, f"c{n}", "fail", expected=False) for name in ("chat", "post") for n in range(SHOWN)]
    again: Row = {**rows[0], "cut": "octets"}

    shown = screen(tmp_path, [*rows, again], suites)

    assert shown.count("  MUST ") == SHOWN
    assert "chat.client.c0 (stream cut: whole, octets)" in shown
    assert shown.rstrip().endswith(f"… and {SHOWN} more to look at; `{REPORT}` shows all of them.")

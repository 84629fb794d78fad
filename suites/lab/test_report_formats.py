"""Markdown, JUnit and badges: right in what they say, and harmless whatever came over the wire."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.judge.compare import compare
from lab.judge.report.badges import badge, badges, width, write_badges
from lab.judge.report.junit import junit
from lab.judge.report.markdown import cell, code, markdown
from lab.judge.report.output import OutputError
from lab.judge.runs import Control, Known, Run, read_run
from suites.lab.synthetic_runs import Plan, verdict_row, write_run

HOSTILE = "``` `` <img src=x> ![x](http://x.example/a.png) @someone | #1 \u202e\x00\x1b]8;; \n- [ ] item\n</details>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with one hostile verdict and one of each other kind."""
    rows = [
        verdict_row(
            case="smtp.client.a",
            title=HOSTILE,
            peer=HOSTILE,
            verdict="fail",
            reason=HOSTILE,
            reproduce=HOSTILE,
            clauses=[HOSTILE],
            expected=False,
        ),
        verdict_row(case="smtp.client.b", verdict="blocked", reason="postfix is down", expected=False),
        verdict_row(
            case="smtp.client.c", verdict="flaky", attempts="1/3", reason="now so, now so", expected=False
        ),
        verdict_row(case="smtp.client.d", verdict="disputed", reason="postfix fails too", expected=False),
        verdict_row(case="smtp.client.e", verdict="unsupported", reason="needs smtputf8"),
        verdict_row(case="smtp.client.f", verdict="lenient", reason="no code"),
        verdict_row(
            case="smtp.client.g", verdict="fail", reason="lf", known={"id": "n-1", "reason": "told upstream"}
        ),
        verdict_row(case="smtp.client.h"),
    ]
    plan = Plan(clients=("smtplib",), servers=(), cases_per_role=0, transcripts=False)
    return read_run(write_run(tmp_path_factory.mktemp("formats"), plan, extra=rows))


def test_junit_sorts_verdicts_into_its_words(run: Run) -> None:
    """Unexpected is a failure, blocked an error, what is expected and no pass a skip with its reason."""
    root = ET.fromstring(junit(run))  # noqa: S314 - made a line ago, by us
    found: dict[str, ET.Element | None] = {}
    for case in root.iter("testcase"):
        outcomes = [child for child in case if child.tag != "properties"]
        assert len(outcomes) <= 1
        found[str(case.get("name"))[12]] = outcomes[0] if outcomes else None
    assert {name: outcome.tag for name, outcome in found.items() if outcome is not None} == {
        "a": "failure",
        "b": "error",
        "c": "failure",
        "d": "failure",
        "e": "skipped",
        "f": "skipped",
        "g": "skipped",
    }
    assert found["h"] is None
    assert found["e"] is not None
    assert (found["e"].get("type"), found["e"].get("message")) == ("unsupported", "needs smtputf8")
    assert found["g"] is not None
    assert found["g"].get("message") == "known failure n-1: lf"


def test_junit_counts_what_it_holds(run: Run) -> None:
    """Every suite's counts, and the sums, are those of its cases; names and times are where readers look for them."""
    root = ET.fromstring(junit(run))  # noqa: S314 - made a line ago, by us
    assert root.tag == "testsuites"
    for holder in (root, *root.iter("testsuite")):
        cases = list(holder.iter("testcase"))
        counts = [
            len(cases),
            *(sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")),
        ]
        assert [int(str(holder.get(name))) for name in ("tests", "failures", "errors", "skipped")] == counts
        assert float(str(holder.get("time"))) == pytest.approx(
            sum(float(str(case.get("time"))) for case in cases), abs=0.01
        )
    (suite,) = root.iter("testsuite")
    assert (suite.get("name"), suite.get("timestamp")) == ("smtp.client.smtplib", "2026-11-22T17:30:00")
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_junit_keeps_the_verdict_as_a_property(run: Run) -> None:
    """The words that JUnit lacks are not lost."""
    root = ET.fromstring(junit(run))  # noqa: S314 - made a line ago, by us
    properties = [
        {str(one.get("name")): one.get("value") for one in case.iter("property")}
        for case in root.iter("testcase")
    ]
    assert [one["verdict"] for one in properties] == [row.verdict for row in run.verdicts]
    assert properties[2]["attempts"] == "1/3"
    assert properties[6]["known"] == "n-1: told upstream"


def test_junit_is_xml_whatever_came_over_the_wire(run: Run) -> None:
    """Characters that XML 1.0 does not allow are named."""
    text = junit(run).decode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff\ufffe\uffff]", text)
    assert "⟨U+0000⟩" in text


@pytest.mark.parametrize("value", ["", "`", "``", " x ", "a`b``c", HOSTILE, "x" * 5000, "\n\n"])
def test_a_code_span_cannot_be_left(value: str) -> None:
    """The fence is longer than any run of backticks within, the text is one line, and a table's bar is escaped."""
    span = code(value)
    assert "\n" not in span
    assert len(span) < 400
    if span == "–":
        return
    found = re.match("`+", span)
    assert found is not None
    fence = found[0]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in re.findall("`+", inner)
    assert "|" not in cell(value).replace("\\|", "")


def test_markdown_says_what_to_look_at(run: Run) -> None:
    """The head counts, the table has the implementation, every finding has its reason and command."""
    text = markdown(run)
    assert text.startswith("## Conformance: `smtp`\n\n**4 of 8 verdicts to look at.**")
    assert "| `smtplib` client | `1.4.6` |" in text
    assert "- **blocked** `smtplib` (client)" in text
    assert "  - `postfix is down`" in text
    assert "**flaky** `1/3`" in text
    assert "`n-1` (`smtplib`): `told upstream`" in text
    assert "left out: `arm: the board was not asked for`" in text


def test_markdown_holds_the_wire_in_code_spans(run: Run) -> None:
    """Without its code spans, the text has no picture, no mention and no element but our own."""
    outside = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown(run))
    for attack in ("<img", "![", "@someone", "#1", "- [ ]", "\x1b", "\u202e"):
        assert attack not in outside
    assert outside.count("</details>") == 1


def test_markdown_tells_what_changed_since_a_base(run: Run) -> None:
    """Changes stand under their direction, with what may have caused them."""
    rows = [
        dataclasses.replace(row, verdict="pass", known=None) if row.case.endswith(".g") else row
        for row in run.verdicts
    ]
    base = dataclasses.replace(run, id="20261101T000000Z-000000", verdicts=tuple(rows))
    text = markdown(run, compare(base, run))
    assert "### Since `20261101T000000Z-000000`" in text
    assert "**1 got worse**" in text
    assert "pass → fail; nothing recorded changed: flaky?" in text
    assert "No verdict changed (8 compared)." in markdown(run, compare(run, run))


def test_markdown_never_makes_an_empty_run_look_green(run: Run) -> None:
    """A run in which nothing ran says so first."""
    assert "**Nothing ran.**" in markdown(dataclasses.replace(run, verdicts=()))


def test_a_case_without_a_verdict_is_told(run: Run) -> None:
    """A case that ended its worker is named, and no badge is green."""
    fine = dataclasses.replace(
        run, verdicts=tuple(row for row in run.verdicts if row.expected), lost=("test_deadly[`x`]",)
    )
    assert "**No verdict:** ``test_deadly[`x`]``" in markdown(fine)
    assert "1 without a verdict" in badges(fine)["overall.svg"]


def test_no_badge_is_green_when_a_control_did_not_hold(run: Run) -> None:
    """Then no verdict can be trusted, however good all are."""
    control = Control("test_a_lost_dot_is_seen", "closing", held=False, detail="")
    fine = dataclasses.replace(
        run, verdicts=tuple(row for row in run.verdicts if row.expected), controls=(control,)
    )
    assert "a control did not hold" in badges(fine)["overall.svg"]
    assert "as expected" in badges(dataclasses.replace(fine, controls=()))["overall.svg"]


def test_a_badge_has_room_for_its_text_and_a_title() -> None:
    """Both texts are laid out to the width they are given, within the box, and the whole has a name."""
    svg = ET.fromstring(badge("Will WWW @ <b>", "12 of 14 clauses", "fair"))  # noqa: S314 - made by us
    space = "{http://www.w3.org/2000/svg}"
    boxes = [box for box in svg.iter(f"{space}rect") if box.get("fill")]
    texts = list(svg.iter(f"{space}text"))
    assert len(boxes) == len(texts) == 2
    for box, text in zip(boxes, texts, strict=True):
        start, room = float(box.get("x", "0")), float(str(box.get("width")))
        left, drawn = float(str(text.get("x"))), float(str(text.get("textLength")))
        assert start < left
        assert left + drawn < start + room
        assert drawn == pytest.approx(width(str(text.text)), abs=0.1)
    assert svg.findtext(f"{space}title") == svg.get("aria-label") == "Will WWW @ <b>: 12 of 14 clauses"
    assert svg.get("role") == "img"


def test_badges_say_what_the_run_says(run: Run, tmp_path: Path) -> None:
    """One per implementation, one overall; red when a clause fails, and never green when nothing ran."""
    made = badges(run)
    assert set(made) == {"smtp-client-smtplib.svg", "overall.svg"}
    assert "4 to look at" in made["overall.svg"]
    assert "nothing ran" in badges(dataclasses.replace(run, verdicts=()))["overall.svg"]
    good = dataclasses.replace(run, verdicts=tuple(row for row in run.verdicts if row.verdict == "pass"))
    assert "as expected" in badges(good)["overall.svg"]
    assert write_badges(run, tmp_path / "badges") == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "logo.svg").write_text("<svg/>", "utf-8")
    with pytest.raises(OutputError):
        write_badges(run, tmp_path / "mine")


def test_a_known_failure_that_passes_is_a_failure_for_junit(run: Run) -> None:
    """A stale note must not pass in silence."""
    stale = dataclasses.replace(run.verdicts[-1], known=Known("n-1", "told upstream"), expected=False)
    assert b"<failure" in junit(dataclasses.replace(run, verdicts=(stale,)))

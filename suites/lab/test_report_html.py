"""The HTML report as files: whole, closed in itself, and harmless whatever came over the wire.

Knows the report through its pages alone. What a browser makes of them is in test_report_browser.py.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from lab.judge.checked_json import RunError
from lab.judge.report.html import kept_transcripts, write_html
from lab.judge.report.links import slug
from lab.judge.report.output import OutputError
from lab.judge.runs import read_run
from suites.lab.synthetic_runs import Plan, verdict_row, write_run, write_transcript

HOSTILE = "</pre><script>window.hacked=1</script><img src=x onerror=window.hacked=2>\"'>{{7*7}}\u202etxt.exe\u2066\u200b\x1b[2J\x00"
LISTED = ("href", "src")


class Page(HTMLParser):
    """The addresses, ids, element names and attributes of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.path = path
        self.addresses: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = path.read_text("utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        found = dict(attrs)
        self.elements.append((tag, found))
        if found.get("id"):
            self.ids.add(str(found["id"]))
        self.addresses += [(tag, value) for name, value in attrs if name in LISTED and value]


def pages(folder: Path) -> Iterator[Page]:
    """Every page of a report."""
    for path in sorted(folder.rglob("*.html")):
        yield Page(path)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small report."""
    base = tmp_path_factory.mktemp("report")
    write_html(read_run(write_run(base / "results")), base / "html")
    return base / "html"


def test_every_address_leads_to_a_place_within_the_folder(report: Path) -> None:
    """Each link, style sheet and script stands in the folder, and each fragment on its page; RFCs alone are outside."""
    known = {page.path: page for page in pages(report)}
    assert len(known) > 200
    for page in known.values():
        for tag, address in page.addresses:
            parts = urlsplit(address)
            if parts.netloc == "www.rfc-editor.org" and tag == "a":
                continue
            assert (parts.scheme, parts.netloc) == ("", ""), f"{page.path}: {address}"
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            assert target.is_file(), f"{page.path}: {address}"
            assert target.is_relative_to(report), f"{page.path}: {address}"
            if parts.fragment:
                assert parts.fragment in known[target].ids, f"{page.path}: {address}"


def test_every_page_can_be_reached_from_the_first(report: Path) -> None:
    """No page is left lying about without a link to it."""
    known = {page.path: page for page in pages(report)}
    reached, waiting = set(), [report / "index.html"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        links = [urlsplit(address) for tag, address in known[path].addresses if tag == "a"]
        waiting += [(path.parent / link.path).resolve() for link in links if link.path and not link.netloc]
    assert reached == set(known)


def test_tables_say_what_their_headings_head(report: Path) -> None:
    """Every heading cell has a scope, every page one first heading, one main part and a language."""
    for page in pages(report):
        assert all(found.get("scope") for tag, found in page.elements if tag == "th"), page.path
        names = [tag for tag, _ in page.elements]
        assert (names.count("h1"), names.count("main")) == (1, 1), page.path
        assert ("html", "en") in [(tag, found.get("lang")) for tag, found in page.elements], page.path
        regions = [found for _, found in page.elements if found.get("role") == "region"]
        assert all(one.get("tabindex") == "0" for one in regions), page.path
        assert all(one.get("aria-label") or one.get("aria-labelledby") in page.ids for one in regions), (
            page.path
        )


def test_a_verdict_is_a_word_and_not_a_colour_alone(report: Path) -> None:
    """Each coloured cell of a matrix holds the words of its verdicts."""
    text = (report / "matrix" / "smtp-client.html").read_text("utf-8")
    for cell in text.split("<td ")[1:]:
        word = cell.partition('"')[2].partition('"')[0].split()[0].removeprefix("v-")
        assert ("no verdict" if word == "none" else word) in cell.partition("</td>")[0].partition(">")[2]


@pytest.fixture(scope="module")
def hostile_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a run in which everything that can be is hostile."""
    return write_hostile(tmp_path_factory.mktemp("hostile"))


def write_hostile(base: Path) -> Path:
    """Make a report in which a verdict's every text, and a transcript, attack the page."""
    name = "transcripts/attack.jsonl"
    row = verdict_row(
        case=f"smtp.client.{HOSTILE}",
        nodeid=HOSTILE,
        title=HOSTILE,
        clauses=[HOSTILE, "rfc5321-4.1.1-client-greeting-is-refused-0"],
        implementation=HOSTILE,
        peer=HOSTILE,
        peer_kind=HOSTILE,
        cut=HOSTILE,
        verdict="fail",
        reason=HOSTILE,
        attempts=HOSTILE,
        reproduce=HOSTILE,
        known={"id": HOSTILE, "reason": HOSTILE},
        transcripts=[name],
        expected=False,
    )
    directory = write_run(base / "results", extra=[row])
    octets = HOSTILE.encode().decode("latin-1")
    write_transcript(
        directory / name,
        [
            {"t": 0.0, "from": "client", "kind": "data", "data": octets},
            {"t": 0.1, "from": "server", "kind": "data", "data": octets * 200},
            {"t": 0.2, "from": "lab", "kind": HOSTILE, "data": octets},
        ],
    )
    write_html(read_run(directory), base / "html")
    return base / "html"


def test_what_came_over_the_wire_is_never_markup(hostile_report: Path) -> None:
    """No script but ours, no picture, no handler, wherever the hostile text stands."""
    seen = 0
    for page in pages(hostile_report):
        seen += page.text.count("window.hacked")
        for tag, found in page.elements:
            assert tag not in {"img", "iframe", "object", "embed", "base"}, page.path
            assert not [name for name in found if name.startswith("on")], page.path
            assert tag != "script" or str(found["src"]).endswith("assets/report.js"), page.path
        assert ("{{7*7}}" in page.text) == ("window.hacked" in page.text), page.path
    assert seen > 20
    assert "<script" not in (hostile_report / "assets" / "search.js").read_text("utf-8")


def test_nothing_unseen_reaches_a_page(hostile_report: Path) -> None:
    """Controls, directional marks and zero widths are named, not passed on; file names are plain."""
    named = False
    for path in sorted(hostile_report.rglob("*")):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name)
        if path.suffix in {".html", ".js"}:
            text = path.read_text("utf-8")
            unseen = {one for one in text if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {
                "\n"
            }
            assert not unseen, path
            named = named or "⟨U+202E⟩" in text
    assert named


def test_each_octet_of_a_transcript_is_shown(tmp_path: Path) -> None:
    """Line ends, controls, octets that are no text, and UTF-8 can be told apart; long data is folded, the rest counted."""
    directory = write_run(
        tmp_path, extra=[verdict_row(verdict="fail", expected=False, transcripts=["transcripts/t.jsonl"])]
    )
    data = b"a\r\nb\nc\rd\te\x00\xff\xc3\xa9\r\n"
    write_transcript(
        directory / "transcripts" / "t.jsonl",
        [
            {"t": 0.5, "from": "client", "kind": "data", "data": data.decode("latin-1")},
            {"t": 1.0, "from": "server", "kind": "data", "data": "x" * 60_000},
        ],
    )
    write_html(read_run(directory), tmp_path / "html")
    text = (tmp_path / "html" / "transcripts" / "t.html").read_text("utf-8")
    for shown in (
        'o-end" title="0D 0A">\\r\\n<',
        'o-bare" title="0A">\\n<',
        'o-control" title="0D">\\r<',
        'title="00">\\x00<',
        'o-octet" title="FF">\\xff<',
        'o-wide" title="C3 A9">é<',
        "0.5000",
        "40000 more octets",
        "18000 further",
    ):
        assert shown in text, shown


def test_a_stream_cut_at_every_octet_is_read_as_lines(tmp_path: Path) -> None:
    """Segments of one side are one turn, and their number is told."""
    directory = write_run(
        tmp_path, extra=[verdict_row(verdict="fail", expected=False, transcripts=["transcripts/t.jsonl"])]
    )
    events = [
        {"t": n / 100, "from": "server", "kind": "data", "data": one}
        for n, one in enumerate("250 good\r\n" * 9)
    ]
    write_transcript(directory / "transcripts" / "t.jsonl", events)
    write_html(read_run(directory), tmp_path / "html")
    text = (tmp_path / "html" / "transcripts" / "t.html").read_text("utf-8")
    assert text.count("250 good<") == 9
    assert "90 octets in 90 segments" in text


def test_file_names_are_safe_and_never_shared() -> None:
    """Different ids have different pages, also where a file system folds case; none can climb out of its folder."""
    ids = [
        "a-b",
        "a b",
        "A-B",
        "a/b",
        "",
        "..",
        ".",
        "/etc/passwd",
        "x" * 200 + "1",
        "x" * 200 + "2",
        "ü",
        "\ud800",
        "con\x00",
    ]
    names = [slug(one) for one in ids]
    assert len({name.casefold() for name in names}) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9_][a-z0-9._-]{0,100}", name) for name in names)
    assert names[0] == "a-b"


def test_many_transcripts_are_thinned_to_the_telling_ones(tmp_path: Path) -> None:
    """Beyond a few hundred, each verdict that is no pass keeps its transcript, and each case one pass."""
    run = read_run(write_run(tmp_path, Plan(cases_per_role=40)))
    kept = kept_transcripts(run)
    assert len(kept) < len([name for row in run.verdicts for name in row.transcripts])
    assert all(name in kept for row in run.verdicts if row.verdict != "pass" for name in row.transcripts)
    passed = {row.case for row in run.verdicts if row.verdict == "pass"}
    assert {row.case for row in kept.values() if row.verdict == "pass"} == passed
    write_html(run, tmp_path / "html")
    assert "not in this report" in "".join(
        path.read_text("utf-8") for path in (tmp_path / "html" / "cases").iterdir()
    )


@pytest.mark.parametrize(
    "name", ["../run.json", "transcripts/../../secret.jsonl", "/etc/passwd", "transcripts/a/b.jsonl"]
)
def test_a_transcript_outside_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    """A name that leads out of transcripts/ ends the report in one clear line, and nothing is left behind."""
    directory = write_run(
        tmp_path / "results", extra=[verdict_row(verdict="fail", expected=False, transcripts=[name])]
    )
    with pytest.raises(RunError, match="outside transcripts/"):
        write_html(read_run(directory), tmp_path / "out" / "html")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_broken_transcript_costs_its_page_alone(tmp_path: Path) -> None:
    """A transcript that cannot be read is said so on its page; one that is missing is not linked."""
    rows = [
        verdict_row(verdict="fail", expected=False, cut="whole", transcripts=["transcripts/torn.jsonl"]),
        verdict_row(verdict="fail", expected=False, cut="lines", transcripts=["transcripts/missing.jsonl"]),
    ]
    directory = write_run(tmp_path, extra=rows)
    (directory / "transcripts" / "torn.jsonl").write_text('{"client": "c"}\n', "utf-8")
    write_html(read_run(directory), tmp_path / "html")
    assert "should be a string" in (tmp_path / "html" / "transcripts" / "torn.html").read_text("utf-8")
    assert not (tmp_path / "html" / "transcripts" / "missing.html").exists()


def test_only_a_report_of_ours_is_replaced(tmp_path: Path) -> None:
    """A folder with other things in it is left alone; a report, or an empty folder, is replaced whole."""
    run = read_run(write_run(tmp_path / "results"))
    other = tmp_path / "other"
    other.mkdir()
    write_html(run, other)
    (other / "cases" / "stale.html").write_text("stale", "utf-8")
    write_html(run, other)
    assert not (other / "cases" / "stale.html").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work", "utf-8")
    with pytest.raises(OutputError, match="no report of erle's"):
        write_html(run, precious)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "precious", "results"]


def test_an_error_leaves_the_old_report(tmp_path: Path) -> None:
    """A report that cannot be finished does not touch the one that is there."""
    target = tmp_path / "html"
    write_html(read_run(write_run(tmp_path / "good")), target)
    before = sorted(path.relative_to(target) for path in target.rglob("*"))
    bad = write_run(
        tmp_path / "bad", extra=[verdict_row(verdict="fail", expected=False, transcripts=["../x.jsonl"])]
    )
    with pytest.raises(RunError):
        write_html(read_run(bad), target)
    assert sorted(path.relative_to(target) for path in target.rglob("*")) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good", "html"]


def test_the_first_page_tells_what_a_reader_must_know(tmp_path: Path) -> None:
    """A control that did not hold, a stale note, an interruption, what was left out, versions and image digests."""
    directory = write_run(tmp_path)
    decided = sum(
        clause.state == "decided" and clause.party == "client"
        for clause in read_run(directory).suites["smtp"].clauses
    )
    text = (directory / "run.json").read_text("utf-8")
    text = text.replace('"held": true', '"held": false', 1).replace(
        '"interrupted": false', '"interrupted": true'
    )
    (directory / "run.json").write_text(
        text.replace(
            '"stale_notes": []', '"stale_notes": ["note-7"], "lost": ["test_that_ended_its_worker"]'
        ),
        "utf-8",
    )
    write_html(read_run(directory), tmp_path / "html")
    index = (tmp_path / "html" / "index.html").read_text("utf-8")
    for said in (
        "No verdict of this run can be trusted",
        "note-7",
        "test_that_ended_its_worker",
        "was interrupted",
        "the board was not asked for",
        "3.7.11",
        "sha256:" + "a" * 64,
        "aiosmtplib-bare-lf",
        "Reported upstream",
        f"{decided} of 18 clauses are decided by a case",
    ):
        assert said in index, said


def test_ten_thousand_verdicts_stay_small(tmp_path: Path) -> None:
    """At most 15 MB without the transcripts, and no page of more than 1 MB."""
    run = read_run(write_run(tmp_path, ten_thousand()))
    assert len(run.verdicts) >= 10_000
    written = write_html(run, tmp_path / "html")
    assert written.octets - written.octets_of_transcripts <= 15_000_000
    assert max(path.stat().st_size for path in (tmp_path / "html").rglob("*.html")) < 1_000_000


def ten_thousand() -> Plan:
    """A run of 10,000 verdicts; without transcripts, which do not count."""
    return Plan(
        clients=("smtplib", "aiosmtplib", "twisted", "curl"),
        servers=("aiosmtpd", "twisted", "postfix", "house"),
        cases_per_role=417,
        clauses_per_role=350,
        transcripts=False,
    )

"""`erle report`, `erle diff` and `erle explain` as a user types them: output, exit codes, mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from lab.cli.app import main
from lab.judge.explain import explain, nearest, source_cases
from suites.lab.synthetic_runs import Plan, write_run

OLD, NEW = "20261122T173000Z-1a2b3c", "20261123T080000Z-ffffff"
CLAUSE = "rfc5321-4.1.1-client-greeting-is-refused-0"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; in the newer one aiosmtplib is another version and fares differently."""
    folder = tmp_path_factory.mktemp("commands") / "results"
    write_run(folder, Plan(run=OLD, transcripts=False))
    write_run(folder, Plan(run=NEW, seed=2, versions={"aiosmtplib": "6.0"}, transcripts=False))
    return folder


def erle(results: Path, *words: str) -> int:
    """Type a command against these results."""
    return main([*words, "--results", str(results)])


def test_report_writes_beside_the_results(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The default is the latest run as HTML; where it went and how large it is are printed."""
    assert erle(results, "report") == 0
    assert (results / NEW / "report" / "index.html").is_file()
    assert f"{NEW}/report/index.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("form", "name"), [("markdown", "report.md"), ("junit", "junit.xml"), ("badges", "badges/overall.svg")]
)
def test_report_writes_each_format(results: Path, form: str, name: str) -> None:
    """Each format has its place."""
    assert erle(results, "report", OLD, "--format", form) == 0
    assert (results / OLD / name).stat().st_size > 300


def test_report_prints_and_compares(results: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """`--output -` prints the document alone."""
    assert erle(results, "report", "--format", "junit", "-o", "-") == 0
    assert ET.fromstring(capfdbinary.readouterr().out).tag == "testsuites"  # noqa: S314 - made a line ago, by us
    assert erle(results, "report", "--format", "markdown", "--against", "20261122", "-o", "-") == 0
    assert f"### Since `{OLD}`".encode() in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("report", "2025"), 2, "there is no run called '2025'"),
        (("report", "--format", "pdf"), 2, "pdf"),
        (("report", "-o", "-"), 2, "cannot be printed"),
        (("report", "--against", OLD), 2, "--against goes with"),
        (("report", "--format", "markdown", "-o", "/proc/nowhere/x.md"), 3, "/proc/nowhere"),
        (("report", "-o", "/"), 3, "no report of erle's"),
        (("diff", OLD, "nope"), 2, "there is no run called 'nope'"),
        (("explain", "rfc5321-greeting"), 2, "did you mean"),
    ],
)
def test_a_mistake_is_one_clear_line(
    results: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str
) -> None:
    """Usage ends with 2, a lab that cannot with 3; the line says what was wrong."""
    assert erle(results, *words) == code
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_diff_ends_with_1_when_something_got_worse(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What moved, what got worse and why are told; the other way round it is better."""
    assert erle(results, "diff", OLD, NEW) == 1
    said = capsys.readouterr().out
    assert "implementation aiosmtplib (smtp client): 1.4.6 → 6.0" in said
    assert "implementation changed" in said
    assert "flaky?" in said
    assert erle(results, "diff", OLD, OLD) == 0
    assert "216 verdicts are the same, 0 got worse" in capsys.readouterr().out


def test_diff_speaks_json(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that the text tells, for programs."""
    assert erle(results, "diff", OLD, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["before"], found["after"]) == (OLD, NEW)
    assert found["worse"] == sum(change["direction"] == "worse" for change in found["changes"]) > 0
    causes = {change["implementation"]: change["causes"] for change in found["changes"]}
    assert causes["aiosmtplib"] == ["implementation"]


def test_explain_tells_a_clause(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text, section, level, party; its cases with titles; the latest verdict of each implementation."""
    assert erle(results, "explain", CLAUSE) == 0
    said = capsys.readouterr().out
    assert "RFC 5321, section 4.1.1; MUST; binds the client; group session" in said
    assert "The client sees to it that the greeting is refused" in said
    assert "smtp.client.greeting-is-refused-0\n      The greeting is refused 0." in said
    assert f"aiosmtplib (client), run {NEW}" in said
    assert f"run {OLD}" not in said


def test_explain_tells_a_case(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case's id is as good."""
    assert erle(results, "explain", "smtp.client.greeting-is-refused-0") == 0
    said = capsys.readouterr().out
    assert CLAUSE in said
    assert "smtplib (client)" in said


def test_explain_reads_ledgers_and_sources_where_nothing_ran(tmp_path: Path) -> None:
    """Without any run the checkout answers: the clause from the ledger, its case from the source."""
    suite = tmp_path / "suites" / "chat"
    suite.mkdir(parents=True)
    (suite / "suite.toml").write_text('protocol = "chat"\ntitle = "Chat"\n', "utf-8")
    (suite / "clauses.toml").write_text(
        'protocol = "chat"\n[groups]\ntalk = "Talk"\n[[clause]]\nid = "chat-1-hello"\nspec = "Chat"\nsection = "1"\n'
        'level = "MUST"\nparty = "client"\ngroup = "talk"\nsentences = [1]\ntext = "Says hello."\n',
        "utf-8",
    )
    (suite / "test_client.py").write_text(
        'pytestmark = role("client")\n\n@clause("chat-1-hello")\ndef test_says_hello(client):\n    """A client says hello.\n\n    More."""\n',
        "utf-8",
    )
    found = explain(tmp_path, tmp_path / "results", "chat-1-hello")
    assert (found.asked, found.clauses[0].text) == ("clause", "Says hello.")
    (case,) = found.cases
    assert (case.id, case.title) == ("chat.client.says-hello", "A client says hello.")
    assert case.place == "suites/chat/test_client.py::test_says_hello"
    assert explain(tmp_path, tmp_path / "results", "chat.client.says-hello").asked == "case"


def test_explain_tells_of_a_run_it_cannot_read(tmp_path: Path) -> None:
    """An older run that is broken does not hide the newer ones, and is not hidden itself."""
    folder = tmp_path / "results"
    write_run(folder, Plan(run=OLD, transcripts=False))
    write_run(folder, Plan(run=NEW, transcripts=False))
    path = folder / OLD / "verdicts.jsonl"
    path.write_bytes(b"{broken " + CLAUSE.encode() + b"\n" + path.read_bytes())
    found = explain(tmp_path, folder, CLAUSE)
    assert {latest.run for latest in found.latest} == {NEW}
    assert "verdicts.jsonl:1: not JSON" in found.warnings[0]


def test_a_case_of_no_module_role_is_still_found() -> None:
    """Roles may stand at the function; functions that name no clause are no cases."""
    source = '@role("server")\n@clause("a", "b")\ndef test_x():\n    "One."\n\ndef test_y():\n    "Two."\n'
    assert [(case.id, case.clauses, case.title) for case in source_cases(source, "p", "f.py")] == [
        ("p.server.x", ("a", "b"), "One.")
    ]


def test_the_nearest_ids_hold_the_text_or_are_spelt_like_it() -> None:
    """A part of an id finds it; so does a slip."""
    known = ["rfc5321-4.5.2-leading-dot-doubled", "rfc5321-2.3.8-bare-lf", "smtp.client.bare-lf"]
    assert nearest("leading-dot", known)[0] == known[0]
    assert nearest("rfc5321-2.3.8-bare-fl", known)[0] == known[1]


def test_starting_up_loads_no_template_engine() -> None:
    """`erle diff --help` is quick: what is heavy is imported by the command that needs it."""
    asked = "import sys; from lab.cli.app import build; build(['diff']); print('jinja2' in sys.modules, 'pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

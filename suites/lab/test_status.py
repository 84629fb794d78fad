"""`erle status` on a small checkout made here: every figure is counted from what the checkout holds.

Knows the published keys. Must not know the figures of the real checkout, which grow.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.judge.suite import load_suite
from lab.survey import cases_of, survey
from suites.lab.command_line import erle

ROOT = Path(__file__).parents[2]

FILES = {
    "implementations/listings.toml": '[packages]\nmail = ["there", "absent", "unfinished"]\n',
    "implementations/mail/there.py": "if __name__ == '__main__':\n    print(0)\n",
    "implementations/mail/unfinished.py": "main = None\n",
    "implementations/catalogue.toml": """
[[implementation]]
name = "one"
protocol = "mail"
role = "client"
library = "python"
entry = "implementations.mail.one:One"
features = []
[[implementation]]
name = "two"
protocol = "mail"
role = "server"
library = "python"
command = ["python", "-m", "implementations.mail.two"]
features = []
[[implementation]]
name = "other"
protocol = "post"
role = "server"
library = "python"
command = ["python", "-m", "implementations.post.other"]
features = []
""",
    "compose.yaml": """
services:
  postfix: {image: a}
  erle: {image: b, profiles: [arm]}
  double: {image: c, profiles: [never-ready]}
""",
    "suites/mail/suite.toml": 'protocol = "mail"\ntitle = "Mail"\n',
    "suites/mail/clauses.toml": 'protocol = "mail"\n[groups]\nall = "All"\n'
    + "".join(
        f"""
[[clause]]
id = "{name}"
spec = "RFC 1"
section = "1"
level = "MUST"
party = "client"
group = "all"
sentences = []
text = "It does."
{more}
"""
        for name, more in {
            "seen": "",
            "also-seen": "",
            "forgotten": "",
            "hidden": 'undecidable = "It stays inside."',
            "later": 'gap = "No case yet."',
        }.items()
    ),
    "suites/mail/test_client.py": """
from lab.judge.marks import clause

WORDS = ["a", "b", "c"]

@clause("seen")
def test_one(): ...

@clause("also-seen", "later")
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("end", ["\\n", "\\r\\n"])
def test_many(word, end): ...

def test_no_case(): ...
""",
    "suites/__init__.py": "",
    "suites/mail/__init__.py": "",
    "suites/mail/mutants.py": """
import json
rows = [{"name": name, "role": "client", "command": [], "features": [], "clause": "seen"} for name in "abc"]
print(json.dumps({"exemplars": [], "mutants": rows}))
""",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small checkout."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def ran(root: Path, digest: str) -> None:
    """Leave the result of a run of the mutants."""
    (root / "results").mkdir(exist_ok=True)
    result = {"killed": ["One", "Three"], "total": 3, "suite_digest": digest}
    (root / "results/mutants-mail.json").write_text(json.dumps(result))


def test_every_figure_is_counted(root: Path) -> None:
    """The published keys hold what the checkout holds."""
    ran(root, load_suite(root / "suites/mail").digest())
    assert survey(root).as_json() == {
        "listings": {"total": 3, "present": 1},
        "servers": ["erle", "postfix"],
        "protocols": {
            "mail": {
                "clauses": {"total": 5, "decided": 2, "undecidable": 1, "gap": 1},
                "cases": 7,
                "mutants": {"total": 3, "killed": 2},
                "implementations": {"client": ["one"], "server": ["two"]},
            }
        },
    }


def test_a_result_of_another_suite_does_not_count(root: Path) -> None:
    """Once the suite has changed, what its mutants did before says nothing."""
    ran(root, load_suite(root / "suites/mail").digest())
    with (root / "suites/mail/test_client.py").open("a") as file:
        file.write("\n# changed\n")
    assert survey(root).protocols["mail"].killed == 0


def test_a_suite_without_a_ledger_is_not_shown(root: Path) -> None:
    """A folder becomes a protocol with its ledger."""
    (root / "suites/mail/clauses.toml").unlink()
    assert survey(root).protocols == {}


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ("'x', [1, 2, 3]", 3),
        ("'x', (1, 2)", 2),
        ("'x', NAMED", 4),
        ("'x', sorted(NAMED)", 4),
        ("'x', argvalues=[1, 2]", 2),
        ("'x', computed()", 1),
    ],
)
def test_literal_parameters_multiply_cases(parameters: str, count: int) -> None:
    """Parameters written out multiply a case, directly or by the name of a constant; computed ones do not."""
    source = (
        f"NAMED = {{1: 1, 2: 2, 3: 3, 4: 4}}\n@clause('a')\n@parametrize({parameters})\ndef test_x(x): ...\n"
    )
    assert list(cases_of(ast.parse(source))) == [count]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("compose.yaml", "services: [", "compose.yaml"),
        ("compose.yaml", "name: empty", "has no services"),
        ("implementations/listings.toml", "packages = 3", "listings.toml"),
        ("implementations/mail/there.py", "def main(:", "there.py:1"),
        ("suites/mail/mutants.py", "raise SystemExit('no list')", "no list"),
        ("results/mutants-mail.json", "{", "mutants-mail.json"),
    ],
)
def test_unreadable_data_is_one_message(root: Path, file: str, text: str, said: str) -> None:
    """A mistake in a file is told with the file's name."""
    (root / file).parent.mkdir(exist_ok=True)
    (root / file).write_text(text)
    with pytest.raises(LabError, match=said):
        survey(root)


def test_the_real_checkout_has_all_listings_and_shows_them() -> None:
    """Both forms work on this checkout, whose listings are 131."""
    shown = json.loads(erle("status", "--json").stdout)
    assert shown["listings"]["total"] == 131
    text = erle("status").stdout
    assert f"{shown['listings']['present']} of 131" in text
    assert all(name in text for name in [*shown["servers"], *shown["protocols"]])

"""Mutants: when one counts as killed, and a whole trial on a protocol made up for it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import LabError, UnknownName
from lab.judge.catalogue import load_catalogue
from lab.judge.mutation import (
    Candidate,
    Trial,
    candidates,
    catalogue_text,
    exemplar_fate,
    mutant_fate,
    write_outcome,
)
from lab.judge.suite import find_suites
from suites.lab.command_line import erle

ROOT = Path(__file__).resolve().parents[2]
MUTANT = Candidate("odd", "client", ("python", "-m", "x"), ("even",), "toy-sum", "Sums are odd.")


def row(
    verdict: str, reason: str = "", *, case: str = "toy.client.sum", clauses: tuple[str, ...] = ("toy-sum",)
) -> dict[str, object]:
    """A verdict of one case on the mutant."""
    return {"case": case, "clauses": list(clauses), "verdict": verdict, "reason": reason}


# one fate


@pytest.mark.parametrize("verdict", ["fail", "lenient"])
def test_an_assertion_kills(verdict: str) -> None:
    """A mutant is killed by a case of its clause that fails, or is lenient."""
    fate = mutant_fate(MUTANT, [row("pass", case="toy.client.other"), row(verdict, "5\nis no sum")])

    assert (fate.killed, fate.by, fate.reason) == (True, ("toy.client.sum",), "5 is no sum")


@pytest.mark.parametrize("verdict", ["blocked", "flaky", "disputed"])
def test_a_breakdown_does_not_kill(verdict: str) -> None:
    """A mutant that is only seen to break down has survived, and the reason is told."""
    fate = mutant_fate(MUTANT, [row("pass"), row(verdict, "it died")])

    assert (fate.killed, fate.reason) == (False, f"only {verdict}: it died")


@pytest.mark.parametrize(
    "reason", ["KeyError: 'sum'", "ValueError: no", "Failed: Timeout (>120.0s) from pytest-timeout."]
)
def test_a_case_that_breaks_does_not_kill(reason: str) -> None:
    """A case that fell over said nothing about the clause; what a stream did to the driver is what the mutant did."""
    assert not mutant_fate(MUTANT, [row("fail", reason)]).killed
    assert mutant_fate(MUTANT, [row("fail", "Overdue: nothing more from the server")]).killed
    assert mutant_fate(MUTANT, [row("fail", "StreamError: the TLS handshake failed")]).killed


def test_cases_of_other_clauses_do_not_kill() -> None:
    """A failure of a case that decides another clause is no proof for the mutant's own."""
    fate = mutant_fate(MUTANT, [row("fail", clauses=("toy-polite",))])

    assert (fate.killed, fate.reason) == (False, "no case decides its clause")


def test_a_mutant_that_passes_has_survived() -> None:
    """The number of cases is told, each once however it was cut."""
    fate = mutant_fate(MUTANT, [row("pass"), row("pass"), row("pass", case="toy.client.other")])

    assert (fate.killed, fate.reason) == (False, "passes all of the 2 cases of its clause")


@pytest.mark.parametrize("verdict", ["fail", "lenient", "unsupported", "blocked"])
def test_an_exemplar_has_to_pass_every_case(verdict: str) -> None:
    """Whatever is no pass counts against the cases or the exemplar."""
    exemplar = Candidate("exemplar", "client", ("x",), ())

    assert not exemplar_fate(exemplar, [row("pass")]).killed
    assert exemplar_fate(exemplar, [row("pass"), row(verdict)]).killed
    assert exemplar_fate(exemplar, []).killed


def test_candidates_become_a_catalogue(tmp_path: Path) -> None:
    """What is written for pytest is read back as the same implementations, each on the cases of its clause."""
    path = tmp_path / "catalogue.toml"
    path.write_text(
        catalogue_text("toy", [MUTANT, Candidate("exemplar", "server", ("python",), ())]), encoding="utf-8"
    )

    mutant, exemplar = load_catalogue(path)

    assert (mutant.name, mutant.role, mutant.command) == ("odd", "client", ("python", "-m", "x"))
    assert (sorted(mutant.features), sorted(mutant.only_clauses)) == (["even"], ["toy-sum"])
    assert (exemplar.name, exemplar.role, exemplar.only_clauses) == ("exemplar", "server", frozenset())


# a protocol made up: clients add two numbers

CASES = '''
"""Clients: sums."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.marks import clause, cuts, role
from lab.judge.subject import ClientSubject

pytestmark = role("client")


@pytest.fixture
def client(implementation: Implementation, cut: str) -> Iterator[ClientSubject]:
    """The client under test."""
    subject = ClientSubject(implementation)
    yield subject
    subject.stop()


def add(client: ClientSubject) -> dict[str, object]:
    """Two and three."""
    return client.call("add", {"left": 2, "right": 3}, deadline=5)


@cuts("whole")
@clause("toy-sum")
def test_sums_are_right(client: ClientSubject) -> None:
    """Two and three are five."""
    assert add(client)["sum"] == 5


@cuts("lines")
@clause("toy-polite")
def test_clients_are_polite(client: ClientSubject) -> None:
    """Please is said, whatever the sum."""
    assert add(client)["please"]
'''
CLIENTS = '''
"""Clients of the made-up protocol."""

import json
import sys

ANSWERS = {
    "exemplar": {"sum": 5, "please": True},
    "odd": {"sum": 6, "please": True},
    "rude": {"sum": 5, "please": False},
    "harmless": {"sum": 5, "please": True},
    "forgotten": {"sum": 5, "please": True},
}
CLAUSES = {"odd": "toy-sum", "rude": "toy-polite", "harmless": "toy-sum", "crash": "toy-sum", "forgotten": "toy-idle"}


def listed(name):
    command = ["python", "-m", "suites.toy.mutants", "client", name]
    return {"name": name, "role": "client", "command": command, "features": []}


if sys.argv[1:] == ["list"]:
    mutants = [{**listed(name), "clause": clause, "description": name} for name, clause in CLAUSES.items()]
    print(json.dumps({"exemplars": [listed("exemplar")], "mutants": mutants}))
else:
    for line in sys.stdin:
        if sys.argv[2] == "crash":
            sys.exit("crashed on purpose")
        print(json.dumps({"outcome": "done", **ANSWERS[sys.argv[2]]}), flush=True)
'''


def clause_table(name: str, level: str) -> str:
    """One clause of the made-up ledger."""
    return (
        f'[[clause]]\nid = "{name}"\nspec = "TOY 1"\nsection = "1"\nlevel = "{level}"\nparty = "client"\n'
        'group = "sums"\nsentences = []\ntext = "Sums."\n'
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the made-up protocol alone."""
    suite = tmp_path / "suites" / "toy"
    suite.mkdir(parents=True)
    shutil.copy2(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["lab.judge.plugin", "lab.judge.fixtures"]\n')
    (tmp_path / "implementations").mkdir()
    (tmp_path / "implementations" / "catalogue.toml").write_text("")
    (suite / "suite.toml").write_text('protocol = "toy"\ntitle = "Sums"\n')
    tables = [
        clause_table("toy-sum", "MUST"),
        clause_table("toy-polite", "SHOULD"),
        clause_table("toy-idle", "MAY"),
    ]
    (suite / "clauses.toml").write_text('protocol = "toy"\n[groups]\nsums = "Sums"\n' + "".join(tables))
    (suite / "test_client.py").write_text(CASES)
    (suite / "mutants.py").write_text(CLIENTS)
    for folder in (tmp_path / "suites", suite):
        (folder / "__init__.py").write_text("")
    return tmp_path


def trial(checkout: Path) -> Trial:
    """A trial of the made-up suite."""
    return Trial(find_suites(checkout)["toy"], checkout, processes=2, say=lambda _: None)


def test_a_whole_trial(checkout: Path) -> None:
    """Exemplars pass; a mutant is killed with whatever cut its case has; the others survive, each for its reason."""
    outcome = trial(checkout).run()

    fates = {fate.candidate.name: (fate.killed, fate.reason) for fate in outcome.mutants}
    assert [fate.reason for fate in outcome.exemplars] == ["passes all 2 verdicts"]
    assert fates["odd"][0]
    assert fates["rude"][0], "a SHOULD that is not followed kills too, and so does a case with another cut"
    assert fates["harmless"] == (False, "passes all of the 1 cases of its clause")
    assert fates["forgotten"] == (False, "no case decides its clause")
    assert fates["crash"][1].startswith("only blocked: no answer from crash")
    assert "crashed on purpose" in fates["crash"][1]
    assert not outcome.good


def test_one_mutant_alone(checkout: Path) -> None:
    """Only the one that is named is tried, and an unknown name is told."""
    outcome = trial(checkout).run(["odd"])

    assert [(fate.candidate.name, fate.killed) for fate in outcome.mutants] == [("odd", True)]
    assert outcome.good
    with pytest.raises(UnknownName, match="did you mean odd"):
        trial(checkout).run(["ood"])


def test_an_exemplar_that_fails_is_told(checkout: Path) -> None:
    """When the exemplar fails, a case or the exemplar is wrong: the trial is no good."""
    path = checkout / "suites" / "toy" / "mutants.py"
    path.write_text(CLIENTS.replace('"exemplar": {"sum": 5', '"exemplar": {"sum": 7'))

    outcome = trial(checkout).run()

    assert [fate.by for fate in outcome.exemplars] == [("toy.client.sums-are-right",)]
    assert not outcome.good


def test_the_outcome_is_written(checkout: Path) -> None:
    """The file says who was killed, who survived, how many there are, and of which state of the suite."""
    outcome = trial(checkout).run(["odd", "harmless"])

    record = json.loads(write_outcome(outcome, "toy", checkout).read_text(encoding="utf-8"))

    digest = find_suites(checkout)["toy"].digest()
    assert record == {"killed": ["odd"], "survived": ["harmless"], "total": 2, "suite_digest": digest}
    assert [path.name for path in (checkout / "results").iterdir()] == ["mutants-toy.json"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"odd": "toy-sum"', '"odd": "toy-sun"', "the mutant odd: there is no clause called 'toy-sun'"),
        ('"role": "client"', '"role": "server"', "the mutant odd is a server, and toy-sum binds the client"),
        ('"features": []', '"features": 1', "has another form"),
        ("import sys", "import sys\nimport nothing_of_that_name", "could not be listed"),
        ('**listed(name), "clause"', '**listed(name), "name": "same", "clause"', "5 mutants are called same"),
    ],
    ids=["clause", "role", "form", "import", "names"],
)
def test_a_mistaken_list_is_told(checkout: Path, before: str, after: str, said: str) -> None:
    """A mutant that cannot be right ends the trial with one line."""
    path = checkout / "suites" / "toy" / "mutants.py"
    assert before in CLIENTS
    path.write_text(CLIENTS.replace(before, after))

    with pytest.raises(LabError) as caught:
        candidates(find_suites(checkout)["toy"], checkout)

    assert said in str(caught.value)


def test_cases_that_cannot_run_are_told(checkout: Path) -> None:
    """A suite that cannot be collected lets no mutant survive in silence."""
    (checkout / "suites" / "toy" / "test_client.py").write_text("import nothing_of_that_name\n")

    with pytest.raises(LabError, match="could not judge the mutants"):
        trial(checkout).run()


def test_a_catalogue_of_the_callers_own_is_judged_alone_and_once(checkout: Path) -> None:
    """Each row is asked the cases of its clauses, a failing case is not asked again, and nobody else is judged."""
    _, mutants = candidates(find_suites(checkout)["toy"], checkout)
    path = checkout / "own.toml"
    path.write_text(catalogue_text("toy", [mutant for mutant in mutants if mutant.name in {"odd", "rude"}]))

    words = [
        "suites/toy",
        "--implementations",
        str(path),
        "--peers=embedded",
        "--results",
        str(checkout / "own"),
    ]
    subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=checkout, capture_output=True, timeout=100, check=False
    )

    (written,) = (checkout / "own").glob("*/verdicts.jsonl")
    rows = [json.loads(line) for line in written.read_text(encoding="utf-8").splitlines()]
    assert sorted((each["implementation"], each["case"], each["cut"], each["attempts"]) for each in rows) == [
        ("odd", "toy.client.sums-are-right", "whole", None),
        ("rude", "toy.client.clients-are-polite", "lines", None),
    ]


# the suites that there are


def test_every_smtp_mutant_has_a_clause_and_every_clause_a_mutant() -> None:
    """The list is read as the command reads it; each clause that cases decide is held to a mutant at least."""
    suite = find_suites(ROOT)["smtp"]

    exemplars, mutants = candidates(suite, ROOT)

    decided = {each.id for each in suite.ledger.clauses if each.undecidable is None and each.gap is None}
    assert {exemplar.role for exemplar in exemplars} == {"client", "server"}
    assert decided - {mutant.clause for mutant in mutants} == set()
    assert all(mutant.description for mutant in mutants)


def test_the_command_line_kills_one_of_each_role() -> None:
    """``erle mutants`` tries the mutants that are named, says which case killed each, and ends with 0."""
    ended = erle("mutants", "smtp", "--mutant", "dots-left", "--mutant", "keeps-dots")

    assert ended.returncode == 0, ended.stderr
    assert "2 of 2 mutants killed" in ended.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["smtp", "--mutant", "keep-dots"], "did you mean keeps-dots"),
        (["nosuch"], "there is no protocol called 'nosuch'"),
    ],
    ids=["mutant", "protocol"],
)
def test_the_command_line_tells_unknown_names(words: list[str], said: str) -> None:
    """A name that stands for nothing is a usage error with the nearest names."""
    ended = erle("mutants", *words)

    assert ended.returncode == 2
    assert said in ended.stderr

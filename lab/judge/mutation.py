"""Mutants: a case is worth something when it kills an implementation that is broken on purpose.

Knows how a suite tells of its exemplars and mutants (``python -m suites.<protocol>.mutants list``), how to have them
judged, each by the cases of its own clause, and when one is killed. Must not know any protocol.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.judge.catalogue import unknown
from lab.judge.killing import kills
from lab.judge.suite import Suite
from lab.judge.verdict import Verdict

LIST_TIMEOUT = 60.0
#: Seconds that one process may take to judge its share; a mutant that hangs costs its cases' own deadlines.
JUDGE_TIMEOUT = 1800.0
#: Seconds for one case: more than any of them waits by itself.
CASE_TIMEOUT = 300
#: pytest's exit code where no case is left to run.
NOTHING_COLLECTED = 5
Progress = Callable[[str], None]
#: Verdict rows by role and name.
Rows = defaultdict[tuple[str, str], list[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An exemplar, or a mutant of one.

    Attributes:
        clause: by which a mutant must be caught; ``None`` for an exemplar, which must pass every case.
    """

    name: str
    role: str
    command: tuple[str, ...]
    features: tuple[str, ...]
    clause: str | None = None
    description: str = ""


@dataclass(frozen=True)
class Fate:
    """What became of one candidate.

    Attributes:
        killed: a case of its clause failed by its assertion (for an exemplar: any case did not pass).
        reason: why it counts as it does, in one line.
        by: the cases that killed it.
    """

    candidate: Candidate
    killed: bool
    reason: str
    by: tuple[str, ...] = ()


@dataclass
class Outcome:
    """What became of all."""

    digest: str
    exemplars: list[Fate] = field(default_factory=list)
    mutants: list[Fate] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)

    @property
    def survivors(self) -> list[Fate]:
        """The mutants that no case caught."""
        return [fate for fate in self.mutants if not fate.killed]

    @property
    def good(self) -> bool:
        """Whether every mutant was killed and every exemplar passed."""
        return not self.survivors and not any(fate.killed for fate in self.exemplars)


def candidates(suite: Suite, root: Path) -> tuple[list[Candidate], list[Candidate]]:
    """The exemplars and the mutants of a suite.

    Raises:
        LabError: it has none, or what it tells of them has another form.
    """
    if not (suite.directory / "mutants.py").exists():
        raise LabError(f"the suite {suite.protocol} has no mutants (suites/{suite.protocol}/mutants.py)")
    argv = [sys.executable, "-m", f"suites.{suite.protocol}.mutants", "list"]
    told = subprocess.run(argv, cwd=root, capture_output=True, text=True, timeout=LIST_TIMEOUT, check=False)
    if told.returncode != 0:
        raise LabError(f"the mutants of {suite.protocol} could not be listed: {told.stderr.strip()[-500:]}")
    try:
        data = json.loads(told.stdout)
        exemplars = [_candidate(row) for row in data["exemplars"]]
        mutants = [_candidate(row) for row in data["mutants"]]
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"the list of mutants of {suite.protocol} has another form: {error!r}") from error
    _check(suite, mutants)
    return exemplars, mutants


def _candidate(row: dict[str, object]) -> Candidate:
    command, features = row["command"], row["features"]
    if not isinstance(command, list) or not isinstance(features, list):
        raise TypeError("command and features are lists")
    clause = row.get("clause")
    return Candidate(
        name=str(row["name"]),
        role=str(row["role"]),
        command=tuple(map(str, command)),
        features=tuple(map(str, features)),
        clause=str(clause) if clause is not None else None,
        description=str(row.get("description", "")),
    )


def _check(suite: Suite, mutants: Sequence[Candidate]) -> None:
    ledger = suite.ledger.by_id()
    for mutant in mutants:
        if mutant.clause not in ledger:
            raise LabError(f"the mutant {mutant.name}: {unknown('clause', str(mutant.clause), list(ledger))}")
        party = ledger[mutant.clause].party
        if party != mutant.role:
            raise LabError(
                f"the mutant {mutant.name} is a {mutant.role}, and {mutant.clause} binds the {party}"
            )
    for name, count in Counter(mutant.name for mutant in mutants).items():
        if count > 1:
            raise LabError(f"{count} mutants are called {name}: names are unique over both roles")


def catalogue_text(protocol: str, rows: Iterable[Candidate]) -> str:
    """The candidates as a catalogue; JSON's strings and lists of strings are TOML's too."""
    tables: list[str] = []
    for row in rows:
        lines = {
            "name": row.name,
            "protocol": protocol,
            "role": row.role,
            "library": "python",
            "command": list(row.command),
            "features": list(row.features),
        }
        if row.clause is not None:
            lines["only-clauses"] = [row.clause]
        tables.append(
            "[[implementation]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
        )
    return "\n".join(tables)


class Trial:
    """Has candidates judged in a few pytest processes side by side.

    Args:
        suite: whose cases judge them.
        root: the checkout.
        processes: how many at once.
        say: is told what goes on, line by line.
    """

    def __init__(self, suite: Suite, root: Path, *, processes: int, say: Progress) -> None:
        self._suite = suite
        self._root = root
        self._processes = processes
        self._say = say

    def run(self, names: Sequence[str] = ()) -> Outcome:
        """Judge all, or the mutants with these names: mutants with the stream whole, survivors with every cut.

        Raises:
            UnknownName: no mutant has one of the names.
            LabError: the cases could not run.
        """
        exemplars, mutants = candidates(self._suite, self._root)
        for name in names:
            if name not in {mutant.name for mutant in mutants}:
                raise unknown("mutant", name, [mutant.name for mutant in mutants])
        outcome = Outcome(self._suite.digest())
        if names:
            exemplars, mutants = [], [mutant for mutant in mutants if mutant.name in names]
        protocol = self._suite.protocol
        self._say(
            f"{protocol}: {len(exemplars)} exemplars on all cases, {len(mutants)} mutants on those of their clauses"
        )
        rows = self._judge([*((each,) for each in exemplars)], self._shares(mutants))
        outcome.exemplars = [exemplar_fate(each, rows[each.role, each.name]) for each in exemplars]
        alive = [each for each in mutants if not mutant_fate(each, rows[each.role, each.name]).killed]
        if alive:
            self._say(f"{protocol}: {len(alive)} mutants alive, once more with the stream cut")
            for key, more in self._judge(self._shares(alive), []).items():
                rows[key] += more
        outcome.mutants = [mutant_fate(mutant, rows[mutant.role, mutant.name]) for mutant in mutants]
        decided = {mutant.clause for mutant in mutants}
        if not names:
            outcome.untried = [
                clause.id
                for clause in self._suite.ledger.clauses
                if clause.undecidable is None and clause.gap is None and clause.id not in decided
            ]
        return outcome

    def _shares(self, rows: Sequence[Candidate]) -> list[Sequence[Candidate]]:
        """The candidates in more shares than processes: one that is slow to judge holds up few others."""
        count = min(len(rows), 2 * self._processes)
        return [rows[start::count] for start in range(count)]

    def _judge(self, cut: Sequence[Sequence[Candidate]], whole: Sequence[Sequence[Candidate]]) -> Rows:
        """The verdict rows of all shares: of the first ones with every cut, of the others with the stream whole."""
        found: Rows = defaultdict(list)
        shares = [*((share, ()) for share in cut), *((share, ("--cut=whole",)) for share in whole)]
        with (
            tempfile.TemporaryDirectory(prefix="erle-mutants-") as folder,
            ThreadPoolExecutor(self._processes) as pool,
        ):
            runs = [
                pool.submit(self._pytest, share, Path(folder) / f"share-{number}", options)
                for number, (share, options) in enumerate(shares)
            ]
            for run in runs:
                for row in run.result():
                    found[str(row["role"]), str(row["implementation"])].append(row)
        return found

    def _pytest(
        self, rows: Sequence[Candidate], folder: Path, options: Sequence[str]
    ) -> list[dict[str, object]]:
        """One pytest process over some candidates; embedded peers do, and no reference server stands beside them."""
        folder.mkdir()
        catalogue = folder / "catalogue.toml"
        catalogue.write_text(catalogue_text(self._suite.protocol, rows), encoding="utf-8")
        argv = [
            *(
                sys.executable,
                "-m",
                "pytest",
                str(self._suite.directory),
                "-q",
                "--no-header",
                "--tb=no",
                "-r",
                "N",
            ),
            *(
                "--implementations",
                str(catalogue),
                "--peers=embedded",
                "--only-cases",
                "--results",
                str(folder),
            ),
            *("-p", "no:cacheprovider", "-p", "lab.judge.first_kill", f"--timeout={CASE_TIMEOUT}", *options),
        ]
        with (folder / "output").open("w+", encoding="utf-8") as output:
            ended = subprocess.run(
                argv, cwd=self._root, stdout=output, stderr=output, timeout=JUDGE_TIMEOUT, check=False
            )
            output.seek(0)
            said = output.read()[-2000:]
        texts = [path.read_text(encoding="utf-8") for path in folder.glob("*/verdicts.jsonl")]
        verdicts = [json.loads(line) for text in texts for line in text.splitlines()]
        # no case at all decides the clauses of these mutants, which then survive
        if not verdicts and ended.returncode != NOTHING_COLLECTED:
            raise LabError(f"the cases could not judge the mutants: {said}")
        return verdicts


def mutant_fate(mutant: Candidate, rows: Sequence[dict[str, object]]) -> Fate:
    """Whether a case of its clause caught it by what it says, and not by its own breakdown."""
    mine = [row for row in rows if mutant.clause in _words(row["clauses"])]
    killing = [row for row in mine if kills(str(row["verdict"]), str(row["reason"]))]
    if killing:
        killers = tuple(dict.fromkeys(str(row["case"]) for row in killing))
        return Fate(mutant, killed=True, reason=_line(killing[0]["reason"]), by=killers)
    if not mine:
        return Fate(mutant, killed=False, reason="no case decides its clause")
    others = [row for row in mine if row["verdict"] not in {Verdict.PASS, Verdict.UNSUPPORTED}]
    if others:
        return Fate(mutant, killed=False, reason=f"only {others[0]['verdict']}: {_line(others[0]['reason'])}")
    asked = len({row["case"] for row in mine})
    return Fate(mutant, killed=False, reason=f"passes all of the {asked} cases of its clause")


def exemplar_fate(exemplar: Candidate, rows: Sequence[dict[str, object]]) -> Fate:
    """Whether it passes every case."""
    bad = [row for row in rows if row["verdict"] != Verdict.PASS]
    if not rows:
        return Fate(exemplar, killed=True, reason="no case judged it")
    if bad:
        cases = tuple(dict.fromkeys(str(row["case"]) for row in bad))
        return Fate(exemplar, killed=True, reason=f"{bad[0]['verdict']}: {_line(bad[0]['reason'])}", by=cases)
    return Fate(exemplar, killed=False, reason=f"passes all {len(rows)} verdicts")


def _words(value: object) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []


def _line(text: object) -> str:
    return " ".join(str(text).split())[:200]


def write_outcome(outcome: Outcome, protocol: str, root: Path) -> Path:
    """Write ``results/mutants-<protocol>.json``; returns its path.

    Raises:
        LabError: the disk takes no more.
    """
    path = root / "results" / f"mutants-{protocol}.json"
    record = {
        "killed": sorted(fate.candidate.name for fate in outcome.mutants if fate.killed),
        "survived": sorted(fate.candidate.name for fate in outcome.survivors),
        "total": len(outcome.mutants),
        "suite_digest": outcome.digest,
    }
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        path.parent.mkdir(exist_ok=True)
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise LabError(f"{path.name} could not be written: {error.strerror or error}") from error
    return path

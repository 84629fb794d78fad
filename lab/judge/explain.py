"""What the lab knows of one clause or one case: its text, its cases with their titles, the newest verdicts.

It knows ledgers, the sources of cases as syntax trees, and results; it must not import a suite or know how the answer is shown.
"""

from __future__ import annotations

import ast
import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import UnknownName
from lab.judge.checked_json import RunError
from lab.judge.runs import Clause, Run, VerdictRow, find_run, read_run, read_verdicts, run_ids
from lab.judge.suite import find_suites

# How many runs back the newest verdict of an implementation is looked for.
_RUNS: Final = 20


@dataclass(frozen=True, slots=True)
class Case:
    """A case: its id, the first line of its docstring, where it stands (file and function), and its clauses."""

    id: str
    title: str
    place: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest verdicts of one implementation on what was asked, and the run they are from."""

    run: str
    protocol: str
    role: str
    implementation: str
    rows: tuple[VerdictRow, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`clauses` and `cases` that the id stands for; one of the two is the thing asked for, `asked` says which."""

    asked: str
    clauses: tuple[Clause, ...]
    cases: tuple[Case, ...]
    latest: tuple[Latest, ...]
    warnings: tuple[str, ...]


def explain(root: Path, results: Path, name: str) -> Explanation:
    """Explain the clause or case `name`; a case's id may be given without its parameters.

    `root` is the checkout (its ledgers and sources are used where they are), `results` the folder of runs. Raises UnknownName
    with the nearest ids, RunError or DataError for files that cannot be read.
    """
    run = read_run(find_run(results)) if run_ids(results) else None
    clauses = _clauses(root, run)
    cases = _cases(root, run)
    if name in clauses:
        chosen = [case for case in cases if name in case.clauses]
        latest, warnings = _latest(results, name, lambda row: name in row.clauses)
        return Explanation("clause", (clauses[name],), tuple(chosen), latest, warnings)
    chosen = [case for case in cases if name in {case.id, _bare(case.id)}]
    if chosen:
        named = dict.fromkeys(clause for case in chosen for clause in case.clauses)
        latest, warnings = _latest(results, name, lambda row: name in {row.case, _bare(row.case)})
        found = tuple(clauses[clause] for clause in named if clause in clauses)
        return Explanation("case", found, tuple(chosen), latest, warnings)
    known = sorted({*clauses, *(case.id for case in cases)})
    raise UnknownName("clause or case", name, nearest(name, known), known[:3])


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three ids that were perhaps meant: those that hold the text first, then those spelt like it."""
    names = list(known)
    holding = [one for one in names if name and name.casefold() in one.casefold()]
    like = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return list(dict.fromkeys([*holding, *like]))[:3]


def _bare(case: str) -> str:
    return case.partition("[")[0]


def _clauses(root: Path, run: Run | None) -> dict[str, Clause]:
    """The ledgers of the checkout, under those that the newest run was judged by."""
    found: dict[str, Clause] = {}
    for suite in find_suites(root).values():
        if not (suite.directory / "clauses.toml").exists():
            continue
        for entry in suite.ledger.clauses:
            found[entry.id] = Clause(
                entry.id,
                entry.spec,
                entry.section,
                entry.level,
                entry.party,
                entry.group,
                entry.text,
                entry.undecidable,
                entry.gap,
                (),
            )
    if run is not None:
        found |= {clause.id: clause for suite in run.suites.values() for clause in suite.clauses}
    return found


def _cases(root: Path, run: Run | None) -> list[Case]:
    """Every case that ran last, and those of the sources that did not."""
    found: dict[str, Case] = {}
    for row in run.verdicts if run else ():
        place = row.nodeid.partition("[")[0]
        found.setdefault(row.case, Case(row.case, row.title, place, row.clauses))
    ran = {_bare(name) for name in found}
    for suite in find_suites(root).values():
        for path in sorted(suite.directory.glob("test_*.py")):
            place = path.relative_to(root).as_posix()
            for case in source_cases(path.read_text("utf-8"), suite.protocol, place):
                if case.id not in ran:
                    found[case.id] = case
    return [found[name] for name in sorted(found)]


def source_cases(source: str, protocol: str, place: str) -> Iterator[Case]:
    """The cases of a test module: functions named `test_…` that name clauses; parameters are not unfolded."""
    tree = ast.parse(source)
    roles = [_words(node.value, "role") for node in tree.body if isinstance(node, ast.Assign)]
    module_role = next((role[0] for role in roles if role), "")
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not node.name.startswith("test_"):
            continue
        clauses = tuple(word for one in node.decorator_list for word in _words(one, "clause"))
        if not clauses:
            continue
        role = next(
            (role[0] for role in (_words(one, "role") for one in node.decorator_list) if role), module_role
        )
        words = node.name.removeprefix("test_").replace("_", "-")
        title = (ast.get_docstring(node) or "").partition("\n")[0]
        yield Case(
            ".".join(part for part in (protocol, role, words) if part),
            title,
            f"{place}::{node.name}",
            clauses,
        )


def _words(node: ast.AST, function: str) -> list[str]:
    """The literal texts that `node` hands to a function of this name."""
    return [
        word.value
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", ""))
        == function
        for word in call.args
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    ]


def _latest(
    results: Path, text: str, wanted: Callable[[VerdictRow], bool]
) -> tuple[tuple[Latest, ...], tuple[str, ...]]:
    """For each implementation the rows of the newest run that has any; runs that cannot be read are told, not hidden."""
    found: dict[tuple[str, str, str], Latest] = {}
    warnings: list[str] = []
    for run in run_ids(results)[:_RUNS]:
        try:
            rows, torn = read_verdicts(results / run, containing=text)
        except RunError as error:
            warnings.append(str(error))
            continue
        warnings += torn
        gathered: dict[tuple[str, str, str], list[VerdictRow]] = defaultdict(list)
        for row in rows:
            if wanted(row):
                gathered[row.protocol, row.role, row.implementation].append(row)
        for key, mine in gathered.items():
            found.setdefault(key, Latest(run, *key, tuple(mine)))
    return tuple(found[key] for key in sorted(found)), tuple(warnings)

"""What the lab covers: listings, servers, and for each protocol its clauses, cases, mutants and implementations.

Knows where the checkout keeps its data, and reads sources as syntax trees. Must not import a suite or an implementation,
nor run anything, so that it answers at once.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import LabError
from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.located import DataError, read_toml
from lab.judge.mutation import candidates
from lab.judge.suite import Suite, find_suites

# A profile of compose.yaml whose services are no doubles: the Erle board.
BOARD_PROFILE = "arm"
# What a program asks so as to know that it was started and not imported.
STARTED = "__name__ == '__main__'"


@dataclass(frozen=True)
class ProtocolSurvey:
    """The figures of one protocol.

    A clause is decided when a case names it, undecidable or a gap when its ledger says so; one that is none of the
    three counts in `clauses` alone.
    """

    clauses: int
    decided: int
    undecidable: int
    gap: int
    cases: int
    mutants: int
    killed: int
    clients: tuple[str, ...]
    servers: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the figures under their published keys."""
        return {
            "clauses": {
                "total": self.clauses,
                "decided": self.decided,
                "undecidable": self.undecidable,
                "gap": self.gap,
            },
            "cases": self.cases,
            "mutants": {"total": self.mutants, "killed": self.killed},
            "implementations": {"client": list(self.clients), "server": list(self.servers)},
        }


@dataclass(frozen=True)
class Survey:
    """What the whole checkout covers."""

    listings: int
    present: int
    servers: tuple[str, ...]
    protocols: dict[str, ProtocolSurvey]

    def as_json(self) -> dict[str, object]:
        """Return the figures under their published keys."""
        return {
            "listings": {"total": self.listings, "present": self.present},
            "servers": list(self.servers),
            "protocols": {name: found.as_json() for name, found in self.protocols.items()},
        }


def survey(root: Path) -> Survey:
    """Look at the checkout whose folder is `root`; raises `LabError` for data that cannot be read."""
    programs = listings(root)
    catalogue = load_catalogue(root / "implementations" / "catalogue.toml")
    return Survey(
        listings=len(programs),
        present=sum(answers(path) for path in programs),
        servers=servers(root / "compose.yaml"),
        protocols={
            name: survey_protocol(suite, catalogue, root)
            for name, suite in find_suites(root).items()
            if (suite.directory / "clauses.toml").exists()
        },
    )


def listings(root: Path) -> list[Path]:
    """Return the path of every program that `implementations/listings.toml` asks for."""
    path = root / "implementations" / "listings.toml"
    packages = read_toml(path).get("packages")
    if not isinstance(packages, dict) or not all(
        isinstance(programs, list) for programs in packages.values()
    ):
        raise DataError(f'{path}: needs a table [packages] of lists: package = ["program", …]')
    return [
        root / "implementations" / package / f"{program}.py"
        for package, programs in packages.items()
        for program in programs
    ]


def answers(path: Path) -> bool:
    """Say whether a program is there and can be started: a module that does something when it is run."""
    if not path.is_file():
        return False
    return any(isinstance(node, ast.If) and ast.unparse(node.test) == STARTED for node in parse(path).body)


def servers(path: Path) -> tuple[str, ...]:
    """Return the services of a compose file: reference servers and the Erle board, without doubles for tests."""
    try:
        data = yaml.load(path.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"cannot read {path}: {error}") from error
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict):
        raise LabError(f"{path} has no services")
    return tuple(
        sorted(
            name for name, service in services.items() if set(service.get("profiles", ())) <= {BOARD_PROFILE}
        )
    )


def survey_protocol(suite: Suite, catalogue: tuple[Implementation, ...], root: Path) -> ProtocolSurvey:
    """Return the figures of one protocol from its ledger, its sources and the last run of its mutants."""
    named: set[str] = set()
    cases = 0
    with ThreadPoolExecutor(1) as other:
        # a process of its own lists them, while the sources are read here
        listed = other.submit(mutants_of, suite, root)
        for path in sorted(suite.directory.glob("test_*.py")):
            tree = parse(path)
            named |= named_in(tree)
            cases += sum(cases_of(tree))
        mutants = listed.result()
    clauses = suite.ledger.clauses
    return ProtocolSurvey(
        clauses=len(clauses),
        decided=sum(clause.id in named and not clause.undecidable and not clause.gap for clause in clauses),
        undecidable=sum(clause.undecidable is not None for clause in clauses),
        gap=sum(clause.gap is not None for clause in clauses),
        cases=cases,
        mutants=mutants,
        killed=killed(root / "results" / f"mutants-{suite.protocol}.json", suite) if mutants else 0,
        clients=_names(catalogue, suite.protocol, "client"),
        servers=_names(catalogue, suite.protocol, "server"),
    )


def _names(catalogue: tuple[Implementation, ...], protocol: str, role: str) -> tuple[str, ...]:
    return tuple(row.name for row in catalogue if row.protocol == protocol and row.role == role)


def clauses_of(tree: ast.AST) -> frozenset[str]:
    """The ids that calls of `clause(…)` name, as decorators or as marks of parameters."""
    return frozenset(
        word.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and _name(call) == "clause"
        for word in call.args
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    )


def named_in(tree: ast.Module) -> frozenset[str]:
    """The ids that a test module names: on its functions, and in the constants they run through."""
    named: frozenset[str] = frozenset()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                named |= clauses_of(decorator)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            named |= clauses_of(node)
    return named


def cases_of(tree: ast.Module) -> Iterator[int]:
    """Yield how many cases each case function of a module is: one, times its literal parameters.

    Implementations and cuts, which the judge adds when it runs, do not multiply cases.
    """
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            calls = [
                call
                for decorator in node.decorator_list
                for call in ast.walk(decorator)
                if isinstance(call, ast.Call)
            ]
            families = [_values(call, constants) for call in calls if _name(call) == "parametrize"]
            named = any(clauses_of(call) for call in calls)
            if named or any(values is not None and clauses_of(values) for values in families):
                yield math.prod(map(_length, families))


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _values(call: ast.Call, constants: dict[str, ast.expr]) -> ast.expr | None:
    """Return what a `parametrize` runs through: a literal, or the constant that a name stands for."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "argvalues"]
    values: ast.expr | None = call.args[1] if len(call.args) > 1 else next(iter(given), None)
    if isinstance(values, ast.Call) and _name(values) == "sorted" and values.args:
        values = values.args[0]
    if isinstance(values, ast.Call) and isinstance(values.func, ast.Attribute):
        # a view of a constant dict is as long as the dict
        values = values.func.value
    return constants.get(values.id) if isinstance(values, ast.Name) else values


def _length(values: ast.expr | None) -> int:
    """Return how many values are written out; 1 where they are computed."""
    if isinstance(values, ast.List | ast.Tuple | ast.Set):
        return len(values.elts)
    return len(values.keys) if isinstance(values, ast.Dict) else 1


def mutants_of(suite: Suite, root: Path) -> int:
    """Return how many mutants a suite tells of; 0 where it has none. Raises `LabError` when they cannot be listed."""
    if not (suite.directory / "mutants.py").is_file():
        return 0
    return len(candidates(suite, root)[1])


def killed(path: Path, suite: Suite) -> int:
    """Return how many mutants the last run killed; 0 where none ran, or where the suite has changed since."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LabError(
            f"cannot read {path}: {error}", remedy=f"delete it, then: erle test -s mutants {suite.protocol}"
        ) from error
    if not isinstance(data, dict) or data.get("suite_digest") != suite.digest():
        return 0
    return len(set(data.get("killed", [])))


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a source file."""
    try:
        return ast.parse(path.read_bytes(), str(path))
    except SyntaxError as error:
        raise LabError(f"{path}:{error.lineno}: {error.msg}") from error

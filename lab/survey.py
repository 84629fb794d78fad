"""What the lab covers: listings, servers, and for each protocol its clauses, cases, mutants and implementations.

Knows where the checkout keeps its data, and reads sources as syntax trees. Must not import a suite or an implementation,
nor run anything, so that it answers at once.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import LabError
from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.located import DataError, read_toml
from lab.judge.suite import Suite, find_suites

# A profile of compose.yaml whose services are no doubles: the Erle board.
BOARD_PROFILE = "arm"


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
            name: survey_protocol(suite, catalogue, root / "results")
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
    """Say whether a program is there and can be started: a module with a function `main`."""
    if not path.is_file():
        return False
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    return any(isinstance(node, functions) and node.name == "main" for node in parse(path).body)


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


def survey_protocol(suite: Suite, catalogue: tuple[Implementation, ...], results: Path) -> ProtocolSurvey:
    """Return the figures of one protocol from its ledger, its sources and the last run of its mutants."""
    named: set[str] = set()
    cases = 0
    for path in sorted(suite.directory.glob("test_*.py")):
        for found in cases_of(parse(path)):
            named |= found.clauses
            cases += found.count
    clauses = suite.ledger.clauses
    mutants = mutants_of(suite.directory / "mutants.py")
    return ProtocolSurvey(
        clauses=len(clauses),
        decided=sum(clause.id in named and not clause.undecidable and not clause.gap for clause in clauses),
        undecidable=sum(clause.undecidable is not None for clause in clauses),
        gap=sum(clause.gap is not None for clause in clauses),
        cases=cases,
        mutants=mutants,
        killed=killed(results / f"mutants-{suite.protocol}.json", suite) if mutants else 0,
        clients=_names(catalogue, suite.protocol, "client"),
        servers=_names(catalogue, suite.protocol, "server"),
    )


def _names(catalogue: tuple[Implementation, ...], protocol: str, role: str) -> tuple[str, ...]:
    return tuple(row.name for row in catalogue if row.protocol == protocol and row.role == role)


@dataclass(frozen=True)
class Found:
    """A test function that names clauses, and how many cases it is."""

    clauses: frozenset[str]
    count: int


def cases_of(tree: ast.Module) -> Iterator[Found]:
    """Yield the cases of a test module: functions decorated with `clause(…)`, times their literal parameters.

    Implementations and cuts, which the judge adds when it runs, do not multiply cases.
    """
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            calls = [
                call
                for decorator in node.decorator_list
                for call in ast.walk(decorator)
                if isinstance(call, ast.Call)
            ]
            clauses = frozenset(
                word.value
                for call in calls
                if _name(call) == "clause"
                for word in call.args
                if isinstance(word, ast.Constant) and isinstance(word.value, str)
            )
            if clauses:
                count = 1
                for call in calls:
                    if _name(call) == "parametrize":
                        count *= _length(call, constants)
                yield Found(clauses, count)


def _name(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _length(call: ast.Call, constants: dict[str, ast.expr]) -> int:
    """Return how many values a `parametrize` has: those of a literal or of a name for one; 1 where they are computed."""
    given = [keyword.value for keyword in call.keywords if keyword.arg == "argvalues"]
    values: ast.expr | None = call.args[1] if len(call.args) > 1 else next(iter(given), None)
    if isinstance(values, ast.Call) and _name(values) == "sorted" and values.args:
        values = values.args[0]
    if isinstance(values, ast.Name):
        values = constants.get(values.id)
    if isinstance(values, ast.List | ast.Tuple | ast.Set):
        return len(values.elts)
    return len(values.keys) if isinstance(values, ast.Dict) else 1


def mutants_of(path: Path) -> int:
    """Return how many mutants a suite has: the length of the literal `MUTANTS` of its `mutants.py`; 0 without one."""
    if not path.is_file():
        return 0
    for node in parse(path).body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        if (
            isinstance(target, ast.Name)
            and target.id == "MUTANTS"
            and isinstance(node, ast.Assign | ast.AnnAssign)
        ):
            if not isinstance(node.value, ast.Tuple | ast.List):
                raise DataError(
                    f"{path}:{node.lineno}: MUTANTS must be a tuple written out, one element per mutant"
                )
            return len(node.value.elts)
    raise DataError(f"{path}: needs MUTANTS = (…) at the top level")


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

"""From pytest's items to cases: ids, clauses, and who runs them.

Knows marks and parameters. Must not know outcomes.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

import pytest

from lab.errors import LabError
from lab.judge.catalogue import Implementation, Role, unknown
from lab.judge.known import KnownFailure
from lab.judge.ledger import Clause
from lab.judge.selection import Selection
from lab.judge.suite import Suite


@dataclass(frozen=True)
class Case:
    """One case for one implementation and one cut."""

    id: str
    title: str
    suite: Suite
    role: Role
    clauses: tuple[Clause, ...]
    needs: frozenset[str]
    implementation: Implementation
    cut: str
    peer_kind: str
    known: tuple[KnownFailure, ...]

    @property
    def clause_ids(self) -> tuple[str, ...]:
        """The ids of the clauses it decides."""
        return tuple(entry.id for entry in self.clauses)

    def missing_features(self) -> list[str]:
        """What it needs and the implementation declares not to have."""
        return sorted(self.needs - self.implementation.features)

    def reproduce(self) -> str:
        """The one command that runs it again."""
        words = ["./erle", "run", self.suite.protocol]
        row = self.implementation
        words += row.asked_by or ("--implementation", row.plain_name)
        if row.place:
            words += ["--on", row.place]
        words += ["--case", self.id]
        if self.cut != "-":
            words += ["--cut", self.cut]
        return shlex.join(words)


def parametrize(metafunc: pytest.Metafunc, selection: Selection) -> None:
    """Give a case its implementations and its cuts."""
    mark = metafunc.definition.get_closest_marker("role")
    suite = selection.suite_of(metafunc.definition.path)
    if mark is None or suite is None:
        return
    if "implementation" in metafunc.fixturenames:
        decided = _clauses_of(metafunc)
        rows = [
            row
            for row in selection.implementations(suite.protocol, mark.args[0])
            if not row.only_clauses or row.only_clauses & decided
        ]
        metafunc.parametrize("implementation", rows, ids=[row.name for row in rows], scope="session")
    if "cut" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("cuts")
        names = only.args if only is not None else ("whole", "octets", "lines")
        metafunc.parametrize("cut", [name for name in names if name in selection.cuts], ids=str)


def _clauses_of(metafunc: pytest.Metafunc) -> frozenset[str]:
    """The clauses that the cases of a test function decide, those named by single parameters too."""
    marks = [*metafunc.definition.iter_markers("clause")]
    for parameters in metafunc.definition.iter_markers("parametrize"):
        for value in parameters.args[1]:
            marks += [mark for mark in getattr(value, "marks", ()) if mark.name == "clause"]
    return frozenset(str(name) for mark in marks for name in mark.args)


def case_of(item: pytest.Item, selection: Selection) -> Case | None:
    """The case an item runs, or ``None`` for a test that judges no implementation.

    Raises:
        LabError: the case names a clause that is not in the ledger, or names none.
    """
    mark = item.get_closest_marker("role")
    suite = selection.suite_of(item.path)
    if (
        mark is None
        or suite is None
        or not isinstance(item, pytest.Function)
        or not hasattr(item, "callspec")
    ):
        return None
    parameters = item.callspec.params
    implementation = parameters.get("implementation")
    if not isinstance(implementation, Implementation):
        return None
    cut = parameters.get("cut", "-")
    if not isinstance(cut, str):
        # none of the cuts asked for is one of the case's
        return None
    ids = tuple(str(name) for clause in item.iter_markers("clause") for name in clause.args)
    ledger = suite.ledger.by_id()
    for name in ids:
        if name not in ledger:
            raise LabError(f"{item.nodeid}: {unknown('clause', name, list(ledger))}")
    if not ids:
        raise LabError(f"{item.nodeid}: the case names no clause; decorate it with @clause(…)")
    peer = item.get_closest_marker("peer_kind")
    role: Role = mark.args[0]
    words = item.originalname.removeprefix("test_").replace("_", "-")
    variant = _variant(item.callspec.id, implementation.name, cut)
    case_id = f"{suite.protocol}.{role}.{words}" + (f"[{variant}]" if variant else "")
    return Case(
        id=case_id,
        title=(item.function.__doc__ or words).strip().partition("\n")[0],
        suite=suite,
        role=role,
        clauses=tuple(ledger[name] for name in ids),
        needs=frozenset(str(word) for needed in item.iter_markers("needs") for word in needed.args),
        implementation=implementation,
        cut=cut,
        peer_kind=peer.args[0] if peer is not None else "-",
        known=tuple(
            note
            for note in suite.known_of(implementation.plain_name)
            if note.covers(implementation=implementation.plain_name, role=role, clauses=ids, case=case_id)
        ),
    )


def _variant(callspec_id: str, implementation: str, cut: str) -> str:
    """What is left of the parameters' id without implementation and cut, which ``parametrize`` put first."""
    rest = callspec_id.removeprefix(implementation).removeprefix("-")
    if cut != "-":
        rest = rest.removeprefix(cut).removeprefix("-")
    return rest


def wanted(case: Case, selection: Selection) -> bool:
    """Whether the selection asks for this case."""
    if selection.clauses and not selection.clauses.intersection(case.clause_ids):
        return False
    only = case.implementation.only_clauses
    if only and not only.intersection(case.clause_ids):
        return False
    return not selection.cases or case.id in selection.cases or case.id.partition("[")[0] in selection.cases

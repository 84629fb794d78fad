"""The ledger: every clause of a protocol, read from ``suites/<protocol>/clauses.toml``.

Knows the form of a clause. Must not know any protocol's rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, cast

from lab.judge.located import DataError, Table, read_toml, tables

Level = Literal["MUST", "SHOULD", "MAY"]
Party = Literal["client", "server"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement of a specification.

    Attributes:
        sentences: ordinals of the section's normative sentences it stands for.
        undecidable: why it cannot be seen on the wire, or ``None``.
        gap: why no case decides it yet, or ``None``.
    """

    id: str
    spec: str
    section: str
    level: Level
    party: Party
    group: str
    text: str
    sentences: tuple[int, ...]
    undecidable: str | None
    gap: str | None

    @property
    def citation(self) -> str:
        """Specification and section, as a reader would cite them."""
        return f"{self.spec}, section {self.section}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Normative sentences that put no requirement on either party here, and why."""

    spec: str
    section: str
    sentences: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Ledger:
    """All clauses of one protocol, in the order of the file."""

    protocol: str
    groups: dict[str, str]
    clauses: tuple[Clause, ...]
    set_aside: tuple[SetAside, ...]

    def by_id(self) -> dict[str, Clause]:
        """The clauses under their ids."""
        return self._index

    @cached_property
    def _index(self) -> dict[str, Clause]:
        return {clause.id: clause for clause in self.clauses}


def load_ledger(path: Path) -> Ledger:
    """Read a ledger.

    Raises:
        DataError: the file has a mistake; the message names file, line and remedy.
    """
    data = read_toml(path)
    groups = data.get("groups")
    if not isinstance(groups, dict) or not all(isinstance(line, str) for line in groups.values()):
        message = f"{path}: needs a table [groups] with a line of text for each group"
        raise DataError(message)
    protocol = data.get("protocol")
    if not isinstance(protocol, str):
        message = f'{path}: needs protocol = "…" at its top'
        raise DataError(message)
    clauses: list[Clause] = []
    seen: set[str] = set()
    for table in tables(path, "clause", data):
        clause = _clause(table, tuple(groups))
        if clause.id in seen:
            raise table.mistake(f"repeats the id {clause.id!r}", "give every clause an id of its own")
        seen.add(clause.id)
        clauses.append(clause)
    set_aside = tuple(_set_aside(table) for table in tables(path, "set-aside", data))
    return Ledger(protocol, dict(groups), tuple(clauses), set_aside)


def _clause(table: Table, groups: tuple[str, ...]) -> Clause:
    table.only("id", "spec", "section", "level", "party", "group", "text", "sentences", "undecidable", "gap")
    if table.has("undecidable") and table.has("gap"):
        raise table.mistake("is both undecidable and a gap", "keep one of the two")
    return Clause(
        id=table.word("id"),
        spec=table.word("spec"),
        section=table.word("section"),
        # word() has checked that the text is one of these
        level=cast("Level", table.word("level", among=("MUST", "SHOULD", "MAY"))),
        party=cast("Party", table.word("party", among=("client", "server"))),
        group=table.word("group", among=groups),
        text=table.word("text"),
        sentences=table.numbers("sentences"),
        undecidable=table.word("undecidable") if table.has("undecidable") else None,
        gap=table.word("gap") if table.has("gap") else None,
    )


def _set_aside(table: Table) -> SetAside:
    table.only("spec", "section", "sentences", "reason")
    return SetAside(
        table.word("spec"), table.word("section"), table.numbers("sentences"), table.word("reason")
    )

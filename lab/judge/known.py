"""Known failures: written down with a reason, and stale as soon as they pass.

Knows the form of ``known-failures.toml``. Must not know why an implementation fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.judge.ledger import Ledger
from lab.judge.located import Table, read_toml, tables


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """One note: this implementation breaks this clause.

    Attributes:
        cases: case ids it is seen in; empty for every case of the clause.
        link: a page under docs/findings or a public report.
    """

    id: str
    implementation: str
    role: str
    clause: str
    cases: tuple[str, ...]
    reason: str
    link: str

    def covers(self, *, implementation: str, role: str, clauses: tuple[str, ...], case: str) -> bool:
        """Whether a failing verdict is this known failure."""
        return (
            self.implementation == implementation
            and self.role == role
            and self.clause in clauses
            and (not self.cases or case in self.cases or case.partition("[")[0] in self.cases)
        )


def load_known(path: Path, ledger: Ledger) -> tuple[KnownFailure, ...]:
    """Read the notes of one protocol.

    Raises:
        DataError: a mistake, told with file, line and remedy.
    """
    known_clauses = ledger.by_id()
    notes: list[KnownFailure] = []
    for table in tables(path, "known", read_toml(path)):
        note = _note(table)
        if note.clause not in known_clauses:
            raise table.mistake(f"names the clause {note.clause!r}", "use an id of clauses.toml")
        if any(other.id == note.id for other in notes):
            raise table.mistake(f"repeats the id {note.id!r}", "give every note an id of its own")
        notes.append(note)
    return tuple(notes)


def _note(table: Table) -> KnownFailure:
    table.only("id", "implementation", "role", "clause", "cases", "reason", "link")
    return KnownFailure(
        id=table.word("id"),
        implementation=table.word("implementation"),
        role=table.word("role", among=("client", "server")),
        clause=table.word("clause"),
        cases=table.words("cases", []),
        reason=table.word("reason"),
        link=table.word("link", "-"),
    )

"""What a run amounts to: verdicts gathered by implementation, clause and group, and the coverage of the ledger.

It knows runs and how their verdicts are counted; it must not know files, markup or any protocol's rules.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from lab.judge.report import words
from lab.judge.runs import Clause, Run, VerdictRow

LEVELS = ("MUST", "SHOULD", "MAY")


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """An implementation as a run knows it: a name is unique within its protocol and role."""

    protocol: str
    role: str
    name: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of each verdict, and how many of them are unexpected or known failures."""

    counts: Mapping[str, int]
    unexpected: int
    known: int

    @property
    def total(self) -> int:
        """All verdicts counted."""
        return sum(self.counts.values())

    @property
    def passed(self) -> int:
        """How many passed."""
        return self.counts.get("pass", 0)

    @property
    def answered(self) -> int:
        """Verdicts that say something of the implementation: neither blocked, disputed nor unsupported."""
        return sum(self.counts.get(word, 0) for word in ("pass", "fail", "lenient", "flaky"))

    @property
    def heaviest(self) -> str:
        """The verdict that speaks for all. Raises ValueError when nothing was counted."""
        return words.heaviest(word for word, count in self.counts.items() if count)

    def ordered(self) -> list[tuple[words.Word, int]]:
        """The verdicts that occur, heaviest first."""
        return [(entry, self.counts[entry.word]) for entry in words.WORDS if self.counts.get(entry.word)]


def tally(verdicts: Iterable[VerdictRow]) -> Tally:
    """Count verdicts one by one."""
    rows = list(verdicts)
    return Tally(
        Counter(row.verdict for row in rows),
        unexpected=sum(not row.expected for row in rows),
        known=sum(row.known is not None for row in rows),
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The clauses of one protocol and party that belong together."""

    id: str
    title: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One matrix: the implementations of a protocol in one role, and the groups of clauses that bind that role."""

    protocol: str
    role: str
    subjects: tuple[Subject, ...]
    groups: tuple[Group, ...]

    @property
    def id(self) -> str:
        """Stable words for addresses."""
        return f"{self.protocol}-{self.role}"

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """The clauses of all groups."""
        return tuple(clause for group in self.groups for clause in group.clauses)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a ledger is decided, at one level."""

    level: str
    decided: int
    undecidable: int
    gap: int
    unasked: int

    @property
    def total(self) -> int:
        """All clauses of the level."""
        return self.decided + self.undecidable + self.gap + self.unasked


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key under which section 4.10 follows 4.9."""
    return tuple(
        (0, int(part), "") if part.isdigit() and part.isascii() else (1, 0, part)
        for part in re.split(r"(\d+)", text)
        if part
    )


def coverage(clauses: Iterable[Clause]) -> list[Coverage]:
    """How many clauses of each level are in which state, levels without clauses left out."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for clause in clauses:
        counted[clause.level][clause.state] += 1
    order = [level for level in LEVELS if level in counted] + sorted(set(counted) - set(LEVELS))
    return [
        Coverage(level, *(counted[level][state] for state in ("decided", "undecidable", "gap", "unasked")))
        for level in order
    ]


class Model:
    """A run gathered for reading. Built once; everything is derived from the run when first asked for."""

    def __init__(self, run: Run) -> None:
        self.run = run

    @cached_property
    def by_subject(self) -> dict[Subject, list[VerdictRow]]:
        """Every verdict under its implementation, also implementations of the catalogue that have none."""
        found: dict[Subject, list[VerdictRow]] = {
            Subject(row.protocol, row.role, row.name): [] for row in self.run.implementations
        }
        for verdict in self.run.verdicts:
            subject = Subject(verdict.protocol, verdict.role, verdict.implementation)
            found.setdefault(subject, []).append(verdict)
        return dict(sorted(found.items()))

    @cached_property
    def by_case(self) -> dict[str, list[VerdictRow]]:
        """Every verdict under its case, cases in the order of their ids."""
        found: dict[str, list[VerdictRow]] = defaultdict(list)
        for verdict in self.run.verdicts:
            found[verdict.case].append(verdict)
        return dict(sorted(found.items()))

    @cached_property
    def clauses(self) -> dict[str, Clause]:
        """Every clause by id; one that a case names and no ledger holds is entered with that said as its text."""
        found = {clause.id: clause for suite in self.run.suites.values() for clause in suite.clauses}
        cases: dict[str, set[str]] = defaultdict(set)
        where: dict[str, VerdictRow] = {}
        for verdict in self.run.verdicts:
            for clause_id in verdict.clauses:
                cases[clause_id].add(verdict.case)
                where.setdefault(clause_id, verdict)
        for clause_id, verdict in where.items():
            if clause_id not in found:
                found[clause_id] = Clause(
                    id=clause_id,
                    spec="",
                    section="",
                    level="",
                    party=verdict.role,
                    group="",
                    text="This clause is not in the ledger of this run.",
                    undecidable=None,
                    gap=None,
                    cases=tuple(sorted(cases[clause_id])),
                )
        return found

    @cached_property
    def protocol_of(self) -> dict[str, str]:
        """The protocol of each clause."""
        found = {clause.id: name for name, suite in self.run.suites.items() for clause in suite.clauses}
        for verdict in self.run.verdicts:
            for clause_id in verdict.clauses:
                found.setdefault(clause_id, verdict.protocol)
        return found

    @cached_property
    def cases_of(self) -> dict[str, tuple[str, ...]]:
        """The cases of each clause: those the ledger lists and those that ran."""
        found: dict[str, set[str]] = {clause.id: set(clause.cases) for clause in self.clauses.values()}
        for verdict in self.run.verdicts:
            for clause_id in verdict.clauses:
                found[clause_id].add(verdict.case)
        return {clause_id: tuple(sorted(cases)) for clause_id, cases in found.items()}

    @cached_property
    def clause_tallies(self) -> dict[tuple[Subject, str], Tally]:
        """The verdicts of each implementation on each clause."""
        found: dict[tuple[Subject, str], list[VerdictRow]] = defaultdict(list)
        for subject, verdicts in self.by_subject.items():
            for verdict in verdicts:
                for clause_id in verdict.clauses:
                    found[subject, clause_id].append(verdict)
        return {key: tally(verdicts) for key, verdicts in found.items()}

    @cached_property
    def sections(self) -> list[Section]:
        """The matrices, one per protocol and role that has an implementation or a clause."""
        named: dict[tuple[str, str], list[Subject]] = defaultdict(list)
        for subject in self.by_subject:
            named[subject.protocol, subject.role].append(subject)
        bound: dict[tuple[str, str], dict[str, list[Clause]]] = defaultdict(lambda: defaultdict(list))
        for clause in self.clauses.values():
            bound[self.protocol_of[clause.id], clause.party][clause.group].append(clause)
        return [
            Section(
                protocol, role, tuple(named[protocol, role]), self._groups(protocol, bound[protocol, role])
            )
            for protocol, role in sorted({*named, *bound})
        ]

    def _groups(self, protocol: str, bound: Mapping[str, Sequence[Clause]]) -> tuple[Group, ...]:
        suite = self.run.suites.get(protocol)
        titles = suite.groups if suite else {}
        order = [name for name in titles if name in bound] + sorted(set(bound) - set(titles))
        return tuple(
            Group(
                name,
                titles.get(name, name or "Clauses of no group"),
                tuple(sorted(bound[name], key=lambda c: (natural(c.spec), natural(c.section), c.id))),
            )
            for name in order
        )

    def asked(self, section: Section) -> tuple[Group, ...]:
        """The groups of a matrix in which some implementation has a verdict."""
        return tuple(group for group in section.groups if any(c.id in self._asked for c in group.clauses))

    @cached_property
    def _asked(self) -> frozenset[str]:
        return frozenset(clause_id for _, clause_id in self.clause_tallies)

    def clauses_tally(self, subject: Subject, clauses: Iterable[Clause]) -> Tally:
        """Count clauses, each by the heaviest of the implementation's verdicts on it."""
        tallies = [
            self.clause_tallies[subject, c.id] for c in clauses if (subject, c.id) in self.clause_tallies
        ]
        return Tally(
            Counter(one.heaviest for one in tallies),
            unexpected=sum(one.unexpected > 0 for one in tallies),
            known=sum(one.known > 0 for one in tallies),
        )

    @cached_property
    def unexpected(self) -> list[VerdictRow]:
        """The verdicts to look at, heaviest first."""
        rows = [verdict for verdict in self.run.verdicts if not verdict.expected]
        return sorted(rows, key=lambda row: words.weight(row.verdict))

    @cached_property
    def known(self) -> list[tuple[str, str, list[VerdictRow]]]:
        """Known failures: the note's id, its reason, and the verdicts it covers."""
        found: dict[tuple[str, str], list[VerdictRow]] = defaultdict(list)
        for verdict in self.run.verdicts:
            if verdict.known is not None:
                found[verdict.known.id, verdict.known.reason].append(verdict)
        return [(*note, rows) for note, rows in sorted(found.items())]

    def version(self, subject: Subject) -> str:
        """The version judged, empty where the run does not say."""
        row = self.run.implementation(subject.protocol, subject.role, subject.name)
        if row is not None:
            return row.version
        peer = self.run.peers.get(subject.name)
        return peer.version if peer else ""

"""One verdict as a row of ``verdicts.jsonl``, and what a whole run makes of its rows.

Knows repeats, disputes and known failures. Must not know pytest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypedDict

from lab.judge.known import KnownFailure
from lab.judge.verdict import Verdict


class KnownNote(TypedDict):
    """The note that makes a failure an expected one."""

    id: str
    reason: str


class Row(TypedDict):
    """One verdict; the form is told in docs/results.md."""

    case: str
    nodeid: str
    title: str
    protocol: str
    role: str
    clauses: list[str]
    implementation: str
    place: str
    peer: str
    peer_kind: str
    cut: str
    verdict: str
    reason: str
    attempts: str | None
    seconds: float
    transcripts: list[str]
    reproduce: str
    known: KnownNote | None
    expected: bool


def merge_attempts(attempts: list[Row]) -> Row:
    """The row that stands for all attempts at one case; different answers make it *flaky*.

    The last attempt's row is kept, with every attempt's transcripts. A *blocked* attempt is no answer: where the last one is
    blocked the question could not be put again, and blocked it stays; where only earlier ones are, the others count.
    """
    final: Row = {**attempts[-1]}
    if len(attempts) == 1:
        return final
    final["transcripts"] = [name for attempt in attempts for name in attempt["transcripts"]]
    failed = sum(attempt["verdict"] != Verdict.PASS for attempt in attempts)
    final["attempts"] = f"{failed}/{len(attempts)}"
    answers = {attempt["verdict"] for attempt in attempts} - {Verdict.BLOCKED.value}
    if len(answers) > 1 and final["verdict"] != Verdict.BLOCKED:
        final["verdict"] = Verdict.FLAKY
        final["reason"] = next(
            attempt["reason"]
            for attempt in attempts
            if attempt["verdict"] not in {Verdict.PASS, Verdict.BLOCKED}
        )
        final["expected"] = False
    return final


def dispute(rows: list[Row], references: frozenset[str]) -> None:
    """Turn failures into *disputed* where the reference server fails the same case."""
    failed_by_reference = {
        row["case"] for row in rows if row["implementation"] in references and row["verdict"] == Verdict.FAIL
    }
    for row in rows:
        if row["verdict"] == Verdict.FAIL and row["role"] == "server" and row["case"] in failed_by_reference:
            row["verdict"] = Verdict.DISPUTED


def differ_by_place(rows: list[Row]) -> list[Row]:
    """The rows of other places whose verdict is not the one that the same case gave on this machine.

    Each then is an unexpected one, and its reason begins with both verdicts. A case that only one of the places was
    asked, or that could not be asked, or did not repeat, is no difference (the last two are unexpected anyway).
    """
    here = {(row["implementation"], row["case"], row["cut"]): row for row in rows if not row["place"]}
    found: list[Row] = []
    for row in rows:
        name = row["implementation"].removesuffix(f"@{row['place']}")
        twin = here.get((name, row["case"], row["cut"])) if row["place"] else None
        if twin is None or {twin["verdict"], row["verdict"]} & {Verdict.BLOCKED, Verdict.FLAKY}:
            continue
        if twin["verdict"] != row["verdict"]:
            row["reason"] = (
                f"differs by place: {twin['verdict']} here, {row['verdict']} on {row['place']}; "
                f"{row['reason'] or twin['reason']}"
            )
            row["expected"] = False
            found.append(row)
    return found


def settle_expectations(rows: list[Row]) -> None:
    """Say of each row whether its verdict is an expected one."""
    for row in rows:
        row["expected"] = not Verdict(row["verdict"]).asks_for_a_look or row["known"] is not None
        if row["verdict"] in {Verdict.BLOCKED, Verdict.FLAKY}:
            # a note explains a broken clause, not a lab that could not ask or an answer that changes
            row["expected"] = False


def stale_notes(rows: Sequence[Row], notes: Sequence[KnownFailure]) -> list[KnownFailure]:
    """The known failures whose cases ran and no longer fail."""
    seen: defaultdict[str, set[str]] = defaultdict(set)
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        of[row["implementation"]].append(row)
    for note in notes:
        for row in of[note.implementation]:
            covered = note.covers(
                implementation=row["implementation"],
                role=row["role"],
                clauses=tuple(row["clauses"]),
                case=row["case"],
            )
            if covered:
                seen[note.id].add(row["verdict"])
    return [note for note in notes if seen[note.id] and seen[note.id] <= {Verdict.PASS, Verdict.UNSUPPORTED}]

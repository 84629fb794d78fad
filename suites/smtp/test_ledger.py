"""Holds that the ledger leaves out no normative sentence of its specifications.

Knows the form of the ledger and of the counts. Must not know which cases decide a clause.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypedDict

import pytest

from lab.judge import normative

HERE = Path(__file__).resolve().parent
TEXTS = HERE.parents[2] / "shared" / "rfc"


class Row(TypedDict, total=False):
    """A clause or set-aside as the file has it."""

    id: str
    spec: str
    section: str
    level: str
    party: str
    group: str
    sentences: list[int]
    text: str
    undecidable: str
    gap: str
    reason: str


Ledger = TypedDict(
    "Ledger", {"protocol": str, "groups": dict[str, str], "clause": list[Row], "set-aside": list[Row]}
)


class Claim(NamedTuple):
    """The sentences that one row stands for."""

    spec: str
    section: str
    sentences: list[int]
    level: str | None


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """The ledger as it stands in the file."""
    loaded: Ledger = tomllib.loads((HERE / "clauses.toml").read_text(encoding="utf-8"))  # type: ignore[assignment]  # the tests below check its form
    return loaded


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    """The committed counts."""
    return normative.load_counts(HERE / "normative.toml")


def claims(ledger: Ledger) -> Iterator[Claim]:
    """Clauses have a level; what is set aside has none."""
    for row in [*ledger["clause"], *ledger["set-aside"]]:
        yield Claim(row["spec"], row["section"], row["sentences"], row.get("level"))


def test_every_normative_sentence_is_claimed(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """In each section the clauses and set-asides together hold each sentence from 1 to the count."""
    assert normative.missing_sentences(claims(ledger), counts) == []


def test_every_specification_is_counted(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """A specification is in the ledger if and only if its sentences were counted."""
    assert {claim.spec for claim in claims(ledger)} == set(counts)


def test_ids_are_unique_and_say_where_the_clause_stands(ledger: Ledger) -> None:
    """An id is the specification, the section and words, never a position."""
    ids = [clause["id"] for clause in ledger["clause"]]
    assert [name for name, times in Counter(ids).items() if times > 1] == []
    for clause in ledger["clause"]:
        place = f"{clause['spec'].lower().replace(' ', '')}-{clause['section']}-"
        assert clause["id"].startswith(place)
        assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)+", clause["id"].removeprefix(place))


def test_rows_have_the_words_of_the_ledger(ledger: Ledger) -> None:
    """Level, party and group are known words; nothing is both undecidable and a gap."""
    for clause in ledger["clause"]:
        assert clause["level"] in {"MUST", "SHOULD", "MAY"}, clause["id"]
        assert clause["party"] in {"client", "server"}, clause["id"]
        assert clause["group"] in ledger["groups"], clause["id"]
        assert clause["text"].endswith("."), clause["id"]
        assert not {"undecidable", "gap"} <= clause.keys(), clause["id"]
        assert clause.get("undecidable", clause.get("gap", "a reason")).strip(), clause["id"]
    for row in ledger["set-aside"]:
        assert row["sentences"], row
        assert row["reason"].strip(), row
    assert ledger["protocol"] == "smtp"


def test_ids_named_in_reasons_exist(ledger: Ledger) -> None:
    """A reason that points to another clause points to one that exists."""
    ids = {clause["id"] for clause in ledger["clause"]}
    rows = [*ledger["clause"], *ledger["set-aside"]]
    reasons = " ".join(row.get("reason", "") + " " + row.get("undecidable", "") for row in rows)
    named = re.findall(r"\brfc\d+-(?:[A-Z]|\d)[.\dA-Z]*-[a-z0-9.-]*[a-z0-9]", reasons)
    assert named
    assert set(named) <= ids


def text_of(spec: str) -> str:
    """The text of a specification, where it lies beside the checkout."""
    path = TEXTS / f"{spec.lower().replace(' ', '')}.txt"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside this checkout")
    return path.read_text(encoding="utf-8")


def test_counts_agree_with_the_texts(counts: dict[str, dict[str, int]]) -> None:
    """The committed counts are those of the texts."""
    for spec, sections in counts.items():
        assert normative.count_by_section(normative.normative_sentences(text_of(spec))) == sections


def test_no_must_is_written_down_as_a_should(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """A sentence of level MUST has a clause of level MUST, unless it is set aside; none is made stricter."""
    levels: dict[tuple[str, str, int], set[str | None]] = {}
    for claim in claims(ledger):
        for ordinal in claim.sentences:
            levels.setdefault((claim.spec, claim.section, ordinal), set()).add(claim.level)
    for spec in counts:
        for sentence in normative.normative_sentences(text_of(spec)):
            of_clauses = levels[spec, sentence.section, sentence.ordinal] - {None}
            place = f"{spec} {sentence.section} ({sentence.ordinal})"
            assert not of_clauses or sentence.level in of_clauses, f"{place} has no {sentence.level} clause"

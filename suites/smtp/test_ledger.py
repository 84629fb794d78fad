"""Holds that the ledger leaves out no normative sentence of its specifications.

Knows the form of the ledger and of the counts. Must not know which cases decide a clause.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.judge import normative
from lab.judge.ledger import Ledger, load_ledger

HERE = Path(__file__).resolve().parent
TEXTS = HERE.parents[2] / "shared" / "rfc"


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """The ledger; a mistake of form or an id given twice would be raised here."""
    return load_ledger(HERE / "clauses.toml")


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    """The committed counts."""
    return normative.load_counts(HERE / "normative.toml")


def test_every_normative_sentence_is_claimed(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """In each section the clauses and set-asides together hold each sentence from 1 to the count."""
    assert normative.missing_sentences([*ledger.clauses, *ledger.set_aside], counts) == []


def test_every_specification_is_counted(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """A specification is in the ledger if and only if its sentences were counted."""
    specifications = {row.spec for row in ledger.clauses} | {row.spec for row in ledger.set_aside}
    assert specifications == set(counts)


def test_ids_say_where_the_clause_stands(ledger: Ledger) -> None:
    """An id is the specification, the section and words, never a position."""
    for clause in ledger.clauses:
        place = f"{clause.spec.lower().replace(' ', '')}-{clause.section}-"
        assert clause.id.startswith(place)
        assert re.fullmatch(r"[a-z0-9.]+(-[a-z0-9.]+)+", clause.id.removeprefix(place))


def test_clauses_are_sentences(ledger: Ledger) -> None:
    """The text of a clause ends as a sentence does; what is set aside are sentences of the specification."""
    assert [clause.id for clause in ledger.clauses if not clause.text.endswith(".")] == []
    assert [row.reason for row in ledger.set_aside if not row.sentences] == []


def test_ids_named_in_reasons_exist(ledger: Ledger) -> None:
    """A reason that points to another clause points to one that exists."""
    reasons = [row.reason for row in ledger.set_aside]
    reasons += [clause.undecidable for clause in ledger.clauses if clause.undecidable is not None]
    named = re.findall(r"\brfc\d+-(?:[A-Z]|\d)[.\dA-Z]*-[a-z0-9.-]*[a-z0-9]", " ".join(reasons))
    assert named
    assert set(named) <= ledger.by_id().keys()


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
    levels: dict[tuple[str, str, int], set[str]] = {}
    for clause in ledger.clauses:
        for ordinal in clause.sentences:
            levels.setdefault((clause.spec, clause.section, ordinal), set()).add(clause.level)
    for spec in counts:
        for sentence in normative.normative_sentences(text_of(spec)):
            of_clauses = levels.get((spec, sentence.section, sentence.ordinal), set())
            place = f"{spec} {sentence.section} ({sentence.ordinal})"
            assert not of_clauses or sentence.level in of_clauses, f"{place} has no {sentence.level} clause"

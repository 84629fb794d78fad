"""Holds that the ledger leaves out no statement of the protocol's document.

Knows the form of the ledger and of the counts. Must not know which cases decide a clause.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.judge.ledger import Ledger, load_ledger
from lab.judge.normative import load_counts, missing_sentences
from suites.memcached.specification import SPECIFICATION, count_by_section, statements

HERE = Path(__file__).resolve().parent
TEXT = HERE.parents[2] / "shared" / "spec" / "memcached-protocol.txt"


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """The ledger; a mistake of form or an id given twice would be raised here."""
    return load_ledger(HERE / "clauses.toml")


@pytest.fixture(scope="module")
def counts() -> dict[str, dict[str, int]]:
    """The committed counts."""
    return load_counts(HERE / "normative.toml")


def test_every_statement_is_claimed(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """In each section the clauses and set-asides together hold each statement from 1 to the count."""
    assert missing_sentences([*ledger.clauses, *ledger.set_aside], counts) == []


def test_clauses_stand_in_sections_of_the_document(ledger: Ledger, counts: dict[str, dict[str, int]]) -> None:
    """Specification and section of each row are the document's."""
    places = {(row.spec, row.section) for row in ledger.clauses}
    places |= {(row.spec, row.section) for row in ledger.set_aside}
    assert set(counts) == {SPECIFICATION}
    assert places <= {(SPECIFICATION, section) for section in counts[SPECIFICATION]}


def test_ids_say_where_the_clause_stands(ledger: Ledger) -> None:
    """An id is the protocol, the section and words, never a position."""
    for clause in ledger.clauses:
        place = re.sub(r"[^a-z0-9]+", "-", clause.section.lower()).strip("-")
        assert re.fullmatch(rf"memcached-{place}(-[a-z0-9]+)+", clause.id), clause.id


def test_no_must_is_a_gap(ledger: Ledger) -> None:
    """Cases decide every clause of level MUST that can be seen on the wire."""
    assert [clause.id for clause in ledger.clauses if clause.level == "MUST" and clause.gap is not None] == []


def text() -> str:
    """The protocol's document, where it lies beside the checkout."""
    if not TEXT.is_file():
        pytest.skip(f"{TEXT.name} is not beside this checkout")
    return TEXT.read_text(encoding="utf-8")


def test_counts_agree_with_the_document(counts: dict[str, dict[str, int]]) -> None:
    """The committed counts are those of the document."""
    assert {SPECIFICATION: count_by_section(text())} == counts


def test_statements_are_rules_forms_and_answers() -> None:
    """Each kind of statement is found where the document has one, and prose that binds nobody is not."""
    found = {(each.section, each.text.split(";")[0][:60]) for each in statements(text())}
    assert any(
        section == "Commands" and words.startswith("A command line always") for section, words in found
    )
    assert any(
        section == "Deletion" and words.startswith("delete <key> [noreply]") for section, words in found
    )
    assert any(section == "Meta Set" and words.startswith('- "NS" (NOT_STORED)') for section, words in found)
    assert not any("Caching connections will eliminate" in words for _, words in found)

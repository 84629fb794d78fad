"""The ledger: each clause cites a section of the specification, and is decided or says why not."""

from __future__ import annotations

import re
from pathlib import Path

from lab.judge.suite import load_suite

HERE = Path(__file__).parent


def test_each_clause_cites_a_section_of_the_page() -> None:
    """There is no clause without a section, and no section without a clause."""
    page = (HERE.parents[1] / "docs" / "lancelot.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (\d) ", page, re.MULTILINE))

    cited = {clause.section for clause in load_suite(HERE).ledger.clauses}

    assert cited == sections


def test_each_clause_is_decided_by_a_case_or_says_why_not() -> None:
    """A clause that no case names is undecidable or a gap."""
    sources = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    named = set(re.findall(r'"(lancelot-\d-[a-z-]+)"', sources))
    ledger = load_suite(HERE).ledger

    open_ones = {clause.id for clause in ledger.clauses if clause.undecidable is None and clause.gap is None}

    assert open_ones - named == set()
    assert named - set(ledger.by_id()) == set()

"""A pytest plugin for trials of mutants: one that a case has killed is asked nothing more.

Knows the rows that the judge's plugin makes. Must not know any protocol. Loaded by ``lab.judge.mutation`` alone
(``-p lab.judge.first_kill``): a run of verdicts asks every case.
"""

from __future__ import annotations

import pytest

from lab.judge.catalogue import Implementation
from lab.judge.killing import kills
from lab.judge.rows import Row


class FirstKill:
    """Who has been killed so far, by role and name."""

    def __init__(self) -> None:
        self._killed: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a failure, told by the row that the judge's plugin put on the report."""
        row: Row | None = getattr(report, "erle_row", None)
        if row is not None and kills(row["verdict"], row["reason"]):
            self._killed.add((row["role"], row["implementation"]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Pass over the other cases of a mutant that is dead; an implementation for all cases is asked all of them."""
        asked = item.callspec.params.get("implementation") if hasattr(item, "callspec") else None
        if (
            isinstance(asked, Implementation)
            and asked.only_clauses
            and (asked.role, asked.name) in self._killed
        ):
            pytest.skip("killed already")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nobody killed."""
    config.pluginmanager.register(FirstKill(), "erle-first-kill")

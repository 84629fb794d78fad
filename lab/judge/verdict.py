"""The words of judgement, and the exceptions by which a case says them.

Knows verdicts and which of them ask for a look. Must not know how a case came to one.
"""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What a case says of an implementation on its clauses."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    LENIENT = "lenient"
    UNSUPPORTED = "unsupported"
    DISPUTED = "disputed"
    BLOCKED = "blocked"
    FLAKY = "flaky"

    @property
    def asks_for_a_look(self) -> bool:
        """Whether a run with this verdict, unless it is a known one, does not end as expected."""
        return self in {Verdict.FAIL, Verdict.DISPUTED, Verdict.BLOCKED, Verdict.FLAKY}


#: From best to worst: what stands for several verdicts of one clause is the worst of them.
SEVERITY: tuple[Verdict, ...] = (
    Verdict.UNSUPPORTED,
    Verdict.PASS,
    Verdict.LENIENT,
    Verdict.BLOCKED,
    Verdict.FLAKY,
    Verdict.DISPUTED,
    Verdict.FAIL,
)


def worst(verdicts: list[Verdict]) -> Verdict:
    """The verdict that stands for all of them.

    Raises:
        ValueError: there are none.
    """
    return max(verdicts, key=SEVERITY.index)


class Blocked(Exception):
    """The lab could not ask the question: never counted as pass or fail."""


class Unsupported(Exception):
    """The implementation declares that it lacks what the case needs."""

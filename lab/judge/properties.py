"""How far a property inside a case searches.

Knows the profiles: ``quick`` is the same search in every run, ``deep`` looks further
with a seed of its own, which is printed. Must not know any property.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hypothesis import HealthCheck, settings

F = TypeVar("F", bound=Callable[..., None])


def in_profile(profile: str, *, quick: int, deep: int) -> Callable[[F], F]:
    """The settings of a property that runs inside a case, with this many examples in each profile."""
    return settings(
        max_examples=deep if profile == "deep" else quick,
        derandomize=profile != "deep",
        database=None,
        deadline=None,
        print_blob=True,
        # one reason is what a verdict has room for; several would come as a group of exceptions
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )

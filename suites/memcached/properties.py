"""How far a search inside a case goes.

Knows the profiles: ``quick`` is the same search in every run, ``deep`` looks further with a seed of its own, which is
printed. Must not know what is searched for.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings


def in_profile(profile: str, *, quick: int, deep: int, steps: int) -> settings:
    """The settings of a state machine that runs inside a case, with so many conversations of so many steps."""
    return settings(
        max_examples=deep if profile == "deep" else quick,
        stateful_step_count=steps,
        derandomize=profile != "deep",
        database=None,
        deadline=None,
        print_blob=True,
        # one reason is what a verdict has room for
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )

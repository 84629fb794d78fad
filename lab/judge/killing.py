"""When a verdict kills a mutant.

Knows verdicts and the words that their reasons begin with. Must not know pytest, nor how a mutant is judged.
"""

from __future__ import annotations

import re

from lab.judge.verdict import Verdict

_KILLING = frozenset({Verdict.FAIL, Verdict.LENIENT})
#: How a reason begins where the case itself broke, or ran out of time, instead of saying what is wrong; what a driver
#: meets on a stream (StreamError) is what the implementation did.
_BREAKDOWN = re.compile(r"(?!StreamError)\w*(?:Error|Exception): |Failed: Timeout ")


def kills(verdict: str, reason: str) -> bool:
    """Whether a verdict on a mutant is proof that the case sees what is wrong with it."""
    return verdict in _KILLING and _BREAKDOWN.match(reason) is None

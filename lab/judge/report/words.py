"""The seven verdicts as a reader meets them: symbol, meaning, and which of several speaks.

It knows words only; it must not know runs, files or markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from lab.judge.verdict import SEVERITY, Verdict


@dataclass(frozen=True, slots=True)
class Word:
    """A verdict's word with the symbol that stands for it and what it means, in one line."""

    word: str
    symbol: str
    meaning: str


_SAID: Final = {
    Verdict.FAIL: ("✗", "a MUST is broken"),
    Verdict.DISPUTED: ("?", "the reference server fails the same case"),
    Verdict.FLAKY: ("±", "did not repeat; both transcripts are kept"),
    Verdict.BLOCKED: ("!", "the lab could not ask the question; counts neither for nor against"),
    Verdict.LENIENT: ("~", "a SHOULD is not followed"),
    Verdict.PASS: ("✓", "the clause is obeyed"),
    Verdict.UNSUPPORTED: ("–", "the implementation declares that it lacks the feature"),
}
# Heaviest first: where a clause has several verdicts, the first of these speaks for it.
WORDS: Final = tuple(Word(str(verdict), *_SAID[verdict]) for verdict in reversed(SEVERITY))
#: Each under its verdict, which is its word.
BY_NAME: Final = {entry.word: entry for entry in WORDS}
_WEIGHT: Final = {entry.word: weight for weight, entry in enumerate(WORDS)}


def weight(word: str) -> int:
    """The place of a verdict in the order of weight, 0 the heaviest."""
    return _WEIGHT[word]


def heaviest(words: Iterable[str]) -> str:
    """The verdict that speaks for several. Raises ValueError when there is none."""
    return min(words, key=weight)

r"""Where the protocol's document states something that binds: its rules, its forms and its answers.

Knows how the document is laid out: headings are underlined, forms of lines end in a written-out ``\r\n``. The document
does not use the key words of RFC 2119, so a statement is one of

- a sentence with must, shall, should, required, always, never, cannot or guaranteed,
- a form: a sentence or line that shows octets of the protocol, told by its ``\r\n``,
- an item of a list that explains one answer (``- "HD" …``) or one flag of a meta command (``- b: …``).

Must not know the ledger. ``python -m suites.memcached.specification TEXT --section NAME`` lists the statements of a
section with their ordinals, ``--count`` prints how many each section has.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.judge.normative import counts_as_toml, split_sentences

SPECIFICATION = "memcached protocol"

_HEADING = re.compile(r"\S+(?: \S+)*")
_UNDERLINE = re.compile(r"-{3,}")
_ITEM = re.compile(r"\s*- ")
_RULE = re.compile(
    r"\b(?:must|shall|should|shouldn't|required|always|never|cannot|can't|guaranteed)\b", re.IGNORECASE
)
_FORM = re.compile(r"\\r\\n")
_LISTED = re.compile(r'- (?:[a-zA-Z](?:\(token\))?:|"[A-Z])')


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement; ``ordinal`` counts from 1 within the section."""

    section: str
    ordinal: int
    text: str


def statements(text: str) -> list[Statement]:
    """All statements in the text's order."""
    found: list[Statement] = []
    for section, body in _sections(text):
        binding = [
            sentence
            for paragraph in _paragraphs(body)
            for sentence in split_sentences(paragraph)
            if _RULE.search(sentence) or _FORM.search(sentence) or _LISTED.match(sentence)
        ]
        found += [Statement(section, ordinal, sentence) for ordinal, sentence in enumerate(binding, 1)]
    return found


def count_by_section(text: str) -> dict[str, int]:
    """Section to the number of its statements; 0 for a section without any."""
    counts = {section: 0 for section, _ in _sections(text)}
    for statement in statements(text):
        counts[statement.section] += 1
    return counts


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    lines = ["", *text.splitlines(), ""]
    # the heads of a table's columns are underlined too
    starts = [
        number
        for number in range(1, len(lines) - 1)
        if _HEADING.fullmatch(lines[number]) and _UNDERLINE.fullmatch(lines[number + 1])
    ]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield lines[start].strip().rstrip(":"), lines[start + 2 : end]


def _paragraphs(lines: list[str]) -> Iterator[str]:
    """One-line texts of paragraphs and list items; rows of tables are left out."""
    collected: list[str] = []
    for line in [*lines, ""]:
        if (not line.strip() or _ITEM.match(line)) and collected:
            yield " ".join(part.strip() for part in collected)
            collected = []
        if line.strip() and not line.startswith("|"):
            collected.append(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 2 with one line on standard error when the text cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m suites.memcached.specification", description="List or count the statements that bind."
    )
    parser.add_argument("text", type=Path)
    parser.add_argument("--count", action="store_true", help="print the counts per section as TOML")
    parser.add_argument("--section", help="print this section only")
    options = parser.parse_args(arguments)
    try:
        text = options.text.read_text(encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"{options.text}: {error.strerror}\n")
        return 2
    if options.count:
        sys.stdout.write(counts_as_toml({SPECIFICATION: count_by_section(text)}))
        return 0
    for statement in statements(text):
        if options.section in (None, statement.section):
            sys.stdout.write(f"{statement.section} ({statement.ordinal}): {statement.text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

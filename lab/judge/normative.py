"""Knows how an RFC's text is laid out and where its normative sentences stand; knows no ledger, no protocol.

The ledger of a protocol is complete when every normative sentence of its specifications is claimed by a
clause or set aside with a reason. This module counts those sentences (key words of RFC 2119) per numbered
section, and `missing_sentences` compares claims with counts. The counts are facts and may be committed; the
texts are not.

Use: `python -m lab.judge.normative --count rfc5321.txt …` prints the counts as TOML,
`python -m lab.judge.normative rfc5321.txt --section 4.1.1.1` prints the sentences with their ordinals.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from lab.judge.ledger import Level

KeyWords = Literal["capitals", "any case"]
Counts = Mapping[str, Mapping[str, int]]
"""Specification name to section to the number of its MUST and SHOULD sentences."""


@dataclass(frozen=True)
class NormativeSentence:
    """One sentence with a key word of RFC 2119.

    `ordinal` is 1-based within the section; sentences of level MUST and SHOULD are numbered together, those
    which only permit (MAY, OPTIONAL) by themselves. `level` is the strongest in the sentence.
    """

    spec: str
    section: str
    ordinal: int
    level: Level
    text: str


class Claim(Protocol):
    """What the completeness check needs of a clause or of a set-aside."""

    @property
    def spec(self) -> str:
        """The specification's name, as "RFC 5321"."""

    @property
    def section(self) -> str:
        """The section's number or letter."""

    @property
    def sentences(self) -> Sequence[int]:
        """Ordinals within the section, from 1."""


_FOOTER = re.compile(r"\[Page\s+[\divxlc]+\]\s*$", re.IGNORECASE)
_HEADER = re.compile(r"^RFC\s+\d+\s.*\d{4}\s*$")
_CONTENTS = re.compile(r"^\s*Table of Contents\s*$", re.IGNORECASE)
_CONTENTS_ENTRY = re.compile(r"(\.\s?){3,}\s*\d*\s*$|\S\s{2,}\d+\s*$")
_NUMBERED = re.compile(r"^( *)(\d+(?:\.\d+)*)\.?\s+\S")
_APPENDIX = re.compile(r"^(?:Appendix|APPENDIX)\s+([A-Z])\b|^([A-Z](?:\.\d+)+)\.?\s+\S")
_BACK_MATTER = re.compile(
    r"^(Full Copyright|Copyright|Intellectual Property|Acknowledge?ments?\b|Author'?s?'? Address"
    r"|Authors' Address|Editors?'?s? Address|Index\b|Contributors?\b|(Normative |Informative )?References\b)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^(\s*)((?:[o*+-]|\(?(?:\d{1,2}|[a-z])[.)])\s+)\S")
_SENTENCE_END = re.compile(r"[.!?][\"')\]]*\s+(?=[\"'(\[<]*[A-Z0-9*_])")
_NO_SENTENCE_END = re.compile(r"(?:^|[\s(\"])(?:e\.g|i\.e|etc|vs|cf|Fig|viz|\")\.[\"')\]]*$", re.IGNORECASE)
_QUOTED = re.compile(r"\"(?:MUST|SHALL|SHOULD|REQUIRED|(?:NOT )?RECOMMENDED|MAY|OPTIONAL)(?: NOT)?,?\"")
_WORDS: dict[KeyWords, list[tuple[Level, re.Pattern[str]]]] = {
    "capitals": [
        ("MUST", re.compile(r"(?<![A-Za-z0-9])(?:MUST|SHALL|REQUIRED)(?![A-Za-z0-9])")),
        ("SHOULD", re.compile(r"(?<![A-Za-z0-9])(?:SHOULD|RECOMMENDED)(?![A-Za-z0-9])")),
        ("MAY", re.compile(r"(?<![A-Za-z0-9])(?:MAY|OPTIONAL)(?![A-Za-z0-9])")),
    ],
    "any case": [
        ("MUST", re.compile(r"(?<![A-Za-z0-9])(?:(?i:must|shall)|REQUIRED)(?![A-Za-z0-9])")),
        ("SHOULD", re.compile(r"(?<![A-Za-z0-9])(?:(?i:should)|RECOMMENDED)(?![A-Za-z0-9])")),
        ("MAY", re.compile(r"(?<![A-Za-z0-9])(?:(?i:may)|OPTIONAL)(?![A-Za-z0-9])")),
    ],
}


def specification_name(text: str) -> str:
    """The name on the text's first page, such as "RFC 5321". Raises ValueError when there is none."""
    match = re.search(r"Request for Comments:?\s*(\d+)|^RFC:?\s+(\d+)", text[:4000], re.MULTILINE)
    if match is None:
        raise ValueError("no 'Request for Comments: NUMBER' on the first page")
    return f"RFC {match[1] or match[2]}"


def key_words(text: str) -> KeyWords:
    """Which spelling is normative: capitals where the text defines them (it quotes "MUST"), else any case.

    Specifications older than RFC 2119, and some that never cite it, have their requirements in small letters.
    """
    return "capitals" if re.search(r"[\"']MUST[\"',]", text) else "any case"


def normative_sentences(text: str, spec: str | None = None) -> list[NormativeSentence]:
    """The MUST and SHOULD sentences in the text's order; `spec` defaults to the name in the text."""
    return [sentence for sentence in all_sentences(text, spec) if sentence.level != "MAY"]


def all_sentences(text: str, spec: str | None = None) -> list[NormativeSentence]:
    """As `normative_sentences`, with those that only permit; these have ordinals of their own."""
    name = spec if spec is not None else specification_name(text)
    words = _WORDS[key_words(text)]
    ordinals: dict[tuple[str, bool], int] = {}
    found: list[NormativeSentence] = []
    for section, paragraph in paragraphs(text):
        for sentence in split_sentences(paragraph):
            used = _QUOTED.sub("", sentence)
            level = next((level for level, pattern in words if pattern.search(used)), None)
            if level is None:
                continue
            key = (section, level == "MAY")
            ordinals[key] = ordinals.get(key, 0) + 1
            found.append(NormativeSentence(name, section, ordinals[key], level, sentence))
    return found


def count_by_section(sentences: Iterable[NormativeSentence]) -> dict[str, int]:
    """Section to the number of its MUST and SHOULD sentences, in the order of the text."""
    counts: dict[str, int] = {}
    for sentence in sentences:
        if sentence.level != "MAY":
            counts[sentence.section] = counts.get(sentence.section, 0) + 1
    return counts


def paragraphs(text: str) -> Iterator[tuple[str, str]]:
    """Section number and one-line text of each paragraph and list item.

    Page furniture, contents, headings and back matter (addresses, copyright) are left out. What stands before
    the first numbered heading is section "0"; an appendix is named by its letter.
    """
    section, collected, dropped = "0", list[str](), False
    for line in _body(text):
        heading = None if collected else _heading(line, section)
        if heading is not None:
            section, dropped = heading, False
            continue
        if section != "0" and not collected and _BACK_MATTER.match(line):
            dropped = True
        if dropped:
            continue
        if not line.strip() or _BULLET.match(line):
            if collected:
                yield section, _joined(collected)
            collected = []
        if line.strip():
            collected.append(line)
    if collected:
        yield section, _joined(collected)


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a one-line paragraph; abbreviations, a quoted dot and a list number do not end one."""
    sentences: list[str] = []
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        so_far = paragraph[start : match.end()].strip()
        if _NO_SENTENCE_END.search(so_far) or re.fullmatch(r"\(?\w{1,2}[.)]", so_far):
            continue
        sentences.append(so_far)
        start = match.end()
    rest = paragraph[start:].strip()
    return [*sentences, rest] if rest else sentences


def missing_sentences(ledger: Iterable[Claim], counts: Counts) -> list[str]:
    """What keeps a ledger (its clauses and set-asides) from being complete, one line each; empty when it is.

    Named are sentences that nothing claims, and claims on sentences or sections that the counts do not have.
    Claims on specifications which are not in `counts` are named only if they number sentences.
    """
    claimed: dict[tuple[str, str], set[int]] = {}
    for claim in ledger:
        claimed.setdefault((claim.spec, claim.section), set()).update(claim.sentences)
    faults: list[str] = []
    for spec, sections in counts.items():
        for section, count in sections.items():
            unclaimed = set(range(1, count + 1)) - claimed.get((spec, section), set())
            faults += [
                f"{spec}, section {section}: sentence {n} of {count} is in no clause"
                for n in sorted(unclaimed)
            ]
    for (spec, section), ordinals in claimed.items():
        count = counts.get(spec, {}).get(section, 0)
        faults += [
            f"{spec}, section {section}: sentence {n} is claimed, but the section has {count}"
            for n in sorted(ordinals)
            if not 1 <= n <= count
        ]
    return faults


def load_counts(path: Path) -> dict[str, dict[str, int]]:
    """The counts as `--count` wrote them. Raises ValueError naming the file when it has another shape."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from error
    counts: dict[str, dict[str, int]] = {}
    for spec, sections in tables.items():
        if not isinstance(sections, dict) or not all(type(count) is int for count in sections.values()):
            raise ValueError(f"{path}: table [{spec!r}] must hold section = count; make it with --count")
        counts[spec] = sections
    return counts


def counts_as_toml(counts: Counts) -> str:
    """The text of a counts file, one table per specification."""
    lines = [
        "# Normative sentences (MUST and SHOULD level) per section, as counted by",
        "# python -m lab.judge.normative --count RFC-TEXT …",
    ]
    for spec, sections in counts.items():
        lines += ["", f'["{spec}"]', *(f'"{section}" = {count}' for section, count in sections.items())]
    return "\n".join(lines) + "\n"


def _body(text: str) -> Iterator[str]:
    """The lines without page furniture and contents; a page break inside a paragraph is closed."""
    lines: list[str] = []
    for page in text.lstrip("\ufeff").replace("\r\n", "\n").split("\f"):
        rows = [row.rstrip() for row in page.split("\n")]
        rows = [row for row in rows if not _FOOTER.search(row) and not _HEADER.match(row)]
        while rows and not rows[-1]:
            rows.pop()
        while rows and not rows[0]:
            rows.pop(0)
        if rows and lines and not _continues(lines[-1], rows[0]):
            lines.append("")
        lines += rows
    contents = next((n for n, line in enumerate(lines) if _CONTENTS.match(line)), None)
    if contents is not None:
        first = (
            n
            for n, line in enumerate(lines)
            if n > contents and re.match(r"1\.?(0\.?)?\s+\S", line) and not _CONTENTS_ENTRY.search(line)
        )
        lines[contents : next(first, contents)] = []
    return iter(lines)


def _continues(last: str, following: str) -> bool:
    """Whether the first line of a page goes on with the paragraph that the page before it ended in."""
    bullet = _BULLET.match(last)
    indent = len(bullet[1] + bullet[2]) if bullet else len(last) - len(last.lstrip())
    same_column = indent == len(following) - len(following.lstrip())
    return same_column and not re.search(r"[.:;?!][\"')]*$", last) and not _BULLET.match(following)


def _heading(line: str, current: str) -> str | None:
    """The section that the line (after an empty one) opens, or None."""
    appendix = _APPENDIX.match(line)
    if appendix:
        return appendix[1] or appendix[2]
    numbered = _NUMBERED.match(line)
    if numbered is None or _CONTENTS_ENTRY.search(line):
        return None
    number = tuple(int(part) for part in numbered[2].split("."))
    previous = tuple(int(part) for part in current.split(".")) if current[0].isdigit() else None
    if numbered[1] or previous is None:
        # Indented headings (RFC 959, RFC 1123) look like list items: only the exact successor is one.
        return numbered[2] if previous and len(number) > 1 and number in _successors(previous) else None
    return numbered[2] if number > previous and number[0] <= previous[0] + 1 else None


def _successors(number: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield (*number, 1)
    for depth in range(len(number)):
        yield (*number[:depth], number[depth] + 1)


def _joined(lines: list[str]) -> str:
    """The lines as one without the bullet; a word broken at a hyphen stays hyphenated without a gap."""
    bullet = _BULLET.match(lines[0])
    first = lines[0][len(bullet[1] + bullet[2]) :] if bullet else lines[0]
    return re.sub(
        r"(?<=[A-Za-z])- (?=[A-Za-z0-9])", "-", " ".join(line.strip() for line in [first, *lines[1:]])
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns 2 with one line on standard error when a text cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m lab.judge.normative",
        description="List or count the normative sentences of RFC texts.",
    )
    parser.add_argument("texts", nargs="+", type=Path, metavar="RFC-TEXT")
    parser.add_argument("--count", action="store_true", help="print the counts per section as TOML")
    parser.add_argument("--section", help="print this section only")
    parser.add_argument("--may", action="store_true", help="print permissions (MAY, OPTIONAL) too")
    options = parser.parse_args(arguments)
    found: dict[str, list[NormativeSentence]] = {}
    for path in options.texts:
        try:
            text = path.read_text(encoding="utf-8")
            name = specification_name(text)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{path}: {error}\n")
            return 2
        found[name] = all_sentences(text, name)
    if options.count:
        sys.stdout.write(
            counts_as_toml({name: count_by_section(sentences) for name, sentences in found.items()})
        )
        return 0
    for sentence in (sentence for sentences in found.values() for sentence in sentences):
        if options.section in (None, sentence.section) and (options.may or sentence.level != "MAY"):
            place = f"{sentence.spec} {sentence.section} ({sentence.ordinal})"
            sys.stdout.write(f"{place} {sentence.level}: {sentence.text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Addresses within the HTML folder: knows which page speaks of what, and makes safe file names from untrusted ids.

It must not know what stands on a page.
"""

from __future__ import annotations

import hashlib
import re

from lab.judge.report.model import Section, Subject

_LONGEST = 80


def slug(words: str) -> str:
    """A file name (and fragment) for any text: letters, digits, `.`, `_`, `-`; different texts give different names.

    A text that is such a name already keeps its look; any other gets a digest at its end.
    """
    plain = re.sub(r"[^a-z0-9_.-]+", "-", words.lower()).strip(".-")[:_LONGEST]
    if plain and plain == words:
        return plain
    return f"{plain}-{hashlib.sha256(words.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".lstrip("-")


def subject_slug(subject: Subject) -> str:
    """The fragment of an implementation on any page."""
    return slug(f"{subject.protocol}-{subject.role}-{subject.name}")


def matrix_page(section: Section) -> str:
    """Clauses × implementations of one protocol and role."""
    return f"matrix/{slug(section.id)}.html"


def clause_page(clause_id: str) -> str:
    """One clause with its cases."""
    return f"clauses/{slug(clause_id)}.html"


def case_page(case: str, subject: Subject | None = None) -> str:
    """One case with every verdict it gave, or the place there that speaks of one implementation."""
    return f"cases/{slug(case)}.html" + (f"#{subject_slug(subject)}" if subject else "")


def subject_page(subject: Subject) -> str:
    """One implementation and what did not pass."""
    return f"implementations/{subject_slug(subject)}.html"


def transcript_page(name: str) -> str:
    """One conversation; `name` is the transcript's path within the results folder."""
    return f"transcripts/{slug(name.removeprefix('transcripts/').removesuffix('.jsonl'))}.html"


def specification(spec: str, section: str) -> str | None:
    """Where the section of an RFC can be read on the web, or None for anything else."""
    number = re.fullmatch(r"RFC ([1-9][0-9]*)", spec)
    if number is None or not re.fullmatch(r"[0-9A-Z]+(\.[0-9]+)*", section):
        return None
    place = "section" if section[0].isdigit() else "appendix"
    return f"https://www.rfc-editor.org/rfc/rfc{number[1]}#{place}-{section}"

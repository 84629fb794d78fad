"""SVG badges: knows how wide a text is drawn and what a badge says of an implementation.

It must not know files. A badge asks for no font: each text carries the width it was laid out for.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lab.judge.report import visible
from lab.judge.report.links import subject_slug
from lab.judge.report.model import Model, Tally
from lab.judge.report.output import replace_folder
from lab.judge.runs import Run

# Widths of Verdana at 11 px, in pixels, of the characters whose width is far from the mean.
_MEAN: Final = 7.0
_WIDE: Final = {"m": 10.7, "w": 9.0, "M": 9.3, "W": 10.9, "@": 11.0, "%": 11.8, "✓": 9.0, "✗": 9.0}
_NARROW: Final = {
    "i": 3.0,
    "j": 3.8,
    "l": 3.0,
    "I": 4.6,
    "f": 3.9,
    "t": 4.3,
    "r": 4.7,
    " ": 3.9,
    ".": 4.0,
    ",": 4.0,
    "-": 5.0,
    ":": 5.0,
    "'": 3.0,
    "|": 5.0,
    "(": 5.0,
    ")": 5.0,
    "·": 4.0,
    "s": 5.7,
    "c": 5.7,
    "z": 5.8,
}
_PAD: Final = 6.0
_HEIGHT: Final = 20
# White on each of these has a contrast of at least 4.5 to 1.
_COLOURS: Final = {"good": "#17703f", "fair": "#8a5a00", "bad": "#b3141b", "unknown": "#5b636c"}
_FONTS: Final = "Verdana,DejaVu Sans,Geneva,sans-serif"
_LABEL: Final = "#3c434b"


def width(words: str) -> float:
    """How wide a text is drawn, in pixels; a character without a Latin shape is taken as wide."""
    return sum(_WIDE.get(one) or _NARROW.get(one) or (_MEAN if one.isascii() else 11.0) for one in words)


def badge(label: str, message: str, colour: str) -> str:
    """A badge as SVG text; `colour` is a key of the palette."""
    label, message = visible.text(label), visible.text(message)
    left, right = (round(width(one) + 2 * _PAD, 1) for one in (label, message))
    whole = round(left + right, 1)
    said = f"{label}: {message}"
    # Square corners: rounded ones need an id, and two badges drawn into one page would share it.
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "aria-label": said})
    _set(svg, width=whole, height=_HEIGHT, viewBox=f"0 0 {whole} {_HEIGHT}")
    ET.SubElement(svg, "title").text = said
    for start, room, fill in ((0.0, left, _LABEL), (left, right, _COLOURS[colour])):
        _set(ET.SubElement(svg, "rect"), x=start, width=room, height=_HEIGHT, fill=fill)
    texts = ET.SubElement(svg, "g", {"fill": "#ffffff", "font-family": _FONTS, "font-size": "11"})
    for start, room, words in ((0.0, left, label), (left, right, message)):
        drawn = ET.SubElement(texts, "text", {"lengthAdjust": "spacingAndGlyphs"})
        _set(drawn, x=round(start + _PAD, 1), y=14, textLength=round(room - 2 * _PAD, 1))
        drawn.text = words
    return ET.tostring(svg, encoding="unicode") + "\n"


def _set(element: ET.Element, **attributes: str | float) -> None:
    for name, value in attributes.items():
        element.set(name, str(value))


def _grade(tally: Tally) -> str:
    if not tally.answered:
        return "unknown"
    if tally.counts.get("fail"):
        return "bad"
    return "good" if tally.passed == tally.answered else "fair"


def _message(tally: Tally) -> str:
    return f"{tally.passed} of {tally.answered} clauses" if tally.answered else "no verdict"


def _sum(tallies: Iterable[Tally]) -> Tally:
    counts: dict[str, int] = {}
    unexpected = known = 0
    for tally in tallies:
        unexpected += tally.unexpected
        known += tally.known
        for word, count in tally.counts.items():
            counts[word] = counts.get(word, 0) + count
    return Tally(counts, unexpected, known)


def badges(run: Run) -> dict[str, str]:
    """Every badge under its file name: `overall.svg` and one per implementation."""
    model = Model(run)
    made: dict[str, str] = {}
    tallies: list[Tally] = []
    for section in model.sections:
        for subject in section.subjects:
            tally = model.clauses_tally(subject, section.clauses)
            tallies.append(tally)
            label = f"{subject.name} {subject.protocol.upper()} {subject.role}"
            made[f"{subject_slug(subject)}.svg"] = badge(label, _message(tally), _grade(tally))
    whole = _sum(tallies)
    if not run.verdicts:
        message, colour = "nothing ran", "unknown"
    elif not all(control.held for control in run.controls):
        message, colour = "a control did not hold", "bad"
    elif model.unexpected:
        message, colour = f"{len(model.unexpected)} to look at", "bad"
    elif run.lost:
        message, colour = f"{len(run.lost)} without a verdict", "bad"
    else:
        message, colour = f"as expected, {_message(whole)}", "good"
    made["overall.svg"] = badge("conformance", message, colour)
    return made


def write_badges(run: Run, target: Path) -> int:
    """Write all badges into the folder `target`; returns how many. Raises OutputError."""
    made = badges(run)

    def fill(folder: Path) -> None:
        for name, text in made.items():
            (folder / name).write_text(text, "utf-8")

    replace_folder(target, "badges", fill)
    return len(made)

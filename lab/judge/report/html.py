"""The HTML folder: knows which pages there are, what each is given, and which transcripts are kept.

It must not know how a verdict is reached. The look is in `templates/` and `assets/`; every value is escaped and its unseen
characters named before it reaches a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lab.judge.checked_json import RunError
from lab.judge.report import conversation, links, search, visible, words
from lab.judge.report.lines import lines
from lab.judge.report.model import Model, Section, Subject, coverage, tally
from lab.judge.report.output import replace_folder
from lab.judge.runs import Run, VerdictRow, read_transcript, transcript_path

# Up to so many transcripts a report keeps all; beyond, those of every verdict but pass, and one pass of each case.
_KEEP_ALL: Final = 400
_ASSETS: Final = ("report.css", "report.js")


@dataclass(frozen=True, slots=True)
class Written:
    """What a report came to."""

    pages: int
    transcripts: int
    octets: int
    octets_of_transcripts: int


def kept_transcripts(run: Run) -> dict[str, VerdictRow]:
    """The transcripts a report shows, each with the verdict it belongs to."""
    everything = {name: verdict for verdict in run.verdicts for name in verdict.transcripts}
    if len(everything) <= _KEEP_ALL:
        return everything
    passed: dict[str, VerdictRow] = {}
    for verdict in run.verdicts:
        if verdict.verdict == "pass" and verdict.transcripts:
            passed.setdefault(verdict.case, verdict)
    telling = [one for one in run.verdicts if one.verdict != "pass" or not one.expected]
    return {name: verdict for verdict in [*telling, *passed.values()] for name in verdict.transcripts}


def moment(when: str) -> str:
    """A time of ISO 8601 as people write it, to the second; anything else as it stands."""
    try:
        return f"{datetime.fromisoformat(when).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError):
        return when


def took(run: Run) -> str:
    """How long the run took, in words, or nothing where it does not say."""
    if run.finished is None:
        return ""
    try:
        began, ended = (datetime.fromisoformat(when) for when in (run.started, run.finished))
        seconds = (ended - began).total_seconds()
    except (ValueError, TypeError):
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{seconds:.1f} s"


def _finalize(value: object) -> object:
    return (
        visible.text(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def environment() -> Environment:
    """Templates in which every value is escaped and its unseen characters are named."""
    made = Environment(
        loader=PackageLoader("lab.judge.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
        keep_trailing_newline=True,
    )
    made.filters["moment"] = moment
    made.globals.update(
        case_page=links.case_page,
        clause_page=links.clause_page,
        matrix_page=links.matrix_page,
        specification=links.specification,
        subject_page=links.subject_page,
        subject_slug=links.subject_slug,
        transcript_page=links.transcript_page,
        slug=links.slug,
        Subject=Subject,
        words=words,
    )
    return made


class _Site:
    """One report being written into `folder`."""

    def __init__(self, run: Run, folder: Path) -> None:
        self._folder = folder
        self._model = Model(run)
        self._run = run
        self._pages = 0
        self._octets = 0
        self._kept = {
            name: verdict
            for name, verdict in kept_transcripts(run).items()
            if transcript_path(run.directory, name).is_file()
        }
        self._environment = environment()
        self._environment.globals.update(run=run, model=self._model, kept=frozenset(self._kept), lines=lines)

    def write(self) -> Written:
        self._assets()
        self._index()
        for section in self._model.sections:
            self._page(links.matrix_page(section), "matrix.html", section=section)
        for clause in self._model.clauses.values():
            self._clause(clause.id)
        for case, verdicts in self._model.by_case.items():
            self._page(links.case_page(case), "case.html", case=case, verdicts=verdicts)
        for subject, verdicts in self._model.by_subject.items():
            self._subject(subject, verdicts)
        before = self._octets
        for name, verdict in self._kept.items():
            self._transcript(name, verdict)
        return Written(self._pages, len(self._kept), self._octets, self._octets - before)

    def _put(self, page: str, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        path = self._folder / page
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        self._octets += len(data)

    def _page(self, page: str, template: str, **values: object) -> None:
        root = "../" * page.count("/")
        self._put(page, self._environment.get_template(template).render(values, root=root))
        self._pages += 1

    def _assets(self) -> None:
        source = files("lab.judge.report") / "assets"
        for name in _ASSETS:
            self._put(f"assets/{name}", (source / name).read_text("utf-8"))
        self._put("assets/search.js", search.script(self._model))

    def _index(self) -> None:
        covered = {protocol: coverage(suite.clauses) for protocol, suite in sorted(self._run.suites.items())}
        self._page("index.html", "index.html", coverage=covered, took=took(self._run), tally=tally)

    def _clause(self, clause_id: str) -> None:
        protocol = self._model.protocol_of[clause_id]
        clause = self._model.clauses[clause_id]
        cases = self._model.cases_of[clause_id]
        verdicts = [v for case in cases for v in self._model.by_case.get(case, []) if clause_id in v.clauses]
        subjects = sorted({Subject(v.protocol, v.role, v.implementation) for v in verdicts})
        cells = {
            (case, subject): tally(
                v
                for v in verdicts
                if v.case == case and Subject(v.protocol, v.role, v.implementation) == subject
            )
            for case in cases
            for subject in subjects
        }
        titles = {v.case: v.title for v in verdicts}
        section = next(
            one for one in self._model.sections if (one.protocol, one.role) == (protocol, clause.party)
        )
        self._page(
            links.clause_page(clause_id),
            "clause.html",
            clause=clause,
            section=section,
            cases=cases,
            subjects=subjects,
            cells=cells,
            titles=titles,
            telling=lines(v for v in verdicts if v.verdict != "pass" or not v.expected),
        )

    def _subject(self, subject: Subject, verdicts: list[VerdictRow]) -> None:
        row = self._run.implementation(subject.protocol, subject.role, subject.name)
        self._page(
            links.subject_page(subject),
            "implementation.html",
            subject=subject,
            row=row,
            tally=tally(verdicts),
            section=self._section_of(subject),
            telling=lines(v for v in verdicts if v.verdict != "pass" or not v.expected),
        )

    def _section_of(self, subject: Subject) -> Section:
        return next(one for one in self._model.sections if subject in one.subjects)

    def _transcript(self, name: str, verdict: VerdictRow) -> None:
        values: Mapping[str, object]
        try:
            transcript = read_transcript(self._run.directory, name)
            values = {"transcript": transcript, "turns": conversation.turns(transcript), "trouble": None}
        except RunError as error:
            values = {"transcript": None, "turns": [], "trouble": str(error)}
        self._page(
            links.transcript_page(name),
            "transcript.html",
            name=name,
            verdict=verdict,
            **values,
        )


def write_html(run: Run, target: Path) -> Written:
    """Write the report of `run` as the folder `target`. Raises OutputError and RunError; then `target` is unchanged."""
    written: list[Written] = []
    replace_folder(target, "html", lambda folder: written.append(_Site(run, folder).write()))
    return written[0]

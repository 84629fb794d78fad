"""Reading a results folder: knows the three formats under `results/<run>/` and turns them into typed values.

It must not know how a verdict is reached, how a report looks, or any protocol's rules; it never writes.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import UnknownName
from lab.judge.checked_json import Fields, RunError, parse
from lab.judge.results import SCHEMA
from lab.judge.verdict import Verdict

VERDICTS: Final = tuple(str(verdict) for verdict in Verdict)
ROLES: Final = ("client", "server")


@dataclass(frozen=True, slots=True)
class Clause:
    """One requirement of a specification, as the ledger stood when the run was made."""

    id: str
    spec: str
    section: str
    level: str
    party: str
    group: str
    text: str
    undecidable: str | None
    gap: str | None
    cases: tuple[str, ...]

    @property
    def state(self) -> str:
        """`decided`, `undecidable`, `gap`, or `unasked` where no case of the run names it and it is neither of these."""
        if self.undecidable is not None:
            return "undecidable"
        if self.gap is not None:
            return "gap"
        return "decided" if self.cases else "unasked"


@dataclass(frozen=True, slots=True)
class Suite:
    """The ledger and the digest of one protocol's suite."""

    protocol: str
    digest: str
    clauses: tuple[Clause, ...]
    groups: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Implementation:
    """A row of the catalogue with the version and digest that were judged."""

    name: str
    protocol: str
    role: str
    library: str
    version: str
    entry: str
    features: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Peer:
    """What stood at the other end; `image` is a digest, or None where there is no image."""

    name: str
    kind: str
    version: str
    image: str | None


@dataclass(frozen=True, slots=True)
class Control:
    """A conversation whose answer is known beforehand; `when` is `opening` or `closing`."""

    name: str
    when: str
    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Known:
    """A known failure: the id of the note and why it stands."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """One line of `verdicts.jsonl`; `seconds` is wall time."""

    case: str
    nodeid: str
    title: str
    protocol: str
    role: str
    clauses: tuple[str, ...]
    implementation: str
    peer: str
    peer_kind: str
    cut: str
    verdict: str
    reason: str
    attempts: str | None
    seconds: float
    transcripts: tuple[str, ...]
    reproduce: str
    known: Known | None
    expected: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes a verdict the same one in two runs: case, implementation, peer, cut."""
        return (self.case, self.implementation, self.peer, self.cut)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing seen on the wire; `seconds` since the start, `data` the octets (empty unless kind is `data`).

    For the other kinds `note` holds the text that came with them. `omitted` counts octets that were sent and not written.
    """

    seconds: float
    sender: str
    kind: str
    data: bytes
    omitted: int
    note: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recorded conversation."""

    client: str
    server: str
    started: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Everything `results/<run>/` says, except the transcripts, which `read_transcript` reads one at a time."""

    directory: Path
    id: str
    started: str
    finished: str | None
    command: tuple[str, ...]
    version: str
    exit: int | None
    interrupted: bool
    seed: int | None
    profile: str
    host: Mapping[str, str]
    engine: Mapping[str, str] | None
    suites: Mapping[str, Suite]
    implementations: tuple[Implementation, ...]
    peers: Mapping[str, Peer]
    controls: tuple[Control, ...]
    left_out: tuple[str, ...]
    lost: tuple[str, ...]
    stale_notes: tuple[str, ...]
    verdicts: tuple[VerdictRow, ...]
    warnings: tuple[str, ...]

    def implementation(self, protocol: str, role: str, name: str) -> Implementation | None:
        """The implementation that judged verdicts name so, or None (a reference server is a peer, not a row)."""
        for row in self.implementations:
            if (row.protocol, row.role, row.name) == (protocol, role, name):
                return row
        return None


def _clause(row: Fields) -> Clause:
    return Clause(
        id=row.text("id"),
        spec=row.text("spec"),
        section=row.text("section"),
        level=row.text("level"),
        party=row.word("party", ROLES),
        group=row.text("group"),
        text=row.text("text"),
        undecidable=row.text_or_none("undecidable"),
        gap=row.text_or_none("gap"),
        cases=row.texts("cases"),
    )


def _implementation(name: str, row: Fields) -> Implementation:
    return Implementation(
        name=row.text_or_none("name") or name,
        protocol=row.text("protocol"),
        role=row.word("role", ROLES),
        library=row.text("library"),
        version=row.text_or_none("version") or "",
        entry=row.text_or_none("entry") or "",
        features=row.texts("features"),
        digest=row.text_or_none("digest") or "",
    )


def _verdict(row: Fields) -> VerdictRow:
    note = row.child_or_none("known")
    return VerdictRow(
        case=row.text("case"),
        nodeid=row.text("nodeid"),
        title=row.text("title"),
        protocol=row.text("protocol"),
        role=row.word("role", ROLES),
        clauses=row.texts("clauses"),
        implementation=row.text("implementation"),
        peer=row.text("peer"),
        peer_kind=row.text("peer_kind"),
        cut=row.text("cut"),
        verdict=row.word("verdict", VERDICTS),
        reason=row.text_or_none("reason") or "",
        attempts=row.text_or_none("attempts"),
        seconds=row.number("seconds"),
        transcripts=row.texts("transcripts"),
        reproduce=row.text_or_none("reproduce") or "",
        known=None if note is None else Known(id=note.text("id"), reason=note.text("reason")),
        expected=row.flag("expected"),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from error


def read_verdicts(directory: Path, containing: str = "") -> tuple[tuple[VerdictRow, ...], tuple[str, ...]]:
    """The rows of `verdicts.jsonl` and warnings; only lines that hold the text `containing` are parsed.

    A torn last line (the runner was killed while it wrote) is left out with a warning. Raises RunError for any other.
    """
    path = directory / "verdicts.jsonl"
    if not path.exists():
        return (), (f"{path.name} is missing: the run ended before its first verdict",)
    wanted = json.dumps(containing)[1:-1].encode()
    lines = _read(path).split(b"\n")
    rows: list[VerdictRow] = []
    warnings: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or wanted not in line:
            continue
        where = f"{path}:{number}"
        try:
            value = parse(where, line)
        except RunError:
            if number < len(lines):
                raise
            warnings.append(f"{path.name}:{number}: the last line is torn and was left out")
            continue
        rows.append(_verdict(Fields(where, value)))
    return tuple(rows), tuple(warnings)


def read_run(directory: Path) -> Run:
    """The run kept in `directory`. Raises RunError when a file is missing, torn or of another schema."""
    path = directory / "run.json"
    top = Fields(str(path), parse(str(path), _read(path)))
    schema = top.integer_or_none("schema")
    if schema != SCHEMA:
        raise RunError(f"{path}: schema {schema} is not one this version reads ({SCHEMA})")
    suites = top.child("suites")
    implementations = top.child("implementations")
    peers = top.child("peers")
    verdicts, warnings = read_verdicts(directory)
    return Run(
        directory=directory,
        id=top.text("id"),
        started=top.text("started"),
        finished=top.text_or_none("finished"),
        command=top.texts("command"),
        version=top.text("version"),
        exit=top.integer_or_none("exit"),
        interrupted=top.flag("interrupted"),
        seed=top.integer_or_none("seed"),
        profile=top.text("profile"),
        host=top.plain("host"),
        engine=None if top.child_or_none("engine") is None else top.plain("engine"),
        suites={name: _suite(name, suites.child(name)) for name in suites.names()},
        implementations=tuple(
            _implementation(name, implementations.child(name)) for name in implementations.names()
        ),
        peers={name: _peer(name, peers.child(name)) for name in peers.names()},
        controls=tuple(
            Control(row.text("name"), row.text("when"), row.flag("held"), row.text_or_none("detail") or "")
            for row in top.children("controls")
        ),
        left_out=top.texts("left_out"),
        lost=top.texts("lost"),
        stale_notes=top.texts("stale_notes"),
        verdicts=verdicts,
        warnings=warnings,
    )


def _suite(protocol: str, row: Fields) -> Suite:
    clauses = tuple(_clause(item) for item in row.children("clauses"))
    return Suite(protocol, row.text("digest"), clauses, row.plain("groups"))


def _peer(name: str, row: Fields) -> Peer:
    return Peer(name, row.text("kind"), row.text_or_none("version") or "", row.text_or_none("image"))


def transcript_path(directory: Path, name: str) -> Path:
    """Where the transcript a verdict names lies. Raises RunError for a name that leads out of `transcripts/`."""
    folder = (directory / "transcripts").resolve()
    path = (directory / name).resolve()
    if path.parent != folder:
        raise RunError(f"{directory / 'verdicts.jsonl'}: transcript {name!r} lies outside transcripts/")
    return path


def read_transcript(directory: Path, name: str) -> Transcript:
    """The conversation in `directory / name`; a torn last line is left out. Raises RunError."""
    path = transcript_path(directory, name)
    lines = [line for line in _read(path).split(b"\n") if line.strip()]
    if not lines:
        raise RunError(f"{path}: empty")
    head = Fields(f"{path}:1", parse(f"{path}:1", lines[0]))
    events: list[Event] = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{path}:{number}"
        try:
            row = Fields(where, parse(where, line))
        except RunError:
            if number < len(lines):
                raise
            break
        events.append(_event(where, row))
    return Transcript(head.text("client"), head.text("server"), head.text("started"), tuple(events))


def _event(where: str, row: Fields) -> Event:
    kind = row.text("kind")
    try:
        data = (row.text_or_none("data") or "").encode("latin-1")
    except UnicodeEncodeError as error:
        raise RunError(f"{where}: 'data' holds characters that are no octets") from error
    return Event(
        seconds=row.number("t"),
        sender=row.text("from"),
        kind=kind,
        data=data if kind == "data" else b"",
        omitted=row.integer_or_none("omitted") or 0,
        note="" if kind == "data" else data.decode("utf-8", "backslashreplace"),
    )


def run_ids(results: Path) -> tuple[str, ...]:
    """The ids of the runs kept in `results`, newest first (ids begin with their time)."""
    if not results.is_dir():
        return ()
    return tuple(sorted((path.parent.name for path in results.glob("*/run.json")), reverse=True))


def find_run(results: Path, name: str = "latest") -> Path:
    """The folder of a run given by id, unique beginning of an id, folder, or `latest`.

    Raises UnknownName when nothing has this name, RunError when there is no run at all.
    """
    known = run_ids(results)
    if (Path(name) / "run.json").is_file() and name not in known:
        return Path(name)
    if not known:
        raise RunError(f"there is no run in {results}", remedy="./erle run")
    if name == "latest":
        pointer = results / "latest"
        newest = pointer.read_text("utf-8").strip() if pointer.is_file() else ""
        return results / (newest if newest in known else known[0])
    if name in known:
        return results / name
    matches = [one for one in known if name and one.startswith(name)]
    if len(matches) == 1:
        return results / matches[0]
    nearest = matches or difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    raise UnknownName("run", name, nearest[:3], ["latest", *known[:5]])

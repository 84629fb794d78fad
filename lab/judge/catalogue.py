"""The catalogue: every implementation under test, and those brought from outside.

Knows how an implementation is entered and what it declares. Must not know any
implementation by name, and never imports one.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import importlib.util
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

from lab.errors import UnknownName
from lab.judge.located import Table, read_toml, tables
from lab.wire.endpoint import Endpoint

Role = Literal["client", "server"]


def unknown(kind: str, name: str, known: list[str]) -> UnknownName:
    """The error to raise for a name that stands for nothing, with the nearest known ones."""
    return UnknownName(kind, name, difflib.get_close_matches(name, known, n=3, cutoff=0.4), sorted(known))


@dataclass(frozen=True, slots=True)
class Implementation:
    """A client or a server under test.

    Attributes:
        entry: ``module:Class`` of a Python client, or ``None``.
        command: argv of a foreign client or of a server, or ``()``.
        endpoint: where a server that somebody else started listens, or ``None``.
        features: what it declares to offer.
        asked_by: the words of ``erle run`` that name it, where it is in no catalogue.
        reference: the server is a reference server of the lab, judged to find disputed cases.
        only_clauses: only cases that decide one of these judge it; empty for all cases.
        not_on: places where it cannot run.
        place: where it runs, when that is not this machine; its name then ends in ``@`` and that word.
    """

    name: str
    protocol: str
    role: Role
    library: str
    features: frozenset[str]
    entry: str | None = None
    command: tuple[str, ...] = ()
    endpoint: Endpoint | None = None
    version_command: tuple[str, ...] = ()
    asked_by: tuple[str, ...] = ()
    reference: bool = False
    notes: str = ""
    only_clauses: frozenset[str] = frozenset()
    not_on: frozenset[str] = frozenset()
    place: str = ""

    def at(self, place: str) -> Implementation:
        """The same implementation run in another place, a row of its own."""
        return replace(self, name=f"{self.name}@{place}", place=place)

    @property
    def plain_name(self) -> str:
        """Its name in the catalogue, wherever it runs."""
        return self.name.removesuffix(f"@{self.place}") if self.place else self.name

    def missing_program(self) -> str | None:
        """The program that it needs and that this machine has not got, or ``None``."""
        program = self.version_command[0] if self.version_command else None
        return program if program is not None and shutil.which(program) is None else None

    def argv(self, python: str = sys.executable) -> tuple[str, ...]:
        """The command, with ``python`` standing for the running interpreter, or another one."""
        if self.command and self.command[0] == "python":
            return (python, *self.command[1:])
        return self.command

    def version(self) -> str:
        """The version of its library, or ``unknown``."""
        if self.library == "python":
            return platform.python_version()
        if self.version_command:
            return _first_line(self.version_command)
        try:
            return importlib.metadata.version(self.library)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"

    def digest(self) -> str:
        """SHA-256 of the module that adapts it, so that a comparison sees when it changed; empty when it has none."""
        module = self.entry.partition(":")[0] if self.entry else _module_of(self.command)
        spec = importlib.util.find_spec(module) if module else None
        if spec is None or spec.origin is None:
            return ""
        return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()


def _module_of(command: tuple[str, ...]) -> str:
    if "-m" in command[:-1]:
        return command[command.index("-m") + 1].partition(":")[0]
    return ""


def _first_line(command: tuple[str, ...]) -> str:
    program = shutil.which(command[0])
    if program is None:
        return "not installed"
    answer = subprocess.run([program, *command[1:]], capture_output=True, text=True, timeout=10, check=False)
    # "curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/…": the program and its number are enough
    return answer.stdout.partition("\n")[0].partition(" (")[0].strip() or "unknown"


def load_catalogue(path: Path) -> tuple[Implementation, ...]:
    """Read the catalogue.

    Raises:
        DataError: the file has a mistake; the message names file, line and remedy.
    """
    rows: list[Implementation] = []
    seen: set[tuple[str, str, str]] = set()
    for table in tables(path, "implementation", read_toml(path)):
        row = _implementation(table)
        key = (row.protocol, row.role, row.name)
        if key in seen:
            raise table.mistake(f"repeats {row.protocol} {row.role} {row.name!r}", "give it another name")
        seen.add(key)
        rows.append(row)
    return tuple(rows)


def _implementation(table: Table) -> Implementation:
    table.only(
        *("name", "protocol", "role", "library", "entry", "command", "features", "notes", "version-command"),
        *("only-clauses", "not-on"),
    )
    if table.has("entry") == table.has("command"):
        raise table.mistake(
            "needs one of 'entry' and 'command'", 'write entry = "module:Class" or command = ["…"]'
        )
    # word() has checked that the text is one of these
    role = cast("Role", table.word("role", among=("client", "server")))
    if table.has("entry") and role == "server":
        raise table.mistake("is a server with an 'entry'", "a server is started by 'command'")
    entry = table.word("entry") if table.has("entry") else None
    if entry is not None and entry.count(":") != 1:
        raise table.mistake(f"has entry = {entry!r}", "write it as module:Class")
    return Implementation(
        name=table.word("name"),
        protocol=table.word("protocol"),
        role=role,
        library=table.word("library"),
        features=frozenset(table.words("features")),
        entry=entry,
        command=table.words("command", []),
        version_command=table.words("version-command", []),
        notes=table.word("notes") if table.has("notes") else "",
        only_clauses=frozenset(table.words("only-clauses", [])),
        not_on=frozenset(table.words("not-on", [])),
    )


def select(rows: tuple[Implementation, ...], names: list[str]) -> tuple[Implementation, ...]:
    """The rows with one of the names; all when no name is given.

    Raises:
        UnknownName: a name is in no row.
    """
    known = sorted({row.name for row in rows})
    for name in names:
        if name not in known:
            raise unknown("implementation", name, known)
    return tuple(row for row in rows if not names or row.name in names)

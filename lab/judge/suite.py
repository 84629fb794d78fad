"""A protocol's suite as the lab sees it: its folder, ledger, services and reference server.

Knows ``suites/<protocol>/suite.toml`` and where the suite's files lie. Must not know
any protocol's rules, and imports no suite.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lab.judge.catalogue import Implementation, unknown
from lab.judge.known import KnownFailure, load_known
from lab.judge.ledger import Ledger, load_ledger
from lab.judge.located import DataError, read_toml


@dataclass(frozen=True)
class Suite:
    """One folder under ``suites/`` with a ledger.

    Attributes:
        services: names of the compose services that its reference peers need.
        reference: the reference server's row, or ``None`` where the protocol has none.
        embedded: the catalogue's server that stands in for it when there is no Docker.
        features: the words an implementation may declare, and what each promises.
        places: whether its servers can be started in other places than this machine (lab/judge/place.py).
    """

    protocol: str
    title: str
    directory: Path
    services: tuple[str, ...]
    reference: Implementation | None
    embedded: str | None
    features: Mapping[str, str]
    places: bool = False

    @cached_property
    def ledger(self) -> Ledger:
        """The protocol's clauses."""
        return load_ledger(self.directory / "clauses.toml")

    @cached_property
    def known(self) -> tuple[KnownFailure, ...]:
        """The known failures, none when the file is missing."""
        path = self.directory / "known-failures.toml"
        return load_known(path, self.ledger) if path.exists() else ()

    def known_of(self, implementation: str) -> tuple[KnownFailure, ...]:
        """The known failures of one implementation."""
        return self._known_by_implementation.get(implementation, ())

    @cached_property
    def _known_by_implementation(self) -> dict[str, tuple[KnownFailure, ...]]:
        names = {note.implementation for note in self.known}
        return {name: tuple(note for note in self.known if note.implementation == name) for name in names}

    def digest(self) -> str:
        """SHA-256 over the suite's sources and data, so that a comparison sees when the suite changed."""
        state = hashlib.sha256()
        for path in sorted(self.directory.rglob("*")):
            if path.suffix in {".py", ".toml"} and "__pycache__" not in path.parts:
                state.update(f"{path.relative_to(self.directory)}\0".encode())
                state.update(path.read_bytes())
        return state.hexdigest()


def load_suite(directory: Path) -> Suite:
    """Read ``suite.toml`` of a suite's folder.

    Raises:
        DataError: it has a mistake.
    """
    path = directory / "suite.toml"
    data = read_toml(path)
    reference = data.get("reference")
    embedded = data.get("embedded")
    services = data.get("services", [])
    if not isinstance(services, list) or not all(isinstance(name, str) for name in services):
        message = f"{path}: 'services' is a list of compose service names"
        raise DataError(message)
    return Suite(
        protocol=_text(path, data, "protocol"),
        title=_text(path, data, "title"),
        directory=directory,
        services=tuple(services),
        reference=_reference(path, directory.name, reference) if isinstance(reference, dict) else None,
        embedded=embedded if isinstance(embedded, str) else None,
        features=_features(path, data),
        places=data.get("places") is True,
    )


def _features(path: Path, data: dict[str, object]) -> dict[str, str]:
    words = data.get("features", {})
    if not isinstance(words, dict) or not all(isinstance(line, str) for line in words.values()):
        message = f"{path}: [features] gives each word a line of text"
        raise DataError(message)
    return dict(words)


def _text(path: Path, data: dict[str, object], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str):
        message = f'{path}: needs {field} = "…"'
        raise DataError(message)
    return value


def _reference(path: Path, protocol: str, table: dict[str, object]) -> Implementation:
    features = table.get("features", [])
    if not isinstance(features, list) or not all(isinstance(word, str) for word in features):
        message = f"{path}: 'features' of [reference] is a list of words"
        raise DataError(message)
    name = _text(path, table, "name")
    return Implementation(
        name=name,
        protocol=protocol,
        role="server",
        library=name,
        features=frozenset(features),
        reference=True,
    )


def find_suites(root: Path) -> dict[str, Suite]:
    """All protocols of the checkout, by name."""
    return {
        path.parent.name: load_suite(path.parent) for path in sorted((root / "suites").glob("*/suite.toml"))
    }


def check_features(suite: Suite, implementation: Implementation) -> None:
    """Hold a declaration to the suite's words.

    Raises:
        UnknownName: it declares a word that the suite does not know.
    """
    for word in sorted(implementation.features):
        if word not in suite.features:
            raise unknown(
                f"feature of {suite.protocol} (declared by {implementation.name})", word, list(suite.features)
            )


def choose(suites: dict[str, Suite], names: list[str]) -> tuple[Suite, ...]:
    """The named suites, or all.

    Raises:
        UnknownName: no suite has that name.
    """
    for name in names:
        if name not in suites:
            raise unknown("protocol", name, sorted(suites))
    return tuple(suites[name] for name in names or sorted(suites))

"""What one run is asked to judge: suites, implementations, clauses, cases, cuts, peers.

Knows the options that pytest and ``erle run`` share. Must not know how a case runs.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest

from lab.errors import LabError
from lab.judge.catalogue import Implementation, Role, load_catalogue, unknown
from lab.judge.suite import Suite, check_features, find_suites
from lab.stack.project import Lab
from lab.wire.endpoint import Endpoint

Peers = Literal["reference", "embedded"]
DEFAULT_CUTS = ("whole", "octets", "lines")
#: The name under which an implementation from the command line appears.
VISITOR = "visitor"


def add_options(parser: pytest.Parser) -> None:
    """The options of a conformance run."""
    group = parser.getgroup("erle", "Erle Lab: conformance")
    group.addoption(
        "--implementation", action="append", default=[], metavar="NAME", help="judge only this one"
    )
    group.addoption(
        "--clause", action="append", default=[], metavar="ID", help="only cases that decide this clause"
    )
    group.addoption("--case", action="append", default=[], metavar="ID", help="only this case")
    group.addoption("--cut", action="append", default=[], choices=DEFAULT_CUTS, help="only this segmentation")
    group.addoption(
        "--peers", choices=("reference", "embedded"), default="reference", help="what stands opposite"
    )
    group.addoption(
        "--implementations",
        metavar="FILE",
        help="judge those of another catalogue: each case is asked once, and no reference server beside them",
    )
    group.addoption(
        "--on",
        metavar="PLACE",
        help="judge servers here and in a container of the lab (erle: the board); where verdicts differ, the run fails",
    )
    group.addoption("--client", metavar="MODULE:CLASS", help="judge a client that is not in the catalogue")
    group.addoption("--client-command", metavar="COMMAND", help="judge a client that speaks JSON lines")
    group.addoption("--server", metavar="HOST:PORT", help="judge a server that is running already")
    group.addoption(
        "--features", default="", metavar="WORDS", help="what the client or server from outside offers"
    )
    group.addoption("--profile", choices=("quick", "deep"), default="quick", help="how far properties search")
    group.addoption(
        "--only-cases", action="store_true", help="leave out the tests that judge no implementation"
    )
    group.addoption("--results", metavar="FOLDER", help="where results/<run>/ is made (default: results)")


@dataclass(frozen=True)
class Selection:
    """The answers to the options, checked."""

    root: Path
    suites: dict[str, Suite]
    rows: tuple[Implementation, ...]
    clauses: frozenset[str]
    cases: frozenset[str]
    cuts: tuple[str, ...]
    peers: Peers
    profile: str
    narrowed: bool
    #: Rows of the catalogue that cannot be judged on this machine, and why.
    left_out: tuple[str, ...] = ()
    #: A case that fails is not asked again: the implementations come from a catalogue of the caller's own.
    asked_once: bool = False
    #: Where servers are judged beside this machine; empty for nowhere.
    place: str = ""
    _suite_of_module: dict[Path, Suite | None] = field(default_factory=dict, init=False, repr=False)

    def suite_of(self, module: Path) -> Suite | None:
        """The suite that a test module belongs to; it is asked several times for each of thousands of cases."""
        if module not in self._suite_of_module:
            found = (suite for suite in self.suites.values() if suite.directory in module.parents)
            self._suite_of_module[module] = next(found, None)
        return self._suite_of_module[module]

    def implementations(self, protocol: str, role: Role) -> tuple[Implementation, ...]:
        """Who is judged in cases of this protocol and role."""
        return tuple(row for row in self.rows if row.protocol == protocol and row.role == role)

    def embedded(self, protocol: str) -> Implementation:
        """The catalogue's server that stands in for a protocol's reference server when there is no Docker.

        Raises:
            LabError: the suite names none, or one that the catalogue has not.
        """
        name = self.suites[protocol].embedded
        if name is None:
            raise LabError(f"the suite {protocol} names no embedded server", remedy="give its suite.toml one")
        servers = {
            row.name: row
            for row in load_catalogue(self.root / "implementations" / "catalogue.toml")
            if row.protocol == protocol and row.role == "server"
        }
        if name not in servers:
            raise unknown("embedded server", name, list(servers))
        return servers[name]

    def reference_judged(self) -> bool:
        """Whether every server case also runs on the reference server."""
        return self.peers == "reference"


def read_selection(config: pytest.Config) -> Selection:
    """Turn pytest's options into a selection.

    Raises:
        LabError: an unknown name (with the nearest ones), or a mistake in a data file.
    """
    root = config.rootpath
    suites = find_suites(root)
    other: str | None = config.getoption("--implementations")
    catalogue = load_catalogue(Path(other) if other else root / "implementations" / "catalogue.toml")
    references = tuple(suite.reference for suite in suites.values() if suite.reference is not None)
    peers: Peers = config.getoption("--peers")
    visitors = _visitors(config, _asked(config, suites))
    rows = visitors or catalogue
    for row in (*rows, *references):
        if row.protocol in suites:
            check_features(suites[row.protocol], row)
    names: list[str] = config.getoption("--implementation")
    known = sorted({row.name for row in (*rows, *references)})
    for name in names:
        if name not in known:
            raise unknown("implementation", name, known)
    chosen = tuple(row for row in rows if not names or row.name in names)
    lacking = [(row, program) for row in chosen if (program := row.missing_program()) is not None]
    chosen = tuple(row for row in chosen if row.missing_program() is None)
    if peers == "reference" and not other:
        # the reference server is judged beside every server, so that a disputed case shows
        judged = {row.protocol for row in chosen if row.role == "server"}
        everything = not names and not visitors
        chosen += tuple(
            row for row in references if everything or row.protocol in judged or row.name in names
        )
    place: str = config.getoption("--on") or ""
    unfit: tuple[str, ...] = ()
    if place:
        chosen, unfit = _also_at(place, root, suites, chosen)
    clauses: list[str] = config.getoption("--clause")
    _check_clauses(suites, [*clauses, *(name for row in rows for name in sorted(row.only_clauses))])
    cases: list[str] = config.getoption("--case")
    cuts: list[str] = config.getoption("--cut")
    return Selection(
        root=root,
        suites=suites,
        rows=chosen,
        clauses=frozenset(clauses),
        cases=frozenset(cases),
        # elsewhere is slow, and a difference between places does not come from the cut
        cuts=tuple(cuts) or (("whole",) if place else DEFAULT_CUTS),
        peers=peers,
        profile=config.getoption("--profile"),
        left_out=(
            *(f"{row.name} ({row.role}): {program} is not installed" for row, program in lacking),
            *unfit,
        ),
        narrowed=bool(
            cases or cuts or clauses or other or place or config.getoption("-k") or config.getoption("-m")
        ),
        asked_once=bool(other),
        place=place,
    )


def _also_at(
    place: str, root: Path, suites: dict[str, Suite], rows: tuple[Implementation, ...]
) -> tuple[tuple[Implementation, ...], tuple[str, ...]]:
    """The servers that can be started in a place, each as it runs here and as it runs there; and who was left out.

    Raises:
        LabError: nothing of the lab is called so, or no suite's servers can be started there.
    """
    servers = Lab.here(root).servers()
    boards = sorted(name for name, server in servers.items() if server.architecture)
    if place not in boards:
        raise unknown("place", place, boards)
    fit = [row for row in rows if row.protocol in suites and suites[row.protocol].places and row.command]
    fit = [row for row in fit if row.role == "server"]
    if not fit:
        able = ", ".join(sorted(name for name, suite in suites.items() if suite.places))
        raise LabError(
            f"nothing that was asked for can be started on {place}; it can for {able or 'no suite'}"
        )
    there = [row.at(place) for row in fit if place not in row.not_on]
    unfit = tuple(f"{row.name} on {place}: {row.notes}" for row in fit if place in row.not_on)
    return (*fit, *there), unfit


def _check_clauses(suites: dict[str, Suite], clauses: list[str]) -> None:
    if not clauses:
        return
    known = {entry.id for suite in suites.values() for entry in suite.ledger.clauses}
    for name in clauses:
        if name not in known:
            raise unknown("clause", name, sorted(known))


def _asked(config: pytest.Config, suites: dict[str, Suite]) -> tuple[str, ...]:
    """The protocols whose suites pytest was told to collect from."""
    paths = [(config.invocation_params.dir / word.partition("::")[0]).resolve() for word in config.args]

    def covers(directory: Path) -> bool:
        return any(
            path == directory or path in directory.parents or directory in path.parents for path in paths
        )

    return tuple(name for name, suite in suites.items() if covers(suite.directory.resolve()))


def _visitors(config: pytest.Config, protocols: tuple[str, ...]) -> tuple[Implementation, ...]:
    """The implementations named on the command line; they join the suite of every protocol that was asked for."""
    declared: str = config.getoption("--features")
    features = frozenset(declared.replace(",", " ").split())
    offers = ("--features", declared) if declared else ()
    base = Implementation(VISITOR, "", "client", "-", features)
    found: list[Implementation] = []
    if entry := config.getoption("--client"):
        if entry.count(":") != 1:
            message = f"--client {entry}: write it as module:Class"
            raise LabError(message)
        asked_by = ("--client", entry, *offers)
        found.append(replace(base, name=entry.rpartition(":")[2], entry=entry, asked_by=asked_by))
    if command := config.getoption("--client-command"):
        argv = tuple(shlex.split(command))
        if not argv:
            message = "--client-command is empty"
            raise LabError(message)
        asked_by = ("--client-command", command, *offers)
        found.append(replace(base, name=Path(argv[-1]).stem or VISITOR, command=argv, asked_by=asked_by))
    if address := config.getoption("--server"):
        try:
            endpoint = Endpoint.parse(address)
        except ValueError as error:
            message = f"--server: {error}"
            raise LabError(message) from error
        asked_by = ("--server", address, *offers)
        found.append(replace(base, name=address, role="server", endpoint=endpoint, asked_by=asked_by))
    return tuple(replace(row, protocol=protocol) for row in found for protocol in protocols)

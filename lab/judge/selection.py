"""What one run is asked to judge: suites, implementations, clauses, cases, cuts, peers.

Knows the options that pytest and ``erle run`` share. Must not know how a case runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from lab.errors import LabError
from lab.judge.catalogue import Implementation, Role, load_catalogue, unknown
from lab.judge.suite import Suite, check_features, find_suites
from lab.judge.visitors import Doors, visitors
from lab.stack.project import Lab

if TYPE_CHECKING:
    import pytest

Peers = Literal["reference", "embedded"]
PEERS: tuple[Peers, ...] = get_args(Peers)
PROFILES = ("quick", "deep")
DEFAULT_CUTS = ("whole", "octets", "lines")


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
    group.addoption("--peers", choices=PEERS, default="reference", help="what stands opposite")
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
    group.addoption("--profile", choices=PROFILES, default="quick", help="how far properties search")
    group.addoption(
        "--only-cases", action="store_true", help="leave out the tests that judge no implementation"
    )
    group.addoption("--results", metavar="FOLDER", help="where results/<run>/ is made (default: results)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for, word for word and unchecked.

    Attributes:
        protocols: whose suites are asked for.
        implementations: the file of another catalogue, or ``None``.
        on: where servers are judged beside this machine, or ``None``.
        filtered: cases are chosen by other means as well.
    """

    protocols: Sequence[str]
    names: Sequence[str] = ()
    clauses: Sequence[str] = ()
    cases: Sequence[str] = ()
    cuts: Sequence[str] = ()
    peers: str = "reference"
    implementations: str | None = None
    on: str | None = None
    doors: Doors = field(default_factory=Doors)
    profile: str = "quick"
    filtered: bool = False


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


def read_selection(config: pytest.Config) -> Selection:
    """Turn pytest's options into a selection.

    Raises:
        LabError: as ``select`` does.
    """
    root = config.rootpath
    doors = Doors(
        *(config.getoption(f"--{word}") for word in ("client", "client-command", "server", "features"))
    )
    return select(
        root,
        Request(
            protocols=_asked(config, find_suites(root)),
            names=config.getoption("--implementation"),
            clauses=config.getoption("--clause"),
            cases=config.getoption("--case"),
            cuts=config.getoption("--cut"),
            peers=config.getoption("--peers"),
            implementations=config.getoption("--implementations"),
            on=config.getoption("--on"),
            doors=doors,
            profile=config.getoption("--profile"),
            filtered=bool(config.getoption("-k") or config.getoption("-m")),
        ),
    )


def select(root: Path, request: Request) -> Selection:
    """Check what was asked for against what there is.

    Args:
        root: the checkout.

    Raises:
        Misuse: an unknown name (with the nearest ones), or words that cannot be read.
        LabError: a mistake in a data file.
    """
    words = (("profile", request.profile, PROFILES), ("kind of peers", request.peers, PEERS))
    for kind, word, known_words in (*words, *(("cut", cut, DEFAULT_CUTS) for cut in request.cuts)):
        if word not in known_words:
            raise unknown(kind, word, list(known_words))
    suites = find_suites(root)
    other = request.implementations
    catalogue = load_catalogue(Path(other) if other else root / "implementations" / "catalogue.toml")
    references = tuple(suite.reference for suite in suites.values() if suite.reference is not None)
    guests = visitors(request.doors, request.protocols)
    rows = guests or catalogue
    for row in (*rows, *references):
        if row.protocol in suites:
            check_features(suites[row.protocol], row)
    known = sorted({row.name for row in (*rows, *references)})
    for name in request.names:
        if name not in known:
            raise unknown("implementation", name, known)
    chosen = tuple(row for row in rows if not request.names or row.name in request.names)
    lacking = [(row, program) for row in chosen if (program := row.missing_program()) is not None]
    chosen = tuple(row for row in chosen if row.missing_program() is None)
    if request.peers == "reference" and not other:
        # the reference server is judged beside every server, so that a disputed case shows
        judged = {row.protocol for row in chosen if row.role == "server"}
        everything = not request.names and not guests
        chosen += tuple(
            row for row in references if everything or row.protocol in judged or row.name in request.names
        )
    place = request.on or ""
    unfit: tuple[str, ...] = ()
    if place:
        chosen, unfit = _also_at(place, root, suites, chosen)
    _check_clauses(suites, [*request.clauses, *(name for row in rows for name in sorted(row.only_clauses))])
    return Selection(
        root=root,
        suites=suites,
        rows=chosen,
        clauses=frozenset(request.clauses),
        cases=frozenset(request.cases),
        # elsewhere is slow, and a difference between places does not come from the cut
        cuts=tuple(request.cuts) or (("whole",) if place else DEFAULT_CUTS),
        peers=next(kind for kind in PEERS if kind == request.peers),
        profile=request.profile,
        left_out=(
            *(f"{row.name} ({row.role}): {program} is not installed" for row, program in lacking),
            *unfit,
        ),
        narrowed=bool(request.cases or request.cuts or request.clauses or other or place or request.filtered),
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

"""Says who needs which servers, so that the last one to leave takes the stack down. Knows processes, no protocol.

Any number of processes (the workers of one pytest run, two runs at once) share one lab. Each holds a lease with its pid and
start time; one that died without giving its lease back, even by SIGKILL, is struck off by the next command of any kind.
`erle up` is a lease without a holder: it lasts until `erle down`.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Self

from lab.errors import LabError
from lab.stack import lifecycle, readiness
from lab.stack.engine import EngineMissing
from lab.stack.locks import Busy, identity, is_alive, locked
from lab.stack.progress import Progress, Quiet
from lab.stack.project import Lab
from lab.stack.service import Service

LOCK = "leases"


class InUse(LabError):
    """Servers that were to be taken down are held by a run that is alive."""


@dataclass(frozen=True)
class Holder:
    """A process that needs servers."""

    lease: str
    pid: int
    identity: str
    services: tuple[str, ...]


@dataclass
class Book:
    """Who needs what: `persistent` by `erle up`, `brought` by leases (and not, since, by `erle up`)."""

    holders: list[Holder] = field(default_factory=list)
    persistent: set[str] = field(default_factory=set)
    brought: set[str] = field(default_factory=set)

    def unneeded(self) -> set[str]:
        """Return what leases brought up and nobody needs any more: all of it, once the last holder has left."""
        return set() if self.holders else self.brought - self.persistent


def read(lab: Lab) -> Book:
    """Return the book as it is on disk; an empty one where there is none or a crash cut it short."""
    try:
        kept = json.loads((lab.state / "leases.json").read_text(encoding="utf-8"))
        holders = [
            Holder(str(h["lease"]), int(h["pid"]), str(h["identity"]), tuple(map(str, h["services"])))
            for h in kept["holders"]
        ]
        return Book(holders, set(kept["persistent"]), set(kept["brought"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Book()


def write(lab: Lab, book: Book) -> None:
    """Put the book on disk in one step."""
    kept = {
        "holders": [asdict(holder) for holder in book.holders],
        "persistent": sorted(book.persistent),
        "brought": sorted(book.brought),
    }
    fresh = lab.state / "leases.json.new"
    fresh.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    fresh.replace(lab.state / "leases.json")


def strike_off_dead(book: Book) -> list[Holder]:
    """Take the holders that are gone out of the book and return them."""
    dead = [holder for holder in book.holders if not is_alive(holder.pid, holder.identity)]
    book.holders = [holder for holder in book.holders if holder not in dead]
    return dead


class Lease:
    """A context manager: inside it the named servers (None: all outside profiles) run and are ready.

    `lease.services` are the named servers and those they depend on. Raises `LabError` where they cannot be brought up.
    """

    def __init__(
        self,
        lab: Lab,
        services: Sequence[str] | None = None,
        *,
        progress: Progress | None = None,
        yes: bool = False,
    ) -> None:
        self.lab = lab
        self.services: dict[str, Service] = {}
        self._names = services
        self._progress = progress or Quiet()
        self._yes = yes
        self._id = uuid.uuid4().hex

    def __enter__(self) -> Self:
        names = tuple(server.name for server in self.lab.chosen(self._names))
        pid = os.getpid()
        with locked(self.lab, LOCK):
            book = read(self.lab)
            strike_off_dead(book)
            # Written before anything starts: killed from here on, this process is found and cleaned up after.
            book.holders.append(Holder(self._id, pid, identity(pid) or "", names))
            running = _running(self.lab) if book.persistent or book.brought else set()
            book.brought |= set(names) - (book.persistent & running)
            write(self.lab, book)
            try:
                # What another living process is using is not started anew under its hands.
                held = {
                    name for holder in book.holders if holder.lease != self._id for name in holder.services
                }
                self.services = lifecycle.up(
                    self.lab, names, progress=self._progress, yes=self._yes, keep=held
                )
            except BaseException:
                self._leave()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with locked(self.lab, LOCK):
            self._leave()

    def _leave(self) -> None:
        book = read(self.lab)
        strike_off_dead(book)
        book.holders = [holder for holder in book.holders if holder.lease != self._id]
        _take_down(self.lab, book, self._progress)


def _running(lab: Lab) -> set[str]:
    try:
        return {service.name for service in lifecycle.services(lab).values() if service.state == "running"}
    except EngineMissing:
        return set()


def _take_down(lab: Lab, book: Book, progress: Progress) -> list[str]:
    """Take down what nobody needs, then write the book; return what was removed."""
    unneeded = book.unneeded()
    write(lab, book)
    if not unneeded:
        return []
    try:
        # With nothing kept, the network and the volumes go too.
        removed = lifecycle.down(lab, unneeded if book.persistent else None, progress=progress)
    except EngineMissing:
        return []  # what stood on the engine stands still; the book keeps it for the next command
    book.brought -= unneeded
    write(lab, book)
    return removed


def tidy(lab: Lab, *, progress: Progress | None = None) -> list[str]:
    """Clean up after holders that died; return the services removed. For the start of every command; cheap if all is well.

    Does nothing while another command of the lab is at work: that one tidies.
    """
    if not (lab.state / "leases.json").exists():
        return []
    book = read(lab)
    if not strike_off_dead(book) and not book.unneeded():
        return []
    try:
        with locked(lab, LOCK, seconds=0):
            book = read(lab)
            strike_off_dead(book)
            return _take_down(lab, book, progress or Quiet())
    except Busy:
        return []


def remove_unheld(lab: Lab) -> list[str]:
    """Remove services that stand in nobody's name: no lease, no `erle up`. For `erle gc`; return their names.

    They come from programs that used `lifecycle` by itself and were killed. Does nothing while one is at work.
    """
    try:
        with locked(lab, LOCK, seconds=0), locked(lab, lifecycle.LOCK, seconds=0):
            book = read(lab)
            named = (
                book.persistent | book.brought | {name for holder in book.holders for name in holder.services}
            )
            unheld = set(lifecycle.services(lab)) - named
    except Busy:
        return []
    return lifecycle.down(lab, unheld) if unheld else []


def up_to_stay(
    lab: Lab,
    names: Sequence[str] | None,
    *,
    progress: Progress | None = None,
    yes: bool = False,
    seconds: float = readiness.DEADLINE,
) -> dict[str, Service]:
    """Bring servers up until `release`: what `erle up` does."""
    with locked(lab, LOCK):
        book = read(lab)
        strike_off_dead(book)
        chosen = {server.name for server in lab.chosen(names)}
        # Until they stand they are as a lease's: an interrupted `erle up` leaves nothing behind for good.
        mine = Holder(uuid.uuid4().hex, os.getpid(), identity(os.getpid()) or "", tuple(sorted(chosen)))
        fresh = chosen - book.persistent
        book.holders.append(mine)
        book.brought |= fresh
        write(lab, book)
        try:
            held = {name for holder in book.holders if holder is not mine for name in holder.services}
            found = lifecycle.up(lab, names, progress=progress, yes=yes, keep=held, seconds=seconds)
        except LabError:
            # Those that did come up stay, so that their logs can be read.
            _settle(lab, book, mine, chosen & _running_or_ended(lab))
            raise
        except BaseException:
            book.holders.remove(mine)
            _take_down(lab, book, progress or Quiet())
            raise
        _settle(lab, book, mine, chosen)
        return found


def _running_or_ended(lab: Lab) -> set[str]:
    try:
        return set(lifecycle.services(lab))
    except EngineMissing:
        return set()


def _settle(lab: Lab, book: Book, mine: Holder, stay: Iterable[str]) -> None:
    book.holders.remove(mine)
    book.persistent |= set(stay)
    book.brought -= set(stay)
    write(lab, book)


def release(
    lab: Lab, names: Sequence[str] | None = None, *, force: bool = False, progress: Progress | None = None
) -> list[str]:
    """Take servers down (None: all): what `erle down` does. Return what was removed.

    Raises `InUse` where a living run holds one of them, unless `force`; then nothing is removed.
    """
    with locked(lab, LOCK):
        book = read(lab)
        strike_off_dead(book)
        chosen = None if names is None else {lab.chosen([name])[-1].name for name in names}
        held = {name: h.pid for h in book.holders for name in h.services if chosen is None or name in chosen}
        if held and not force:
            said = ", ".join(f"{name} (pid {pid})" for name, pid in sorted(held.items()))
            raise InUse(f"a run is using {said}", remedy="wait until it ends, or erle down --force")
        removed = lifecycle.down(lab, chosen, progress=progress)
        gone = book.persistent | book.brought if chosen is None else chosen
        book.persistent -= gone
        book.brought -= gone
        write(lab, book)
        return removed

"""What changed between two runs, and what may have changed it: the suite, the implementation, the peer, the lab, or nothing.

It knows runs; it must not know how a comparison is shown, or any protocol's rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lab.judge.runs import Implementation, Run, VerdictRow

_Key = tuple[str, str, str, str]

# How well an implementation did, where the verdict says so; the other verdicts decide nothing.
_RANK: Final = {"pass": 0, "lenient": 1, "flaky": 2, "fail": 3}


class Kind(StrEnum):
    """Whether a verdict is there in both runs."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"


class Direction(StrEnum):
    """Whether a change is for the worse."""

    WORSE = "worse"
    BETTER = "better"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Change:
    """One verdict that is not as it was; `causes` is empty where nothing that the runs record has changed."""

    before: VerdictRow | None
    after: VerdictRow | None
    direction: Direction
    causes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """New, gone or changed."""
        if self.before is None:
            return Kind.NEW
        return Kind.GONE if self.after is None else Kind.CHANGED

    @property
    def row(self) -> VerdictRow:
        """The verdict as it is, or, where it is gone, as it was."""
        row = self.after or self.before
        if row is None:
            raise ValueError("a change has a verdict before or after")
        return row

    def as_json(self) -> dict[str, object]:
        """The change as `erle diff --json` prints it."""
        row = self.row
        return {
            "case": row.case,
            "implementation": row.implementation,
            "peer": row.peer,
            "cut": row.cut,
            "kind": str(self.kind),
            "direction": str(self.direction),
            "before": _brief(self.before),
            "after": _brief(self.after),
            "causes": list(self.causes),
            "possible_flakiness": self.kind is Kind.CHANGED and not self.causes,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """All changes between two runs, and `moved`: what differs between them apart from verdicts, one line each."""

    before: Run
    after: Run
    changes: tuple[Change, ...]
    moved: tuple[str, ...]
    same: int

    @property
    def worse(self) -> tuple[Change, ...]:
        """The changes for the worse."""
        return tuple(change for change in self.changes if change.direction is Direction.WORSE)

    def as_json(self) -> dict[str, object]:
        """The comparison as `erle diff --json` prints it."""
        return {
            "before": self.before.id,
            "after": self.after.id,
            "moved": list(self.moved),
            "same": self.same,
            "worse": len(self.worse),
            "changes": [change.as_json() for change in self.changes],
        }


def _brief(row: VerdictRow | None) -> dict[str, object] | None:
    if row is None:
        return None
    known = row.known.id if row.known else None
    return {"verdict": row.verdict, "reason": row.reason, "expected": row.expected, "known": known}


def compare(before: Run, after: Run) -> Comparison:
    """Compare verdict by verdict; changes for the worse come first."""
    old = {_full(row): row for row in before.verdicts}
    new = {_full(row): row for row in after.verdicts}
    changes: list[Change] = []
    for key in sorted({*old, *new}):
        was, now = old.get(key), new.get(key)
        if was is not None and now is not None and (was.verdict, was.expected) == (now.verdict, now.expected):
            continue
        changes.append(Change(was, now, _direction(was, now), _causes(before, after, was or now)))
    changes.sort(key=lambda change: (change.direction is not Direction.WORSE, list(Kind).index(change.kind)))
    same = len({*old, *new}) - len(changes)
    return Comparison(before, after, tuple(changes), tuple(_moved(before, after)), same)


def _full(row: VerdictRow) -> tuple[str, str, _Key]:
    # A case's id names its protocol and role already; a row written by hand may not.
    return (row.protocol, row.role, row.key)


def _direction(was: VerdictRow | None, now: VerdictRow | None) -> Direction:
    """A verdict gone is a loss only where it passed; a new one is worse only where it asks for a look."""
    if was is None or now is None:
        lost = now is None and was is not None and was.verdict == "pass"
        alarming = now is not None and not now.expected
        return Direction.WORSE if lost or alarming else Direction.NEITHER
    if was.verdict == now.verdict:
        return Direction.WORSE if was.expected else Direction.BETTER
    first, second = _RANK.get(was.verdict), _RANK.get(now.verdict)
    if second is None:
        # It decides nothing any more: a loss where it passed, or where the lab could not even ask.
        return Direction.WORSE if was.verdict == "pass" or now.verdict == "blocked" else Direction.NEITHER
    better = second == 0 if first is None else second < first
    return Direction.BETTER if better else Direction.WORSE


def _causes(before: Run, after: Run, row: VerdictRow | None) -> tuple[str, ...]:
    if row is None:
        return ()
    asked = (
        ("suite", _suite(before, row.protocol), _suite(after, row.protocol)),
        ("implementation", _implementation(before, row), _implementation(after, row)),
        ("peer", _peer(before, row.peer), _peer(after, row.peer)),
        ("lab", (before.version,), (after.version,)),
        ("python", (before.host.get("python", ""),), (after.host.get("python", ""),)),
    )
    return tuple(name for name, was, now in asked if was is not None and now is not None and was != now)


def _suite(run: Run, protocol: str) -> tuple[str, ...] | None:
    suite = run.suites.get(protocol)
    return (suite.digest,) if suite else None


def _implementation(run: Run, row: VerdictRow) -> tuple[str, ...] | None:
    found = run.implementation(row.protocol, row.role, row.implementation)
    if found is not None:
        # A reference server that is judged itself: its image is its digest.
        peer = run.peers.get(row.implementation)
        image = peer.image or "" if peer and row.role == "server" else ""
        return (found.version, found.digest, ",".join(found.features), image)
    return _peer(run, row.implementation)


def _peer(run: Run, name: str) -> tuple[str, ...] | None:
    peer = run.peers.get(name)
    return (peer.version, peer.image or "") if peer else None


def _moved(before: Run, after: Run) -> Iterator[str]:
    """What both runs know and differs, and implementations that only one of them knows; one line each."""
    for protocol in sorted({*before.suites} & {*after.suites}):
        if before.suites[protocol].digest != after.suites[protocol].digest:
            yield f"suite {protocol}: {_short(before.suites[protocol].digest, after.suites[protocol].digest)}"
    was = {(row.protocol, row.role, row.name): row for row in before.implementations}
    now = {(row.protocol, row.role, row.name): row for row in after.implementations}
    for key in sorted({*was, *now}):
        title = f"implementation {key[2]} ({key[0]} {key[1]})"
        if key in was and key in now:
            yield from _moved_implementation(title, was[key], now[key])
        else:
            yield f"{title}: only in {before.id if key in was else after.id}"
    for name in sorted({*before.peers} & {*after.peers}):
        first, second = before.peers[name], after.peers[name]
        if first.version != second.version:
            yield f"peer {name}: {first.version} → {second.version}"
        elif first.image != second.image:
            yield f"peer {name}: {first.version}, image {_short(first.image or 'none', second.image or 'none')}"
    yield from _differing("lab", {"": before.version}, {"": after.version})
    yield from _differing("host", before.host, after.host)


def _moved_implementation(title: str, was: Implementation, now: Implementation) -> Iterator[str]:
    if was.version != now.version:
        yield f"{title}: {was.version} → {now.version}"
    elif was.digest != now.digest:
        yield f"{title}: {was.version}, sources {_short(was.digest, now.digest)}"
    if was.features != now.features:
        yield f"{title}: features {', '.join(was.features)} → {', '.join(now.features)}"


def _differing(title: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*was} & {*now}):
        if was[name] != now[name]:
            yield f"{f'{title} {name}'.strip()}: {was[name]} → {now[name]}"


def _short(was: str, now: str) -> str:
    return f"{was.removeprefix('sha256:')[:12]} → {now.removeprefix('sha256:')[:12]}"

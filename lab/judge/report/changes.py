"""A comparison in words: knows how a change is told, and which changes are told together.

It must not know where the words go.
"""

from __future__ import annotations

from collections.abc import Iterable

from lab.judge.compare import Change


def gather(changes: Iterable[Change]) -> list[tuple[Change, list[str]]]:
    """Changes that differ only in the cut, told once: the first of them, and the cuts."""
    found: dict[tuple[object, ...], tuple[Change, list[str]]] = {}
    for change in changes:
        row = change.row
        key = (row.protocol, row.role, row.case, row.implementation, row.peer, said(change))
        found.setdefault(key, (change, []))[1].append(row.cut)
    return list(found.values())


def said(change: Change) -> str:
    """A change in a few words: what it was, what it is, and what may have changed it."""
    was = change.before.verdict if change.before else "new"
    now = change.after.verdict if change.after else "gone"
    told = f"{was} → {now}"
    if change.before and change.after and was == now:
        told = f"{now}, now {'expected' if change.after.expected else 'unexpected'}"
    if change.before is None or change.after is None:
        return told
    cause = f"{', '.join(change.causes)} changed" if change.causes else "nothing recorded changed: flaky?"
    return f"{told}; {cause}"

"""Correctness first: which servers their protocol's suite lets pass, and may be measured.

Knows runs and their verdicts, and how to have a run made. Must not know a protocol.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from lab.bench.plan import BenchPlan, BenchServer
from lab.errors import LabError
from lab.judge.catalogue import Implementation, load_catalogue
from lab.judge.checked_json import RunError
from lab.judge.runs import Run, read_run, run_ids
from lab.judge.suite import find_suites

#: Verdicts that keep a server from being measured, unless they are written down as known.
BAD: Final = ("fail", "flaky", "blocked")
#: Words of a command that made a run of some cases only.
PARTIAL: Final = ("--case", "--clause")
SECONDS: Final = 1200.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the suite says of a server: in words, and why it must not be measured ("" where it may)."""

    words: str
    bad: str = ""


def standings(
    root: Path, results: Path, plan: BenchPlan, servers: Sequence[BenchServer], say: Callable[[str], None]
) -> dict[str, Standing]:
    """The standing of each server, by its name; what has no verdicts newer than its code is judged now.

    Raises:
        LabError: the run gave no verdicts.
    """
    if plan.protocol not in find_suites(root):
        return {server.name: Standing(f"unjudged: {plan.protocol} has no suite") for server in servers}
    rows = {
        row.name: row
        for row in load_catalogue(root / "implementations" / "catalogue.toml")
        if row.protocol == plan.protocol and row.role == "server"
    }
    found: dict[str, Standing] = {}
    names = {server.implementation for server in servers}
    for name in sorted(names - rows.keys()):
        found[name] = Standing("unjudged: the catalogue does not have it")
    for name in sorted(names & rows.keys()):
        run = _fresh_run(results, plan, rows[name])
        if run is not None:
            found[name] = _standing(run, name)
    missing = sorted(names - found.keys())
    if missing:
        say(f"{plan.protocol}: no verdicts on this code yet of {', '.join(missing)}; judging them first")
        run = _judge(root, results, plan.protocol, missing)
        found |= {name: _standing(run, name) for name in missing}
    return {server.name: found[server.implementation] for server in servers}


def _fresh_run(results: Path, plan: BenchPlan, row: Implementation) -> Run | None:
    """The newest whole run with verdicts on it that is newer than the suite and the implementation."""
    changed = max(
        path.stat().st_mtime
        for folder in _folders(plan, row)
        for path in folder.rglob("*")
        if path.suffix in {".py", ".toml", ".c"}
    )
    for name in run_ids(results):
        try:
            run = read_run(results / name)
        except RunError:
            continue
        if datetime.fromisoformat(run.started).timestamp() < changed:
            return None
        whole = not run.interrupted and not any(word.startswith(PARTIAL) for word in run.command)
        if whole and any(_is_of(verdict.role, verdict.implementation, row.name) for verdict in run.verdicts):
            return run
    return None


def _folders(plan: BenchPlan, row: Implementation) -> Iterator[Path]:
    yield plan.directory
    module = row.argv()[row.argv().index("-m") + 1] if "-m" in row.argv() else ""
    spec = importlib.util.find_spec(module) if module else None
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent


def _is_of(role: str, implementation: str, name: str) -> bool:
    return role == "server" and implementation == name


def _standing(run: Run, name: str) -> Standing:
    rows = [row for row in run.verdicts if _is_of(row.role, row.implementation, name)]
    if not rows:
        return Standing(f"no verdict in run {run.id}", f"run {run.id} gave no verdict on it")
    counts = Counter(row.verdict for row in rows)
    words = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    bad = [row for row in rows if row.verdict in BAD and not row.expected]
    if not bad:
        return Standing(f"{words} (run {run.id})")
    first = bad[0]
    return Standing(
        f"{words} (run {run.id})",
        f"{len(bad)} cases say {first.verdict}, for instance {first.case}: {first.reason}",
    )


def _judge(root: Path, results: Path, protocol: str, names: Sequence[str]) -> Run:
    before = set(run_ids(results))
    words = [word for name in names for word in ("--implementation", name)]
    done = subprocess.run(
        [sys.executable, "-m", "lab", "run", protocol, *words, "--cut", "whole", "--results", str(results)],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    made = [name for name in run_ids(results) if name not in before]
    if done.returncode not in {0, 1} or not made:
        tail = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise LabError(
            f"the servers could not be judged (exit code {done.returncode}): {' '.join(tail)}",
            f"./erle run {protocol} --cut whole",
        )
    return read_run(results / made[0])

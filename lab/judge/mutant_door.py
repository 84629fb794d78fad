"""The door by which a run starts exemplars and mutants: ``python -m suites.<protocol>.mutants list | server NAME | client NAME``.

Knows how a suite's exemplars and mutants are told of and how one of them is chosen. Must not know any of them, nor how it serves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lab.judge import host
from lab.judge.catalogue import Implementation, Role
from lab.judge.mutant import Breeder, Mutant

Whole = TypeVar("Whole")

#: The name under which the exemplar itself is asked for, in either role.
EXEMPLAR = "exemplar"


@dataclass(frozen=True)
class Exemplar:
    """The implementation of one role that obeys every clause, and how it or a mutant of it is run.

    Attributes:
        made: its own class, which stands where a mutant's would.
        run: runs a mutant's class, or its own, in this process as the contract says, until it is done; an exit status may
            be what it returns.
    """

    role: Role
    features: tuple[str, ...]
    made: type
    run: Callable[[type], int | None]


@dataclass(frozen=True)
class Door:
    """The exemplars and mutants of one suite.

    Attributes:
        protocol: the folder under ``suites`` whose module ``mutants`` this door stands in.
        breeders: what gathered the mutants, of either role.
    """

    protocol: str
    exemplars: Sequence[Exemplar]
    breeders: Sequence[Breeder]

    @property
    def mutants(self) -> list[Mutant]:
        """All mutants, in the order of their breeders."""
        return [mutant for breeder in self.breeders for mutant in breeder.mutants]

    def row(self, role: Role, name: str) -> Implementation:
        """An exemplar, or one of the mutants, as an implementation to be judged."""
        features = next(exemplar.features for exemplar in self.exemplars if exemplar.role == role)
        command = ("python", "-m", f"suites.{self.protocol}.mutants", role, name)
        return Implementation(name, self.protocol, role, "python", frozenset(features), command=command)

    def described(self) -> dict[str, list[dict[str, object]]]:
        """Exemplars and mutants in the form that ``lab.judge.mutation`` reads."""
        exemplars = [self._described(each.role, EXEMPLAR) for each in self.exemplars]
        mutants = [
            {
                **self._described(mutant.role, mutant.name),
                "clause": mutant.clause,
                "description": mutant.description,
            }
            for mutant in self.mutants
        ]
        return {"exemplars": exemplars, "mutants": mutants}

    def _described(self, role: Role, name: str) -> dict[str, object]:
        row = self.row(role, name)
        return {"name": name, "role": role, "command": list(row.command), "features": sorted(row.features)}

    def main(self, arguments: Sequence[str]) -> int:
        """Print the list, or run the one that is named; the exit status."""
        if list(arguments) == ["list"]:
            sys.stdout.write(json.dumps(self.described()) + "\n")
            return 0
        for exemplar in self.exemplars:
            made = {mutant.name: mutant.made for mutant in self.mutants if mutant.role == exemplar.role}
            made[EXEMPLAR] = exemplar.made
            match arguments:
                case [exemplar.role, name] if name in made:
                    return exemplar.run(made[name]) or 0
        roles = " | ".join(f"{exemplar.role} NAME" for exemplar in self.exemplars)
        sys.stderr.write(f"usage: python -m suites.{self.protocol}.mutants list | {roles}\n")
        return 2


def mutated(whole: type[Whole], made: type, parts: Mapping[str, type]) -> type[Whole]:
    """The exemplar with a mutant in its place: a whole one as it is, a part put into a class of its own.

    Args:
        parts: attribute of the exemplar → the class of the part that it names.

    Raises:
        TypeError: the mutant is neither whole nor one of the parts.
    """
    if issubclass(made, whole):
        return made
    for name, part in parts.items():
        if issubclass(made, part):
            return type("Mutant", (whole,), {name: made})
    message = f"{made.__name__} is no {whole.__name__} and no part of one"
    raise TypeError(message)


def run_hosted(made: type) -> None:
    """Run a client that is a class of the contract's methods, as the catalogue's clients are run."""
    host.run(f"{made.__module__}:{made.__qualname__}")

"""What a mutant is: an exemplar with one decision gone wrong, and the clause by which it must be caught.

Knows how mutants are written down. Must not know any of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from lab.judge.catalogue import Role

Made = TypeVar("Made", bound=type)


@dataclass(frozen=True)
class Mutant:
    """One implementation broken on purpose.

    Attributes:
        name: unique over both roles.
        clause: at least one case that decides it must fail (or be lenient, where it is no MUST).
        description: what is wrong, in one line.
        made: the class that takes the place of the exemplar's.
    """

    name: str
    role: Role
    clause: str
    description: str
    made: type


class Breeder:
    """Gathers the mutants of one module.

    Args:
        role: whose mutants they are.
    """

    def __init__(self, role: Role) -> None:
        self.role: Role = role
        self.mutants: list[Mutant] = []

    def __call__(self, *clauses: str) -> Callable[[Made], Made]:
        """Decorator: the class breaks these clauses; its docstring's first line says how.

        A class that breaks several clauses is as many mutants, each named after the class and its clause.
        """

        def note(made: Made) -> Made:
            name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", made.__name__).lower()
            self.add(name, clauses, (made.__doc__ or "").partition("\n")[0], made)
            return made

        return note

    def add(self, name: str, clauses: tuple[str, ...], description: str, made: type) -> None:
        """Note a mutant for each of the clauses."""
        for clause in clauses:
            full = name if len(clauses) == 1 else f"{name}:{clause}"
            self.mutants.append(Mutant(full, self.role, clause, description, made))

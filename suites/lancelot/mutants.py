"""All mutants of the exemplar, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.lancelot.mutants list`` prints exemplar and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import json
import sys

from lab.judge import host
from lab.judge.catalogue import Implementation
from lab.judge.mutant import Mutant, Role
from suites.lancelot import (
    exemplar_client,
    exemplar_edge,
    mutants_client,
    mutants_server_conversation,
    mutants_server_edge,
)
from suites.lancelot.exemplar import Conversation

MUTANTS: tuple[Mutant, ...] = (
    *mutants_server_conversation.breaks.mutants,
    *mutants_server_edge.breaks.mutants,
    *mutants_client.breaks.mutants,
)
EXEMPLAR = "exemplar"
FEATURES: dict[Role, tuple[str, ...]] = {"server": exemplar_edge.FEATURES, "client": exemplar_client.FEATURES}


def row(role: Role, name: str) -> Implementation:
    """An exemplar, or one of its mutants, as an implementation to be judged."""
    command = ("python", "-m", "suites.lancelot.mutants", role, name)
    return Implementation(name, "lancelot", role, "python", frozenset(FEATURES[role]), command=command)


def described() -> dict[str, list[dict[str, object]]]:
    """Exemplar and mutants in the form that ``lab.judge.mutation`` reads."""
    mutants = [
        {
            **_described(row(mutant.role, mutant.name)),
            "clause": mutant.clause,
            "description": mutant.description,
        }
        for mutant in MUTANTS
    ]
    return {"exemplars": [_described(row(role, EXEMPLAR)) for role in FEATURES], "mutants": mutants}


def _described(made: Implementation) -> dict[str, object]:
    return {
        "name": made.name,
        "role": made.role,
        "command": list(made.command),
        "features": sorted(made.features),
    }


def server_of(made: type) -> type[exemplar_edge.Server]:
    """The server with the mutated part in its place."""
    if issubclass(made, exemplar_edge.Server):
        return made
    worker: type = made
    if issubclass(made, Conversation):
        worker = type("MutantWorker", (exemplar_edge.Worker,), {"conversation_class": made})
    return type("Mutant", (exemplar_edge.Server,), {"worker_class": worker})


def main(arguments: list[str]) -> int:
    """Print the list, or run the one that is named."""
    if arguments == ["list"]:
        sys.stdout.write(json.dumps(described()) + "\n")
        return 0
    made = {(mutant.role, mutant.name): mutant.made for mutant in MUTANTS}
    match arguments:
        case ["server", name] if name == EXEMPLAR or ("server", name) in made:
            return server_of(made.get(("server", name), exemplar_edge.Server))().serve()
        case ["client", name] if name == EXEMPLAR or ("client", name) in made:
            client = made.get(("client", name), exemplar_client.Client)
            sys.argv = ["lab.judge.host", f"{client.__module__}:{client.__qualname__}"]
            return host.main()
    sys.stderr.write("usage: python -m suites.lancelot.mutants list | server NAME | client NAME\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

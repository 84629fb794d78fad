"""All mutants of the exemplars, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.memcached.mutants list`` prints exemplars and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import json
import sys

from lab.judge import host
from lab.judge.mutant import Mutant, Role
from suites.memcached import (
    exemplar_client,
    exemplar_edge,
    mutants_client,
    mutants_server_auth,
    mutants_server_meta,
    mutants_server_storage,
    mutants_server_text,
)
from suites.memcached.exemplar_auth import Guard
from suites.memcached.exemplar_store import Store

MUTANTS: tuple[Mutant, ...] = (
    *mutants_server_storage.breaks.mutants,
    *mutants_server_text.breaks.mutants,
    *mutants_server_meta.breaks.mutants,
    *mutants_server_auth.breaks.mutants,
    *mutants_client.breaks.mutants,
)
EXEMPLAR = "exemplar"
FEATURES: dict[Role, tuple[str, ...]] = {"server": exemplar_edge.FEATURES, "client": exemplar_client.FEATURES}
#: Cases of clients with several servers, TLS or a password ask for containers, which a trial has not: the exemplar client
#: cannot be tried on all cases.
COMPLETE: tuple[Role, ...] = ("server",)


def described() -> dict[str, list[dict[str, object]]]:
    """Exemplars and mutants in the form that ``lab.judge.mutation`` reads."""
    exemplars = [_row(EXEMPLAR, role) for role in COMPLETE]
    mutants = [
        {**_row(mutant.name, mutant.role), "clause": mutant.clause, "description": mutant.description}
        for mutant in MUTANTS
    ]
    return {"exemplars": exemplars, "mutants": mutants}


def _row(name: str, role: Role) -> dict[str, object]:
    command = ["python", "-m", "suites.memcached.mutants", role, name]
    return {"name": name, "role": role, "command": command, "features": list(FEATURES[role])}


def server_of(made: type) -> type[exemplar_edge.Edge]:
    """The server with the mutated part in its place."""
    if issubclass(made, exemplar_edge.Edge):
        return made
    part = next(
        (name for kind, name in ((Store, "store_class"), (Guard, "guard_class")) if issubclass(made, kind)),
        "session_class",
    )
    return type("Mutant", (exemplar_edge.Edge,), {part: made})


def main(arguments: list[str]) -> int:
    """Print the list, or run the one that is named."""
    if arguments == ["list"]:
        sys.stdout.write(json.dumps(described()) + "\n")
        return 0
    made = {(mutant.role, mutant.name): mutant.made for mutant in MUTANTS}
    match arguments:
        case ["server", name] if name == EXEMPLAR or ("server", name) in made:
            exemplar_edge.serve(server_of(made.get(("server", name), exemplar_edge.Edge)))
        case ["client", name] if name == EXEMPLAR or ("client", name) in made:
            client = made.get(("client", name), exemplar_client.Client)
            entry = f"{client.__module__}:{client.__qualname__}"
            sys.argv = ["lab.judge.host", entry]
            return host.main()
        case _:
            sys.stderr.write("usage: python -m suites.memcached.mutants list | server NAME | client NAME\n")
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

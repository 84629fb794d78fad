"""All mutants of the exemplars, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.memcached.mutants list`` prints exemplars and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant import Mutant
from lab.judge.mutant_door import Door, Exemplar, run_hosted
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


def server_of(made: type) -> type[exemplar_edge.Edge]:
    """The server with the mutated part in its place."""
    if issubclass(made, exemplar_edge.Edge):
        return made
    part = next(
        (name for kind, name in ((Store, "store_class"), (Guard, "guard_class")) if issubclass(made, kind)),
        "session_class",
    )
    return type("Mutant", (exemplar_edge.Edge,), {part: made})


def serve(made: type) -> None:
    """Be a server."""
    exemplar_edge.serve(server_of(made))


DOOR = Door(
    "memcached",
    (
        Exemplar("server", exemplar_edge.FEATURES, exemplar_edge.Edge, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, run_hosted),
    ),
    MUTANTS,
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

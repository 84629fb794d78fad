"""All mutants of the exemplar, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.lancelot.mutants list`` prints exemplar and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant import Mutant
from lab.judge.mutant_door import Door, Exemplar, run_hosted
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


def server_of(made: type) -> type[exemplar_edge.Server]:
    """The server with the mutated part in its place."""
    if issubclass(made, exemplar_edge.Server):
        return made
    worker: type = made
    if issubclass(made, Conversation):
        worker = type("MutantWorker", (exemplar_edge.Worker,), {"conversation_class": made})
    return type("Mutant", (exemplar_edge.Server,), {"worker_class": worker})


def serve(made: type) -> int:
    """Be a server; the exit status."""
    return server_of(made)().serve()


DOOR = Door(
    "lancelot",
    (
        Exemplar("server", exemplar_edge.FEATURES, exemplar_edge.Server, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, run_hosted),
    ),
    MUTANTS,
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

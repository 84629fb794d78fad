"""All mutants of the exemplar, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.lancelot.mutants list`` prints exemplar and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant_door import Door, Exemplar, mutated, run_hosted
from suites.lancelot import (
    exemplar_client,
    exemplar_edge,
    mutants_client,
    mutants_server_conversation,
    mutants_server_edge,
)
from suites.lancelot.exemplar import Conversation


def serve(made: type) -> int:
    """Be a server; the exit status."""
    if issubclass(made, Conversation):
        made = mutated(exemplar_edge.Worker, made, {"conversation_class": Conversation})
    return mutated(exemplar_edge.Server, made, {"worker_class": exemplar_edge.Worker})().serve()


DOOR = Door(
    "lancelot",
    (
        Exemplar("server", exemplar_edge.FEATURES, exemplar_edge.Server, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, run_hosted),
    ),
    (
        mutants_server_conversation.breaks,
        mutants_server_edge.breaks,
        mutants_client.breaks,
    ),
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

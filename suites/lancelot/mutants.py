"""All mutants of the exemplar, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.lancelot.mutants list`` prints exemplar and mutants as JSON;
``… server NAME`` runs one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import json
import sys

from suites.lancelot import exemplar_edge, mutants_server_conversation, mutants_server_edge
from suites.lancelot.exemplar import Conversation

MUTANTS = (*mutants_server_conversation.breaks.mutants, *mutants_server_edge.breaks.mutants)
EXEMPLAR = "exemplar"


def described() -> dict[str, list[dict[str, object]]]:
    """Exemplar and mutants in the form that ``lab.judge.mutation`` reads."""
    mutants = [
        {**_row(mutant.name), "clause": mutant.clause, "description": mutant.description}
        for mutant in MUTANTS
    ]
    return {"exemplars": [_row(EXEMPLAR)], "mutants": mutants}


def _row(name: str) -> dict[str, object]:
    command = ["python", "-m", "suites.lancelot.mutants", "server", name]
    return {"name": name, "role": "server", "command": command, "features": list(exemplar_edge.FEATURES)}


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
    made = {mutant.name: mutant.made for mutant in MUTANTS}
    match arguments:
        case ["server", name] if name == EXEMPLAR or name in made:
            return server_of(made.get(name, exemplar_edge.Server))().serve()
    sys.stderr.write("usage: python -m suites.lancelot.mutants list | server NAME\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""All mutants of the exemplars, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.memcached.mutants list`` prints exemplars and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant_door import Door, Exemplar, mutated, run_hosted
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
from suites.memcached.exemplar_meta import Session
from suites.memcached.exemplar_store import Store


def serve(made: type) -> None:
    """Be a server."""
    parts = {"store_class": Store, "guard_class": Guard, "session_class": Session}
    exemplar_edge.serve(mutated(exemplar_edge.Edge, made, parts))


DOOR = Door(
    "memcached",
    (
        Exemplar("server", exemplar_edge.FEATURES, exemplar_edge.Edge, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, run_hosted),
    ),
    (
        mutants_server_storage.breaks,
        mutants_server_text.breaks,
        mutants_server_meta.breaks,
        mutants_server_auth.breaks,
        mutants_client.breaks,
    ),
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

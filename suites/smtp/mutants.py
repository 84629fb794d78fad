"""All mutants of the exemplars, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.smtp.mutants list`` prints exemplars and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant import Mutant
from lab.judge.mutant_door import Door, Exemplar
from suites.smtp import (
    exemplar_client,
    exemplar_client_edge,
    exemplar_edge,
    exemplar_server,
    mutants_client_auth,
    mutants_client_extensions,
    mutants_client_mail,
    mutants_client_replies,
    mutants_client_session,
    mutants_client_tls,
    mutants_server_auth,
    mutants_server_chunking,
    mutants_server_envelope,
    mutants_server_extensions,
    mutants_server_mail,
    mutants_server_session,
    mutants_server_state,
    mutants_server_submission,
    mutants_server_tls,
    mutants_server_trace,
)

MUTANTS: tuple[Mutant, ...] = (
    *mutants_server_session.breaks.mutants,
    *mutants_server_state.breaks.mutants,
    *mutants_server_mail.breaks.mutants,
    *mutants_server_envelope.breaks.mutants,
    *mutants_server_trace.breaks.mutants,
    *mutants_server_tls.breaks.mutants,
    *mutants_server_auth.breaks.mutants,
    *mutants_server_extensions.breaks.mutants,
    *mutants_server_chunking.breaks.mutants,
    *mutants_server_submission.breaks.mutants,
    *mutants_client_session.breaks.mutants,
    *mutants_client_replies.breaks.mutants,
    *mutants_client_mail.breaks.mutants,
    *mutants_client_extensions.breaks.mutants,
    *mutants_client_tls.breaks.mutants,
    *mutants_client_auth.breaks.mutants,
)


def server_of(made: type) -> type[exemplar_edge.Edge]:
    """The server with the mutated part in its place."""
    if issubclass(made, exemplar_edge.Edge):
        return made
    return type("Mutant", (exemplar_edge.Edge,), {"session_class": made})


def client_of(made: type) -> type[exemplar_client_edge.Exemplar]:
    """The client with the mutated part in its place."""
    if issubclass(made, exemplar_client_edge.Exemplar):
        return made
    part = "channel_class" if issubclass(made, exemplar_client_edge.SocketChannel) else "client_class"
    return type("Mutant", (exemplar_client_edge.Exemplar,), {part: made})


def serve(made: type) -> None:
    """Be a server."""
    exemplar_edge.serve(server_of(made))


def serve_client(made: type) -> None:
    """Be a client's process."""
    exemplar_client_edge.serve(client_of(made))


DOOR = Door(
    "smtp",
    (
        Exemplar("server", exemplar_server.FEATURES, exemplar_edge.Edge, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, serve_client),
    ),
    MUTANTS,
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

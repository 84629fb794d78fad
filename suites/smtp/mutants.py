"""All mutants of the exemplars, and the door by which a run starts them.

Knows where the mutants are written. ``python -m suites.smtp.mutants list`` prints exemplars and mutants as JSON;
``… server NAME`` and ``… client NAME`` run one of them as the contract says (NAME may be ``exemplar``).
"""

from __future__ import annotations

import sys

from lab.judge.mutant_door import Door, Exemplar, mutated
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


def serve(made: type) -> None:
    """Be a server."""
    exemplar_edge.serve(mutated(exemplar_edge.Edge, made, {"session_class": exemplar_server.Session}))


def serve_client(made: type) -> None:
    """Be a client's process."""
    parts = {"client_class": exemplar_client.Client, "channel_class": exemplar_client_edge.SocketChannel}
    exemplar_client_edge.serve(mutated(exemplar_client_edge.Exemplar, made, parts))


DOOR = Door(
    "smtp",
    (
        Exemplar("server", exemplar_server.FEATURES, exemplar_edge.Edge, serve),
        Exemplar("client", exemplar_client.FEATURES, exemplar_client.Client, serve_client),
    ),
    (
        mutants_server_session.breaks,
        mutants_server_state.breaks,
        mutants_server_mail.breaks,
        mutants_server_envelope.breaks,
        mutants_server_trace.breaks,
        mutants_server_tls.breaks,
        mutants_server_auth.breaks,
        mutants_server_extensions.breaks,
        mutants_server_chunking.breaks,
        mutants_server_submission.breaks,
        mutants_client_session.breaks,
        mutants_client_replies.breaks,
        mutants_client_mail.breaks,
        mutants_client_extensions.breaks,
        mutants_client_tls.breaks,
        mutants_client_auth.breaks,
    ),
)


if __name__ == "__main__":
    raise SystemExit(DOOR.main(sys.argv[1:]))

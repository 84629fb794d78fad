"""A mail host for the reproductions of these pages: polite but where a page says otherwise; prints what is said.

Needs the standard library alone. Serves one connection on 127.0.0.1.
"""

# ruff: noqa: T201, INP001
# (It is there to print, and stands beside the pages rather than in a package.)

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping, Sequence

POLITE = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n", b"STAR": b"220 go ahead\r\n"}


def host(
    offers: Sequence[str] = (),
    answers: Mapping[bytes, Sequence[bytes]] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    offers_inside: Sequence[str] = (),
    shown: int = 72,
) -> int:
    """Listen; returns the port.

    Args:
        offers: the keywords of the EHLO reply.
        answers: the first four letters of a command → its first replies; `END` is the end of data.
        tls: with what STARTTLS goes on.
        offers_inside: the keywords of the EHLO reply inside TLS.
        shown: how many octets of a line are printed.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    waiting = {verb: [*replies] for verb, replies in (answers or {}).items()}

    def talk() -> None:
        peer, _ = listener.accept()
        listener.close()
        keywords = ["host.example", *offers]
        lines = peer.makefile("rb")
        peer.sendall(b"220 host.example\r\n")
        in_data = False
        while line := lines.readline():
            print(
                "C:", line if len(line) <= shown else f"{line[:shown]!r}... ({len(line)} octets)", flush=True
            )
            verb = b"END" if in_data else line[:4].upper().strip()
            if in_data and line != b".\r\n":
                continue
            ehlo = "".join(f"250-{word}\r\n" for word in keywords[:-1]) + f"250 {keywords[-1]}\r\n"
            polite = ehlo.encode() if verb == b"EHLO" else POLITE.get(verb, b"250 fine\r\n")
            reply = waiting[verb].pop(0) if waiting.get(verb) else polite
            print("S:", reply, flush=True)
            peer.sendall(reply)
            in_data = verb == b"DATA" and reply.startswith(b"354")
            if verb == b"STAR" and tls is not None:
                peer = tls.wrap_socket(peer, server_side=True)
                lines = peer.makefile("rb")
                keywords = ["host.example", *offers_inside]
                print("-- TLS --", flush=True)
            if verb == b"QUIT":
                break
        peer.close()

    threading.Thread(target=talk).start()
    port: int = listener.getsockname()[1]
    return port

"""A server to be measured by tests: answers `ping?` with `pong.` and `more?` with `again.`, or does something wrong on purpose.

    python measured_server.py HOST PORT [MANNER] [COUNT]

Knows sockets alone. MANNER is `good`, `octets` (answers octet by octet), `wrong` (a wrong answer after COUNT right ones),
`chatty` (an octet too many after COUNT), `dies` (the process ends after COUNT), `hangs-up` (the connection ends after COUNT),
or `silent` (no answer at all). Where it counts, all its connections count together.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys

ANSWERS = {b"ping?": b"pong.", b"more?": b"again."}


class Peer:
    """Answers as its manner has it."""

    def __init__(self, manner: str, count: int) -> None:
        self._manner = manner
        self._left = count

    def answer(self, connection: socket.socket, question: bytes) -> None:
        """Answer one question."""
        answer = ANSWERS[question]
        self._left -= 1
        if self._left >= 0 or self._manner in {"good", "octets", "silent"}:
            self._politely(connection, answer)
        elif self._manner == "dies":
            sys.stderr.write("out of answers\n")
            sys.stderr.flush()
            os._exit(3)
        elif self._manner == "hangs-up":
            connection.shutdown(socket.SHUT_RDWR)
        elif self._manner == "wrong":
            connection.sendall(answer.upper())
        elif self._manner == "chatty":
            connection.sendall(answer + b"!")

    def _politely(self, connection: socket.socket, answer: bytes) -> None:
        if self._manner == "octets":
            for octet in answer:
                connection.sendall(bytes([octet]))
        elif self._manner != "silent":
            connection.sendall(answer)


def main() -> None:
    """Serve until SIGTERM."""
    host, port, *rest = sys.argv[1:]
    manner, count = (*rest, *("good", "0")[len(rest) :])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    peer = Peer(manner, int(count))
    unread: dict[socket.socket, bytes] = {}
    with (
        socket.create_server((host, int(port)), backlog=256) as listener,
        selectors.DefaultSelector() as ready,
    ):
        ready.register(listener, selectors.EVENT_READ)
        sys.stdout.write(f"listening on {host}:{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            for key, _ in ready.select():
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    ready.register(connection, selectors.EVENT_READ)
                    unread[connection] = b""
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    _serve(key.fileobj, peer, unread, ready)


def _serve(
    connection: socket.socket, peer: Peer, unread: dict[socket.socket, bytes], ready: selectors.BaseSelector
) -> None:
    data = b""
    with contextlib.suppress(OSError):
        data = connection.recv(65536)
    if not data:
        ready.unregister(connection)
        del unread[connection]
        connection.close()
        return
    *questions, rest = (unread[connection] + data).split(b"?")
    unread[connection] = rest
    for question in questions:
        with contextlib.suppress(OSError):
            peer.answer(connection, question + b"?")


if __name__ == "__main__":
    main()

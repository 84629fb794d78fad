"""Accepting connections: each is served in a thread of its own, until the listener is told to stop.

Knows listening sockets and threads. Must not know what is said on a connection, nor record it.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

from lab.wire.endpoint import Endpoint

#: Is given a connection and the client's address, in the order of their opening; gives what serves it, in its own thread.
Welcome = Callable[[socket.socket, Endpoint], Callable[[], None]]


class Acceptor:
    """Accepts from the moment it is made.

    Args:
        listener: the listening socket, which is the acceptor's from then on.
        welcome: what is done with a connection. What it gives is not to raise.
        name: of whom the threads are.
    """

    def __init__(self, listener: socket.socket, welcome: Welcome, *, name: str) -> None:
        self._listener = listener
        self._welcome = welcome
        self._name = name
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, name=f"{name}-accept", daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, (host, port, *_) = self._listener.accept()
            except OSError:
                return  # the listener was closed
            serve = self._welcome(sock, Endpoint(host, port))
            thread = threading.Thread(target=serve, name=f"{self._name}-serve", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, timeout: float) -> None:
        """Accept no more: who connects after this is refused. Waits up to ``timeout`` seconds for the accepting thread."""
        if self._listener.fileno() >= 0:
            # shutdown wakes the accepting thread; close alone would leave it in accept
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._accepting.join(timeout)

    def join(self, timeout: float) -> None:
        """Wait for all connections to have been served, up to ``timeout`` seconds for each."""
        for thread in self._threads:
            thread.join(timeout)

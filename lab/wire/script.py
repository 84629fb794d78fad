"""The scripted peer: a server that says what no real server says on demand.

Knows how to listen and to run a dialogue for each connection. Must not know any
protocol: the dialogue is the suite's.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lab.wire.endpoint import Endpoint, endpoint_of, listen
from lab.wire.segmentation import Segmentation, whole
from lab.wire.stream import RecordedStream, StreamError
from lab.wire.transcript import Transcript

Dialogue = Callable[[RecordedStream], None]

#: Octets of a segment to and from a host with a small window: large ones would make the other end's buffers grow.
SMALL_SEGMENT = 536


class ScriptedPeer:
    """Runs ``dialogue`` for each connection, each in a thread of its own.

    A dialogue that ends closes its connection. A ``StreamError`` in it means that the
    client left or fell silent and is kept in ``departures``; any other exception is a
    fault of the script itself and is raised by ``close``.

    Args:
        dialogue: what is said on each connection.
        host: the address to listen on.
        timeout: seconds one receive or send may take.
        segmentation: how each send is cut.
        window: about so many octets the kernel holds for this end in either direction; its own choice if ``None``.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        *,
        host: str = "127.0.0.1",
        timeout: float = 5.0,
        segmentation: Segmentation = whole,
        window: int | None = None,
    ) -> None:
        self._dialogue = dialogue
        self._timeout = timeout
        self._segmentation = segmentation
        self._listener = listen(host)
        if window is not None:
            # connections take these over from the listener before their first octet
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, window)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
        self._threads: list[threading.Thread] = []
        self._faults: list[BaseException] = []
        self.departures: list[StreamError] = []
        self.transcripts: list[Transcript] = []
        self.endpoint: Endpoint = endpoint_of(self._listener)
        self._acceptor = threading.Thread(target=self._accept, name="script-accept", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, address = self._listener.accept()
            except OSError:
                return  # the listener was closed: the peer is done
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transcript = Transcript(f"{address[0]}:{address[1]}", str(self.endpoint))
            transcript.record("client", "open")
            stream = RecordedStream(
                sock, transcript, "server", timeout=self._timeout, segmentation=self._segmentation
            )
            self.transcripts.append(transcript)
            thread = threading.Thread(target=self._run, args=(stream,), name="script-dialogue", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, stream: RecordedStream) -> None:
        try:
            self._dialogue(stream)
        except StreamError as departure:
            self.departures.append(departure)
        except BaseException as fault:  # noqa: BLE001 - carried to the thread that closes the peer
            self._faults.append(fault)
        finally:
            stream.close()

    def close(self) -> None:
        """Stop listening, wait for the dialogues to end, and raise what broke in one of them."""
        if self._listener.fileno() >= 0:
            # shutdown wakes the accepting thread; close alone would leave it in accept
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self._acceptor.join(self._timeout)
        for thread in self._threads:
            thread.join(self._timeout)
        if self._faults:
            raise self._faults[0]

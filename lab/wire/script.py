"""The scripted peer: a server that says what no real server says on demand.

Knows how to listen and to run a dialogue for each connection. Must not know any
protocol: the dialogue is the suite's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from lab.wire.acceptor import Acceptor
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
        listener = listen(host)
        if window is not None:
            # connections take these over from the listener before their first octet
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, window)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
        self._faults: list[BaseException] = []
        self.departures: list[StreamError] = []
        self.transcripts: list[Transcript] = []
        self.endpoint: Endpoint = endpoint_of(listener)
        self._acceptor = Acceptor(listener, self._welcome, name="script")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _welcome(self, sock: socket.socket, client: Endpoint) -> Callable[[], None]:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transcript = Transcript(str(client), str(self.endpoint))
        transcript.record("client", "open")
        stream = RecordedStream(
            sock, transcript, "server", timeout=self._timeout, segmentation=self._segmentation
        )
        self.transcripts.append(transcript)
        return partial(self._run, stream)

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
        self._acceptor.stop(self._timeout)
        self._acceptor.join(self._timeout)
        if self._faults:
            raise self._faults[0]

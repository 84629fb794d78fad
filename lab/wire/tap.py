"""The tap: a recording proxy between a client under test and its peer.

Knows how to listen and to hand each connection to a relay. Must not know any
protocol. One transcript a connection, in the order of their opening.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self

from lab.wire.acceptor import Acceptor
from lab.wire.endpoint import Endpoint, endpoint_of, listen
from lab.wire.faults import UNTOUCHED, Treatment
from lab.wire.interception import Interception
from lab.wire.relay import Relay, reset
from lab.wire.transcript import Transcript

CONNECT_TIMEOUT = 5.0


class Tap:
    """Listens on a loopback port and relays each connection to ``peer``.

    Args:
        peer: where the connections go; a server that starts anew elsewhere is set here for those that follow.
        from_client: what is done to the client's octets.
        from_server: what is done to the server's octets.
        interception: TLS on both sides, so that the transcript is in clear.
        host: the address to listen on.
    """

    def __init__(
        self,
        peer: Endpoint,
        *,
        from_client: Treatment = UNTOUCHED,
        from_server: Treatment = UNTOUCHED,
        interception: Interception | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.peer = peer
        self.from_client = from_client
        self.from_server = from_server
        self._interception = interception
        self._wake_reader, self._wake_writer = socket.socketpair()
        self.transcripts: list[Transcript] = []
        #: Why the peer could not be reached, one entry for each connection that failed so.
        self.unreachable: list[str] = []
        listener = listen(host)
        self.endpoint: Endpoint = endpoint_of(listener)
        self._acceptor = Acceptor(listener, self._welcome, name="tap")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _welcome(self, sock: socket.socket, client: Endpoint) -> Callable[[], None]:
        transcript = Transcript(str(client), str(self.peer))
        transcript.record("client", "open")
        self.transcripts.append(transcript)
        return partial(self._relay, sock, transcript)

    def _relay(self, client: socket.socket, transcript: Transcript) -> None:
        try:
            server = self.peer.connect(CONNECT_TIMEOUT)
        except OSError as error:
            self.unreachable.append(f"{self.peer}: {error}")
            transcript.record("lab", "fault", f"the peer could not be reached: {error}".encode())
            # after an orderly end it would be chance whether the client finds the end or loses what it says
            reset(client)
            return
        relay = Relay(
            client,
            server,
            transcript,
            from_client=self.from_client,
            from_server=self.from_server,
            interception=self._interception,
        )
        relay.run(self._wake_reader)

    def close(self) -> None:
        """Stop listening, break what is still relayed, and wait for the relays to end."""
        self._acceptor.stop(CONNECT_TIMEOUT)
        self._wake_writer.close()
        self._acceptor.join(CONNECT_TIMEOUT + 5.0)
        self._wake_reader.close()

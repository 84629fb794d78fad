"""One connection through the tap: two sockets, two directions, one thread.

Each direction holds at most one received stretch until the far side has taken it,
so the tap adds no buffer that would hide a peer which does not read.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections import deque

from lab.wire.faults import UNTOUCHED, Treatment
from lab.wire.interception import Interception
from lab.wire.transcript import Side, Transcript

RECEIVE_SIZE = 256 * 1024
HANDSHAKE_TIMEOUT = 5.0
#: How much of the client's latest octets is looked at for words that ask for TLS.
REQUEST_WINDOW = 512
SIDES: tuple[Side, Side] = ("client", "server")


def _decrypted(source: socket.socket) -> bool:
    return isinstance(source, ssl.SSLSocket) and source.fileno() >= 0 and source.pending() > 0


def reset(sock: socket.socket) -> None:
    """Close at once: the far side is told by RST."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class _Direction:
    """Octets on their way from one side to the other."""

    def __init__(self, source: Side, treatment: Treatment) -> None:
        self.source: Side = source
        self.treatment = treatment
        self.untouched = treatment == UNTOUCHED
        self.pending: deque[tuple[float, memoryview]] = deque()
        self.passed = 0
        self.source_open = True
        self.ended = False

    def admit(self, data: bytes, now: float) -> bytes:
        """Take a received stretch: corrupt, cut short, queue; returns what was queued."""
        treatment = self.treatment
        if treatment.corruption is not None:
            data = treatment.corruption.apply(data, self.passed)
        if treatment.cut is not None:
            data = data[: max(treatment.cut.after - self.passed, 0)]
        self.passed += len(data)
        due = now + treatment.delay
        if treatment.coalesce and self.pending:
            due, held = self.pending.pop()
            data = bytes(held) + data
        elif treatment.coalesce:
            due = now + treatment.coalesce
        for segment in treatment.segmentation(data):
            if segment:
                self.pending.append((due, memoryview(segment)))
        return data

    @property
    def reached_cut(self) -> bool:
        return self.treatment.cut is not None and self.passed >= self.treatment.cut.after

    def may_receive(self) -> bool:
        if not self.source_open:
            return False
        return not self.pending or bool(self.treatment.coalesce)


class Relay:
    """Passes octets between a client and a server until both directions end."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        transcript: Transcript,
        *,
        from_client: Treatment,
        from_server: Treatment,
        interception: Interception | None,
    ) -> None:
        self._sockets: dict[Side, socket.socket] = {"client": client, "server": server}
        self._transcript = transcript
        self._directions = {
            "client": _Direction("client", from_client),
            "server": _Direction("server", from_server),
        }
        self._interception = interception
        self._asked_for_tls = False
        self._client_tail = b""
        self._silent = False
        self._ready: dict[int, int] = {}
        # received into again and again: a new one for each receive would be mapped and unmapped by the kernel
        self._buffer = memoryview(bytearray(RECEIVE_SIZE))
        # whether what is waited for may differ from what was waited for before
        self._changed = True

    def run(self, waker: socket.socket) -> None:
        """Relay until the end, or until ``waker`` becomes readable (the tap is closing)."""
        for sock in self._sockets.values():
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._interception is not None and self._interception.immediate and not self._turn_to_tls():
                return
            for sock in self._sockets.values():
                sock.settimeout(0)
            self._loop(waker)
        finally:
            for sock in self._sockets.values():
                sock.close()

    def _loop(self, waker: socket.socket) -> None:
        waiting = select.poll()
        waiting.register(waker, select.POLLIN)
        wake = waker.fileno()
        interest: dict[Side, int] = {}
        while any(not direction.ended for direction in self._directions.values()):
            if self._changed:
                self._update_interest(waiting, interest)
            for descriptor, events in waiting.poll(self._patience() if self._changed else None):
                if descriptor == wake:
                    return
                self._ready[descriptor] = events
            for side in SIDES:
                if (self._changed or self._ready) and not self._serve(side):
                    return
            self._ready.clear()

    def _serve(self, side: Side) -> bool:
        """Move what can be moved from ``side``; False when the connection is over."""
        direction = self._directions[side]
        source = self._sockets[side]
        if direction.pending and not self._silent and not self._flush(direction):
            return False
        # octets that TLS has decrypted already do not show in poll
        readable = self._ready.get(source.fileno(), 0) & ~select.POLLOUT or _decrypted(source)
        while readable and (direction.may_receive() or self._silent):
            if not self._receive(direction):
                return False
            source = self._sockets[side]
            readable = _decrypted(source)
        return True

    def _update_interest(self, waiting: select.poll, interest: dict[Side, int]) -> None:
        now = time.monotonic()
        for side in SIDES:
            outbound = self._directions["server" if side == "client" else "client"]
            inbound = self._directions[side]
            wanted = select.POLLIN if inbound.may_receive() or (self._silent and inbound.source_open) else 0
            if outbound.pending and not self._silent and outbound.pending[0][0] <= now:
                wanted |= select.POLLOUT
            if interest.get(side) != wanted:
                # a side whose stream ended is left out of the poll: it would report its end for ever
                if wanted:
                    waiting.register(self._sockets[side], wanted)
                elif interest.get(side):
                    waiting.unregister(self._sockets[side])
                interest[side] = wanted
        self._changed = any(direction.pending for direction in self._directions.values())

    def _patience(self) -> int | None:
        """Milliseconds until the first held segment is due; ``None`` when none is held."""
        now = time.monotonic()
        dues = [
            direction.pending[0][0] - now
            for direction in self._directions.values()
            if direction.pending and not self._silent and direction.pending[0][0] > now
        ]
        return max(int(min(dues) * 1000) + 1, 0) if dues else None

    def _receive(self, direction: _Direction) -> bool:
        source = self._sockets[direction.source]
        try:
            data = bytes(self._buffer[: source.recv_into(self._buffer)])
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return True
        except OSError as error:
            self._transcript.record(direction.source, "reset", str(error).encode())
            reset(self._far(direction))
            return False
        if not data:
            self._transcript.record(direction.source, "eof")
            direction.source_open = False
            self._changed = True
            return self._pass_on_end(direction)
        if self._silent:
            return True
        if direction.source == "client":
            # a client that writes twice before it reads waits for this acknowledgement (RFC 1122, section 4.2.3.2)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        # the transcript holds what the source said, before any treatment
        self._transcript.record(direction.source, "data", data)
        if direction.untouched:
            direction.pending.append((0.0, memoryview(data)))
        else:
            direction.admit(data, time.monotonic())
            self._changed = True
        if not self._flush(direction):
            return False
        if direction.pending:
            self._changed = True
        return self._interception is None or self._after_passing(direction, data)

    def _flush(self, direction: _Direction) -> bool:
        """Send what is due; False when the far side is gone."""
        target = self._far(direction)
        while direction.pending:
            due, segment = direction.pending[0]
            if due and due > time.monotonic():
                return True
            try:
                sent = target.send(segment)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            except OSError as error:
                far: Side = "server" if direction.source == "client" else "client"
                self._transcript.record(far, "reset", str(error).encode())
                reset(self._sockets[direction.source])
                return False
            if sent == len(segment):
                direction.pending.popleft()
            else:
                direction.pending[0] = (due, segment[sent:])
                self._changed = True
        if direction.reached_cut and not self._silent:
            return self._cut(direction)
        if not direction.source_open:
            return self._pass_on_end(direction)
        return True

    def _pass_on_end(self, direction: _Direction) -> bool:
        if direction.pending or direction.ended:
            return True
        direction.ended = True
        target = self._far(direction)
        if isinstance(target, ssl.SSLSocket):
            # TLS has no half-closed state that every library survives: its end is the end of both
            return False
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
        return True

    def _cut(self, direction: _Direction) -> bool:
        cut = direction.treatment.cut
        if cut is None:
            return True
        self._transcript.record(
            "lab", "fault", f"{cut.kind} after {cut.after} octets of the {direction.source}".encode()
        )
        if cut.kind == "silence":
            self._silent = True
            self._changed = True
            return True
        if cut.kind == "half-close":
            direction.source_open = False
            return self._pass_on_end(direction)
        if cut.kind == "rst":
            for sock in self._sockets.values():
                reset(sock)
        return False

    def _far(self, direction: _Direction) -> socket.socket:
        return self._sockets["server" if direction.source == "client" else "client"]

    # TLS

    def _after_passing(self, direction: _Direction, data: bytes) -> bool:
        """Watch for the words that turn the connection to TLS; False when the handshake failed."""
        interception = self._interception
        if (
            interception is None
            or interception.request is None
            or isinstance(self._sockets["client"], ssl.SSLSocket)
        ):
            return True
        if direction.source == "client":
            self._client_tail = (self._client_tail + data)[-REQUEST_WINDOW:]
            self._asked_for_tls = interception.request.search(self._client_tail) is not None
            return True
        if not self._asked_for_tls:
            return True
        self._asked_for_tls = False
        if interception.reply is None or interception.reply.fullmatch(data) is None:
            return True
        return self._turn_to_tls()

    def _turn_to_tls(self) -> bool:
        interception = self._interception
        if interception is None:
            return True
        try:
            for sock in self._sockets.values():
                sock.settimeout(HANDSHAKE_TIMEOUT)
            if interception.toward_server is not None:
                self._sockets["server"] = interception.toward_server.wrap_socket(
                    self._sockets["server"], server_hostname=interception.server_name
                )
        except OSError as error:
            self._transcript.record("lab", "tls", f"handshake with the server failed: {error}".encode())
            return False
        try:
            self._sockets["client"] = interception.toward_client.wrap_socket(
                self._sockets["client"], server_side=True
            )
        except OSError as error:
            self._transcript.record("lab", "tls", f"handshake with the client failed: {error}".encode())
            return False
        for sock in self._sockets.values():
            sock.settimeout(0)
        where = b"on both sides of the tap" if interception.toward_server is not None else b"up to the tap"
        self._transcript.record("lab", "tls", b"TLS " + where)
        return True

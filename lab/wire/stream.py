"""One end of a TCP connection that records all it sends and receives.

The raw driver (our client end) and the scripted peer (our server end) are both
made of it. Knows sockets, TLS and segments; must not know any protocol.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import time
from types import TracebackType
from typing import Self

from lab.wire.segmentation import Segmentation, whole
from lab.wire.transcript import Side, Transcript

#: Small enough that its memory is not mapped and unmapped at each receive.
RECEIVE_SIZE = 64 * 1024


class StreamError(Exception):
    """The other end did something that stops the conversation."""


class Ended(StreamError):
    """The stream ended (EOF or reset) before what was waited for arrived."""


class Overdue(StreamError):
    """The deadline passed before what was waited for arrived."""


class TooLong(StreamError):
    """More octets than the limit arrived without a delimiter."""


def _seconds_to(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _await(condition: select.poll, deadline: float) -> None:
    if not condition.poll(_seconds_to(deadline) * 1000):
        raise TimeoutError


class RecordedStream:
    """A connected socket with a transcript, deadlines and a way of cutting what is sent.

    One thread may send while another receives, as long as there is no TLS on the connection.

    Args:
        sock: the connected socket; owned from here on.
        transcript: where every octet is recorded.
        side: which side of the transcript this end is.
        timeout: seconds that one receive or send may take in all.
        segmentation: how each send is cut.
    """

    def __init__(
        self,
        sock: socket.socket,
        transcript: Transcript,
        side: Side,
        *,
        timeout: float = 10.0,
        segmentation: Segmentation = whole,
    ) -> None:
        self._sock = sock
        # waiting is poll's: a timeout belongs to the socket, so a thread that sends would change it for one that receives
        self._sock.setblocking(True)  # noqa: FBT003 - the standard library's own signature
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sock, select.POLLOUT)
        self.transcript = transcript
        self._side: Side = side
        self._other: Side = "server" if side == "client" else "client"
        self.timeout = timeout
        self.segmentation = segmentation
        self._received = bytearray()
        self._ended: str | None = None
        self.secured = False
        self._truncated = False
        self._peer_certificate: bytes | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # sending

    def send(self, data: bytes) -> None:
        """Send all of ``data``, cut by the segmentation.

        Raises:
            Ended: the other end no longer takes octets.
            Overdue: it did not take them within the timeout.
        """
        deadline = time.monotonic() + self.timeout
        try:
            for segment in self.segmentation(data):
                self._send_all(segment, deadline)
                self.transcript.record(self._side, "data", segment)
        except TimeoutError as error:
            message = f"{self._other} took no octets for {self.timeout:g} s"
            raise Overdue(message) from error
        except OSError as error:
            self._note_end("reset")
            message = f"{self._other} closed while octets were sent to it ({error})"
            raise Ended(message) from error

    def _send_all(self, octets: bytes, deadline: float) -> None:
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(_seconds_to(deadline))
            self._sock.sendall(octets)
            return
        sent = self._send_what_fits(octets)
        while sent < len(octets):
            _await(self._writable, deadline)
            sent += self._send_what_fits(memoryview(octets)[sent:])

    def _send_what_fits(self, octets: bytes | memoryview) -> int:
        try:
            return self._sock.send(octets, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0

    # receiving

    def receive_until(self, delimiter: bytes, *, limit: int = 1 << 20, timeout: float | None = None) -> bytes:
        """The octets up to and including the next ``delimiter``.

        Raises:
            Ended, Overdue: it did not arrive.
            TooLong: ``limit`` octets came without it.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        searched = 0
        while (found := self._received.find(delimiter, searched)) < 0:
            if len(self._received) > limit:
                message = f"{self._other} sent {len(self._received)} octets without {delimiter!r}"
                raise TooLong(message)
            searched = max(len(self._received) - len(delimiter) + 1, 0)
            self._receive_more(deadline)
        return self._take(found + len(delimiter))

    def receive_line(self, *, limit: int = 65536, timeout: float | None = None) -> bytes:
        """The next line with its CRLF; a lone LF or CR does not end a line."""
        return self.receive_until(b"\r\n", limit=limit, timeout=timeout)

    def receive_exactly(self, count: int) -> bytes:
        """The next ``count`` octets."""
        deadline = time.monotonic() + self.timeout
        while len(self._received) < count:
            self._receive_more(deadline)
        return self._take(count)

    def receive_to_end(self, *, timeout: float | None = None) -> bytes:
        """Everything up to the end of the stream, orderly or not.

        Raises:
            Overdue: the stream did not end in time.
        """
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while self._ended is None:
            try:
                self._receive_more(deadline)
            except Ended:
                break
        return self._take(len(self._received))

    def receive_what_comes(self, quiet: float) -> bytes:
        """What is buffered and what arrives until nothing came for ``quiet`` seconds or the stream ended."""
        while self._ended is None:
            try:
                self._receive_more(time.monotonic() + quiet)
            except StreamError:
                break
        return self._take(len(self._received))

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _receive_more(self, deadline: float) -> None:
        if self._ended is not None:
            raise Ended(self._unfinished(f"{self._other} had ended the stream ({self._ended})"))
        try:
            data = self._receive_some(deadline)
        except TimeoutError as error:
            raise Overdue(
                self._unfinished(f"nothing more from the {self._other} before the deadline")
            ) from error
        except ssl.SSLEOFError as error:
            self._truncated = True
            self._note_end("eof")
            raise Ended(self._unfinished(f"{self._other} closed without a TLS close alert")) from error
        except OSError as error:
            self._note_end("reset")
            raise Ended(self._unfinished(f"{self._other} reset the connection ({error})")) from error
        if not data:
            self._note_end("eof")
            raise Ended(self._unfinished(f"{self._other} closed the connection"))
        # an end that writes twice before it reads waits for this acknowledgement (RFC 1122, section 4.2.3.2)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.transcript.record(self._other, "data", data)
        self._received += data

    def _receive_some(self, deadline: float) -> bytes:
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(_seconds_to(deadline))
            return self._sock.recv(RECEIVE_SIZE)
        _await(self._readable, deadline)
        return self._sock.recv(RECEIVE_SIZE)

    def _unfinished(self, what: str) -> str:
        return f"{what}; unfinished octets: {bytes(self._received[-200:])!r}" if self._received else what

    def _note_end(self, how: str) -> None:
        if self._ended is None:
            self._ended = how
            self.transcript.record(self._other, "reset" if how == "reset" else "eof")

    @property
    def ended(self) -> str | None:
        """How the other end ended the stream (``eof`` or ``reset``), as far as was read."""
        return self._ended

    # TLS

    @property
    def truncated(self) -> bool:
        """Whether the other end ended a TLS stream without its close alert (RFC 8446, section 6.1).

        Told only where the context came from ``lab.wire.contexts``.
        """
        return self._truncated

    @property
    def peer_certificate(self) -> bytes | None:
        """The certificate that the other end showed (DER), or ``None`` where it showed none."""
        return self._peer_certificate

    @property
    def cipher(self) -> tuple[str, str] | None:
        """The cipher suite by OpenSSL's name and the version of TLS, or ``None`` outside TLS."""
        found = self._sock.cipher() if isinstance(self._sock, ssl.SSLSocket) else None
        return (found[0], found[1]) if found is not None else None

    def start_tls(self, context: ssl.SSLContext, *, server_name: str | None = None) -> None:
        """Put TLS on the connection; the transcript goes on in clear.

        Octets received before and not yet taken stay readable: they came in plain text.

        Raises:
            StreamError: the handshake failed.
        """
        self._sock.settimeout(self.timeout)
        try:
            secured = context.wrap_socket(
                self._sock,
                server_side=self._side == "server",
                server_hostname=server_name,
                # an end without a close alert is told apart from one with it
                suppress_ragged_eofs=False,
            )
        except TimeoutError as error:
            message = "the TLS handshake did not end in time"
            raise Overdue(message) from error
        except OSError as error:
            self.transcript.record("lab", "tls", f"handshake failed: {error}".encode())
            message = f"the TLS handshake failed: {error}"
            raise StreamError(message) from error
        self._sock = secured
        # a connection that ends without a close alert no longer tells it
        self._peer_certificate = secured.getpeercert(binary_form=True)
        self.secured = True
        version = self._sock.version() or "unknown version"
        self.transcript.record("lab", "tls", f"{version} established".encode())

    # ending

    def half_close(self) -> None:
        """Send FIN and go on receiving (``SHUT_WR``)."""
        self._sock.shutdown(socket.SHUT_WR)
        self.transcript.record(self._side, "eof")

    def reset(self) -> None:
        """Close with RST, dropping what is unsent."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transcript.record(self._side, "reset")
        self._sock.close()

    def close(self) -> None:
        """Close this end; closing twice does nothing."""
        if self._sock.fileno() >= 0:
            self.transcript.record(self._side, "eof")
            self._sock.close()

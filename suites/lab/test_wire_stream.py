"""The recorded stream: what its two directions may not take from each other, and what a deadline does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from lab.wire.stream import Overdue, RecordedStream
from lab.wire.transcript import Transcript


class ModeWatcher(socket.socket):
    """A socket that notes each change of its blocking mode, which all threads share."""

    changes: int

    def setblocking(self, flag: bool, /) -> None:  # noqa: FBT001 - the standard library's own signature
        """As the socket's own, noted."""
        self.changes += 1
        super().setblocking(flag)

    def settimeout(self, value: float | None, /) -> None:
        """As the socket's own, noted."""
        self.changes += 1
        super().settimeout(value)


@pytest.fixture
def ends() -> Iterator[tuple[ModeWatcher, socket.socket]]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = ModeWatcher()
        near.changes = 0
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def recorded(near: ModeWatcher, timeout: float = 5.0) -> RecordedStream:
    """The near end as a stream, with its count of changes begun anew."""
    stream = RecordedStream(near, Transcript("near", "far"), "client", timeout=timeout)
    near.changes = 0
    return stream


def test_sending_and_receiving_leave_the_sockets_mode_alone(
    ends: tuple[ModeWatcher, socket.socket],
) -> None:
    """A thread that sends never changes how another waits to receive, even where the kernel's buffers fill."""
    near, far = ends
    stream = recorded(near)
    size = 20_000_000
    writer = threading.Thread(target=stream.send, args=(b"c" * size,))
    writer.start()
    far.sendall(b"answer")
    assert stream.receive_exactly(6) == b"answer"
    received = 0
    while received < size:
        received += len(far.recv(1 << 20))
    writer.join()
    assert near.changes == 0


def test_neither_direction_waits_past_its_deadline(ends: tuple[ModeWatcher, socket.socket]) -> None:
    """A peer that says nothing and one that takes nothing are both told as overdue."""
    near, _far = ends
    stream = recorded(near, timeout=0.05)
    with pytest.raises(Overdue, match="nothing more from the server"):
        stream.receive_line()
    with pytest.raises(Overdue, match=r"server took no octets for 0\.05 s"):
        stream.send(b"c" * 50_000_000)

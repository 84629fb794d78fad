"""The raw driver's side of Lancelot: questions out, answers in.

Knows octets and deadlines. Judges nothing.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lab.wire.stream import RecordedStream


class Session:
    """One connection to the server under test."""

    def __init__(self, stream: RecordedStream) -> None:
        self.stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *questions: bytes) -> None:
        """Send octets, cut as the case's cut says."""
        self.stream.send(b"".join(questions))

    def answer(self) -> bytes:
        """The next answer, with its full stop."""
        return self.stream.receive_until(b".", limit=4096)

    def ask(self, question: bytes) -> bytes:
        """Send a question and wait for its answer."""
        self.send(question)
        return self.answer()

    def rest(self, timeout: float | None = None) -> bytes:
        """All that still comes, up to the end of the stream.

        Raises:
            Overdue: the stream did not end in time.
        """
        return self.stream.receive_to_end(timeout=timeout)

    def finish(self) -> bytes:
        """Close the sending side and return all that still comes, up to the end of the stream."""
        self.stream.half_close()
        return self.rest()

    def reset(self) -> None:
        """End with a reset."""
        self.stream.reset()

    def close(self) -> None:
        """Hang up."""
        self.stream.close()

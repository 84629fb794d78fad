"""The exemplar's rules: one conversation as the specification has it, octets in and octets out.

Knows the protocol. Must not know sockets. Each decision is a method or an attribute of its own, for mutants to break.
"""

from __future__ import annotations

from collections.abc import Sequence

from suites.lancelot.specification import LONGEST_QUESTION, answer


class Conversation:
    """What one client said and is answered.

    Attributes:
        unfinished: the octets of a question whose `?` has not come.
        over: whether a question was too long, so that the connection is to be ended.
    """

    limit = LONGEST_QUESTION

    def __init__(self) -> None:
        self.unfinished = b""
        self.over = False

    def greeting(self) -> bytes:
        """What is sent before any question."""
        return b""

    def take(self, octets: bytes) -> bytes:
        """The answers to the questions that these octets complete."""
        buffered = self.unfinished + octets
        said: list[bytes] = []
        start = 0
        while end := self.end_of_question(buffered, start):
            if end - start > self.limit:
                break
            said.append(self.answer(buffered[start:end]))
            start = end
        self.unfinished = self.rest(buffered[start:])
        if len(self.unfinished) >= self.limit:
            self.over = True
            self.unfinished = b""
            return self.before_the_end(said)
        return self.joined(said)

    def end_of_question(self, octets: bytes, start: int) -> int:
        """Where the question that begins at `start` ends, or 0 when its end has not come."""
        return octets.find(b"?", start) + 1

    def answer(self, question: bytes) -> bytes:
        """The answer to one question."""
        return answer(question)

    def rest(self, unfinished: bytes) -> bytes:
        """What is kept of an unfinished question."""
        return unfinished

    def joined(self, said: Sequence[bytes]) -> bytes:
        """The answers as they go on the wire."""
        return b"".join(said)

    def before_the_end(self, said: Sequence[bytes]) -> bytes:
        """What is sent when a question is too long."""
        return self.joined(said)

    def at_end(self) -> bytes:
        """What is sent when the client has closed its sending side."""
        return b""

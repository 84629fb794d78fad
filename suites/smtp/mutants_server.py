"""Short ways to write mutants of the exemplar server: another answer, another EHLO line, another message stored.

Knows what the exemplar's decisions are called. Must not know any clause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.judge.mutant import Breeder
from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session

#: What a mutant may be told: "VERB CODE", or "* CODE" for any verb → "CODE STATUS text" (STATUS may be "-").
Answers = Mapping[str, str]


class ServerBreeder(Breeder):
    """A ``Breeder`` that makes common kinds of server mutants in one call each."""

    def __init__(self) -> None:
        super().__init__("server")

    def answers(self, name: str, description: str, changes: Answers, *clauses: str) -> None:
        """A server that gives other answers; the end of data is the verb ``.``."""

        class Answering(Session):
            def reply(self, code: int, status: str, *texts: str) -> None:
                change = changes.get(f"{self.verb} {code}") or changes.get(f"* {code}")
                if change is None:
                    super().reply(code, status, *texts)
                    return
                new, new_status, text = change.split(" ", 2)
                super().reply(int(new), new_status.removeprefix("-"), text)

        self.add(name, clauses, description, Answering)

    def lists(
        self, name: str, description: str, change: Callable[[list[str]], list[str]], *clauses: str
    ) -> None:
        """A server whose EHLO reply has other lines."""

        class Listing(Session):
            def extensions(self) -> list[str]:
                return change(super().extensions())

        self.add(name, clauses, description, Listing)

    def lacks(self, name: str, description: str, verb: str, *clauses: str) -> None:
        """A server that answers a command it ought to have with 502."""

        class Lacking(Session):
            def handler(self, verb_given: str) -> Callable[[str], None]:
                if verb_given == verb:
                    raise Refused(502, "5.5.1", "Command not implemented")
                return super().handler(verb_given)

        self.add(name, clauses, description, Lacking)

    def stores(self, name: str, description: str, change: Callable[[bytes], bytes], *clauses: str) -> None:
        """A server that alters the content before it stores it."""

        class Storing(Session):
            def delivered(self, content: bytes) -> bytes:
                return change(super().delivered(content))

        self.add(name, clauses, description, Storing)

    def traces(self, name: str, description: str, change: Callable[[str], str], *clauses: str) -> None:
        """A server whose Received field differs."""

        class Tracing(Session):
            def trace(self, envelope: Envelope) -> str:
                return change(super().trace(envelope))

        self.add(name, clauses, description, Tracing)

    def rejects(self, name: str, description: str, offends: Callable[[bytes], object], *clauses: str) -> None:
        """A server that refuses messages whose content offends it."""

        class Rejecting(Session):
            def as_stored(self, envelope: Envelope, content: bytes) -> bytes:
                if offends(content):
                    raise Refused(554, "5.6.0", "The message is not liked here")
                return super().as_stored(envelope, content)

        self.add(name, clauses, description, Rejecting)

    def limits(self, name: str, description: str, limit: int, *clauses: str) -> None:
        """A server that takes no longer command lines than ``limit`` octets."""

        class Limiting(Session):
            def line_limit(self) -> int:
                return min(super().line_limit(), limit)

        self.add(name, clauses, description, Limiting)


def without(*words: str) -> Callable[[list[str]], list[str]]:
    """A change of EHLO lines: these keywords are missing."""
    return lambda lines: [line for line in lines if line.split(" ")[0] not in words]


def instead(keyword: str, *lines: str) -> Callable[[list[str]], list[str]]:
    """A change of EHLO lines: these stand where the keyword's line was (and nothing where it was not)."""

    def change(old: list[str]) -> list[str]:
        new: list[str] = []
        for line in old:
            new += lines if line.split(" ")[0] == keyword else [line]
        return new

    return change

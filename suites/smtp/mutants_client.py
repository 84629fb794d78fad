"""Short ways to write mutants of the exemplar client: other command lines, another content, other replies read.

Knows what the exemplar's decisions are called. Must not know any clause.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

from lab.judge.mutant import Breeder
from suites.smtp.exemplar_client import Client
from suites.smtp.exemplar_client_edge import SocketChannel


class ClientBreeder(Breeder):
    """A ``Breeder`` that makes common kinds of client mutants in one call each."""

    def __init__(self) -> None:
        super().__init__("client")

    def says(self, name: str, description: str, pattern: str, instead: str, *clauses: str) -> None:
        """A client that says other command lines: what the pattern finds is replaced."""

        class Saying(Client):
            def line_octets(self, line: str) -> bytes:
                return super().line_octets(re.sub(pattern, instead, line))

        self.add(name, clauses, description, Saying)

    def sends(self, name: str, description: str, change: Callable[[bytes], bytes], *clauses: str) -> None:
        """A client that alters the content before it prepares it for the wire."""

        class Sending(Client):
            def content_of(self, message: bytes) -> bytes:
                return change(super().content_of(message))

        self.add(name, clauses, description, Sending)

    def calls_itself(self, name: str, description: str, own: str, *clauses: str) -> None:
        """A client with an odd name of its own, which it says whatever it is told."""

        class Calling(Client):
            def checked_name(self, name: str | None) -> str | None:
                return own

        self.add(name, clauses, description, Calling)

    def secures(
        self, name: str, description: str, change: Callable[[ssl.SSLContext], object], *clauses: str
    ) -> None:
        """A client with other ways in TLS."""

        class Securing(SocketChannel):
            def tls_context(self) -> ssl.SSLContext:
                context = super().tls_context()
                change(context)
                return context

        self.add(name, clauses, description, Securing)

    def begins(self, name: str, description: str, lines: list[str], *clauses: str) -> None:
        """A client that says something of its own after the greeting."""

        class Beginning(Client):
            def greeting(self) -> None:
                super().greeting()
                for line in lines:
                    self.command(line)

        self.add(name, clauses, description, Beginning)

"""Mutants of the exemplar client: AUTH (RFC 4954)."""

from __future__ import annotations

import binascii
import re

from suites.smtp.exemplar_client import Client, Progress
from suites.smtp.exemplar_envelope import Plan
from suites.smtp.exemplar_syntax import BadSyntax
from suites.smtp.exemplar_talk import Reply
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()


# AUTH


@breaks("rfc4954-3-only-listed-mechanisms")
class AnyMechanism(Client):
    """Mechanisms are started that are not listed."""

    def candidates(self) -> list[str]:
        return ["PLAIN", "LOGIN", "CRAM-MD5"]


@breaks("rfc4954-4-initial-response-encoded")
class HexInitial(Client):
    """SASL messages are sent in hexadecimal."""

    def encode(self, message: bytes) -> str:
        return "0x" + message.hex()


@breaks("rfc4954-4-no-second-auth")
class LogsInTwice(Client):
    """AUTH is said again after it has succeeded."""

    def login(self, username: str, password: str) -> None:
        super().login(username, password)
        super().login(username, password)


@breaks("rfc4954-4-no-auth-in-transaction")
class LogsInLate(Client):
    """AUTH is said after MAIL."""

    late: tuple[str, str] | None = None

    def login(self, username: str, password: str) -> None:
        self.late = (username, password)

    def envelope_one_by_one(self, plan: Plan) -> Progress:
        progress = Progress(self.command(plan.mail))
        if self.late is not None:
            super().login(*self.late)
        for recipient, line in plan.recipients.items():
            self.sort(progress, recipient, self.command(line))
        return progress

    def send_envelope(self, plan: Plan) -> Progress:
        return self.envelope_one_by_one(plan)


@breaks("rfc4954-4-empty-challenge-answered")
class EmptyCancelled(Client):
    """An empty challenge is cancelled."""

    def answer_challenge(self, mechanism: str, reply: Reply, messages: list[bytes], password: str) -> Reply:
        return super().answer_challenge(mechanism, reply, messages if reply.text else [], password)


@breaks("rfc4954-4-no-initial-response-on-long-line")
class LongAuth(Client):
    """AUTH with its initial response is as long as it comes."""

    def fits(self, line: str) -> bool:
        return True


@breaks("rfc4954-4-undecodable-challenge-cancelled", "rfc4954-4-strict-base64-client")
class LooseChallenges(Client):
    """Characters outside base64 are skipped."""

    def decode(self, text: bytes) -> bytes:
        try:
            return binascii.a2b_base64(re.sub(rb"[^A-Za-z0-9+/]", b"", text) + b"==")
        except binascii.Error:
            return b""


@breaks("rfc4954-4-longest-challenge-client")
class ShortChallenges(Client):
    """Challenges and responses end at 500 octets."""

    def decode(self, text: bytes) -> bytes:
        if len(text) > 500:
            raise BadSyntax("too long")
        return super().decode(text)

    def encode(self, message: bytes) -> str:
        return super().encode(message)[:500]


@breaks("rfc4954-4-saslprep-client")
class NamesUnprepared(Client):
    """The user's name is sent as it was given."""

    def prepared(self, username: str) -> str:
        return username


@breaks("rfc4954-4-failed-auth-reported", "rfc4954-6-454-reported")
class AuthIgnored(Client):
    """A refused AUTH counts as success."""

    def is_logged_in(self, reply: Reply) -> bool:
        return True


@breaks("rfc4954-4-plain-over-tls-client")
class NoPlainAtAll(Client):
    """PLAIN is not known."""

    def candidates(self) -> list[str]:
        return [mechanism for mechanism in super().candidates() if mechanism != "PLAIN"]


@breaks("rfc4954-4-auth-ends-a-group")
class AuthAndMore(Client):
    """A command follows AUTH in the same group."""

    def command(self, line: str) -> Reply:
        if not line.startswith("AUTH"):
            return super().command(line)
        self.send_commands([line, "NOOP"])
        return self.read_reply()


@breaks("rfc4954-6-weak-mechanism-retry")
class OneMechanism(Client):
    """Only the first mechanism is tried."""

    def candidates(self) -> list[str]:
        return super().candidates()[:1]


@breaks("rfc4954-8-case-insensitive-client")
class CapitalAuth(Client):
    """The keyword AUTH is known in capitals only."""

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        found = super().parse_extensions(reply)
        return {word: words for word, words in found.items() if word != "AUTH" or "AUTH" in reply.text}

"""Mutants of the exemplar server: AUTH, and what the trace tells of the session (RFC 4954, RFC 8314)."""

from __future__ import annotations

import binascii
import re

from suites.smtp.exemplar_framing import Envelope, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.exemplar_syntax import BadSyntax, prepare_name
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()


# AUTH

for _name, _description, _changes, _clauses in (
    ("mechanism-501", "An unknown mechanism gets 501.", "AUTH 504|501 5.5.4 No", ["4-unknown-mechanism-504"]),
    (
        "mechanism-5.7.0",
        "An unknown mechanism gets 5.7.0.",
        "AUTH 504|504 5.7.0 No",
        ["4-unknown-mechanism-5.5.4"],
    ),
    ("credentials-550", "Wrong credentials get 550.", "AUTH 535|550 5.7.8 No", ["4-bad-credentials-535"]),
    ("success-250", "Success is answered with 250.", "AUTH 235|250 2.7.0 Ok", ["4-success-235"]),
    ("success-2.0.0", "Success carries 2.0.0.", "AUTH 235|235 2.0.0 Ok", ["6-suggested-codes"]),
    (
        "too-long-501",
        "Too long a response gets 501.",
        "AUTH 500|501 5.5.6 No",
        ["4-exchange-line-too-long-500"],
    ),
    (
        "too-long-5.5.2",
        "Too long a response gets 5.5.2.",
        "AUTH 500|500 5.5.2 No",
        ["4-exchange-line-too-long-5.5.6"],
    ),
):
    _where, _, _instead = _changes.partition("|")
    breaks.answers(_name, _description, {_where: _instead}, *(f"rfc4954-{clause}" for clause in _clauses))
breaks.lists(
    "auth-commas",
    "The mechanisms are separated by commas.",
    lambda lines: [re.sub(r"(?<!AUTH) ", ",", line) if line.startswith("AUTH") else line for line in lines],
    "rfc4954-3-mechanism-list",
)
breaks.limits("auth-short-mail", "MAIL ends at 512 octets.", 512, "rfc4954-3-mail-line-500-longer")
breaks.limits("auth-short-response", "Responses end at 512 octets.", 512, "rfc4954-4-longest-response-server")


@breaks("rfc4954-4-second-auth-503", "rfc4954-4-auth-in-transaction-503")
class AuthAnytime(Session):
    """AUTH is taken at any time."""

    def check_auth_allowed(self) -> None:
        pass


@breaks("rfc4954-4-challenge-is-base64-only")
class ChattyChallenge(Session):
    """Challenges have a word for people behind them."""

    def challenge(self, octets: bytes) -> None:
        super().challenge(octets)
        self.output[-2:] = b" please\r\n"


@breaks("rfc4954-4-empty-challenge-keeps-space")
class NoSpace(Session):
    """The empty challenge is a bare 334."""

    def challenge(self, octets: bytes) -> None:
        if octets:
            super().challenge(octets)
        else:
            self.output += b"334\r\n"


@breaks("rfc4954-4-cancel-501")
class CancelIsFailure(Session):
    """A cancelled exchange is answered with 535."""

    def response(self, line: bytes | None) -> bytes:
        if line == b"*":
            raise self.wrong_credentials()
        return super().response(line)


@breaks("rfc4954-4-missing-initial-response-empty-challenge")
class InitialNeeded(Session):
    """PLAIN without initial response is a syntax error."""

    def start_plain(self, initial: str) -> None:
        if not initial:
            raise Refused(501, "5.5.4", "Initial response needed")
        super().start_plain(initial)


@breaks("rfc4954-4-equals-sign-is-empty-response")
class EqualsIsMissing(Session):
    """A lone equals sign counts as no initial response."""

    def start_plain(self, initial: str) -> None:
        super().start_plain("" if initial == "=" else initial)


@breaks("rfc4954-4-unwanted-initial-response-501")
class TakesInitial(Session):
    """CRAM-MD5 ignores an initial response."""

    def auth(self, argument: str) -> None:
        super().auth("CRAM-MD5" if argument.upper().startswith("CRAM-MD5") else argument)


@breaks("rfc4954-4-unwanted-initial-response-5.7.0")
class UnwantedStatus(Session):
    """The refusal of an unwanted initial response carries 5.5.4."""

    def unwanted_initial(self) -> Refused:
        return Refused(501, "5.5.4", "No")


@breaks("rfc4954-4-undecodable-response-501")
class UndecodableIsWrong(Session):
    """What is no base64 is answered with 535."""

    def decode(self, line: bytes) -> bytes:
        try:
            return super().decode(line)
        except BadSyntax as error:
            raise self.wrong_credentials() from error


@breaks("rfc4954-4-strict-base64-server")
class LooseBase64(Session):
    """Characters outside base64 are skipped."""

    def decode(self, line: bytes) -> bytes:
        try:
            return binascii.a2b_base64(re.sub(rb"[^A-Za-z0-9+/]", b"", line) + b"==")
        except binascii.Error as error:
            raise BadSyntax("not base64") from error


@breaks("rfc4954-4-saslprep-server")
class NamesAsTheyCome(Session):
    """Names are compared as they come."""

    def prepared(self, name: bytes) -> str:
        return name.decode("utf-8", "replace")


@breaks("rfc4954-4-saslprep-failure-fails")
class NamesMended(Session):
    """What a name must not hold is left out, and nobody is anybody."""

    def prepared(self, name: bytes) -> str:
        kept = re.sub(r"[^A-Za-z0-9]", "", name.decode("utf-8", "ignore"))
        return prepare_name(kept) if kept else next(iter(self.site.users))


@breaks("rfc4954-4-no-plaintext-passwords-without-tls", "rfc4954-9-protected-passwords-server")
class AuthInTheClear(Session):
    """Passwords are taken in the clear."""

    def mechanisms(self) -> list[str]:
        return ["PLAIN", "LOGIN", "CRAM-MD5"]


@breaks("rfc4954-6-no-unusable-mechanisms-listed")
class ListsUnusable(Session):
    """Mechanisms are listed in the clear, where they are refused."""

    def extensions(self) -> list[str]:
        lines = super().extensions()
        return lines if self.cipher else [*lines, "AUTH PLAIN LOGIN"]


@breaks("rfc4954-4-plain-over-tls-server", "rfc6409-7-auth-supported")
class NoPlain(Session):
    """There is no mechanism at all."""

    def mechanisms(self) -> list[str]:
        return []


@breaks("rfc4954-5-mail-auth-parameter-accepted")
class AuthParameterGuarded(Session):
    """The AUTH parameter of MAIL needs a login."""

    def check_auth_parameter(self, value: str | None) -> None:
        if self.user is None:
            raise Refused(530, "5.7.0", "Authentication required")


@breaks("rfc4954-7-received-with-esmtpa")
class TraceWithoutAuth(Session):
    """The WITH clause tells nothing of AUTH."""

    def protocol(self, envelope: Envelope) -> str:
        return super().protocol(envelope).replace("SA", "S")


@breaks("rfc4954-8-case-insensitive-server")
class CapitalMechanisms(Session):
    """Mechanisms are known in capitals only."""

    def auth(self, argument: str) -> None:
        name = argument.partition(" ")[0]
        if name != name.upper():
            raise self.unknown_mechanism()
        super().auth(argument)


@breaks("rfc4954-9-three-attempts")
class OneAttempt(Session):
    """The first wrong password closes the connection."""

    def wrong_credentials(self) -> Refused:
        self.closing = True
        return super().wrong_credentials()


class Hinting(Session):
    """Answers in the clear tell whether name and password fit."""

    def mechanisms(self) -> list[str]:
        return ["PLAIN", "LOGIN"]

    def logged_in(self, user: str) -> None:
        if self.cipher is None:
            raise Refused(538, "5.7.11", "Right, but not in the clear")
        super().logged_in(user)


breaks("rfc8314-4.1-no-hint-about-credentials", "rfc8314-4.1-same-denial-for-all")(Hinting)

# what a submission server writes into the Received field

breaks.traces(
    "no-cipher",
    "The Received field does not tell of TLS.",
    lambda field: re.sub(r"\r\n\ttls \w+", "", field),
    "rfc8314-4-cipher-in-received",
    "rfc8314-4.3-received-tls-clause",
)
breaks.traces(
    "own-cipher-name",
    "The tls clause has a name of the server's own.",
    lambda field: re.sub(r"tls \w+", "tls STRONG", field),
    "rfc8314-4.3-received-tls-clause-name",
)

"""The exemplar server's AUTH: PLAIN, LOGIN and CRAM-MD5, offered inside TLS only.

Knows RFC 4954, RFC 4616 and RFC 2195. Must not know sockets, nor any command beside AUTH.
"""

from __future__ import annotations

import hmac
import os
import re
from base64 import b64encode
from collections.abc import Callable

from suites.smtp.exemplar_framing import Framing, Refused
from suites.smtp.exemplar_syntax import BadSyntax, decode_base64, prepare_name


class Authentication(Framing):
    """One exchange after the other, until one succeeds.

    Attributes:
        cipher: OpenSSL's name of the cipher suite; ``None`` outside TLS.
        user: who has logged in.
    """

    cipher: str | None = None
    user: str | None = None

    def mechanisms(self) -> list[str]:
        """What is offered now: nothing that shows a password to an eavesdropper."""
        return ["PLAIN", "LOGIN", "CRAM-MD5"] if self.cipher else []

    def auth(self, argument: str) -> None:
        """AUTH, with or without an initial response."""
        name, _, initial = argument.partition(" ")
        mechanism = name.upper()
        if not re.fullmatch(r"[A-Z0-9_-]{1,20}", mechanism) or " " in initial:
            raise Refused(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]")
        self.check_auth_allowed()
        if mechanism not in self.mechanisms():
            raise self.unknown_mechanism()
        if mechanism == "CRAM-MD5":
            if initial:
                raise self.unwanted_initial()
            self.start_cram()
        elif mechanism == "LOGIN":
            self.start_login(initial)
        else:
            self.start_plain(initial)

    def check_auth_allowed(self) -> None:
        """Refuse AUTH where it has no place."""
        if self.user is not None:
            raise Refused(503, "5.5.1", "Already authenticated")
        if self.in_transaction():
            raise Refused(503, "5.5.1", "Not during a mail transaction")

    def in_transaction(self) -> bool:
        """Whether MAIL was accepted and its transaction is not over."""
        raise NotImplementedError

    def unknown_mechanism(self) -> Refused:
        """Refuse a mechanism that is not offered now, in the clear with one word for all credentials."""
        return Refused(504, "5.5.4", "Authentication mechanism not available")

    def unwanted_initial(self) -> Refused:
        """Refuse an initial response where the server speaks first."""
        return Refused(501, "5.7.0", "This mechanism begins with a challenge")

    # the exchange

    def challenge(self, octets: bytes) -> None:
        """A 334 reply with base64 and nothing else."""
        self.output += b"334 " + b64encode(octets) + b"\r\n"

    def response(self, line: bytes | None) -> bytes:
        """The decoded response.

        Raises:
            Refused: it is too long, cancels, or is no base64.
        """
        if line is None:
            raise Refused(500, "5.5.6", "Authentication exchange line is too long")
        if line == b"*":
            raise Refused(501, "5.7.0", "Authentication cancelled")
        try:
            return self.decode(line)
        except BadSyntax as error:
            raise Refused(501, "5.5.2", "Cannot decode the response") from error

    def decode(self, line: bytes) -> bytes:
        """The octets of a response on the wire."""
        return decode_base64(line)

    def start_plain(self, initial: str) -> None:
        """PLAIN: one message of the client."""
        if not initial:
            self.challenge(b"")
            self.await_response(lambda line: self.guarded(line, self.finish_plain))
            return
        self.finish_plain(b"" if initial == "=" else self.response(initial.encode()))

    def finish_plain(self, message: bytes) -> None:
        """Authorization identity, name and password, NUL between them (RFC 4616, section 2)."""
        parts = message.split(b"\0")
        if len(parts) != 3 or parts[0] not in {b"", parts[1]}:
            raise self.wrong_credentials()
        self.check_password(parts[1], parts[2])

    def start_login(self, initial: str) -> None:
        """LOGIN: a name and a password, each asked for."""
        if initial:
            self.ask_password(b"" if initial == "=" else self.response(initial.encode()))
            return
        self.challenge(b"Username:")
        self.await_response(lambda line: self.guarded(line, self.ask_password))

    def ask_password(self, name: bytes) -> None:
        """The second half of LOGIN."""
        self.challenge(b"Password:")
        self.await_response(
            lambda line: self.guarded(line, lambda password: self.check_password(name, password))
        )

    def start_cram(self) -> None:
        """CRAM-MD5: a challenge to be answered with a keyed digest (RFC 2195, section 2)."""
        question = f"<{os.urandom(8).hex()}@{self.site.hostname}>".encode()
        self.challenge(question)
        self.await_response(
            lambda line: self.guarded(line, lambda answer: self.check_digest(question, answer))
        )

    def guarded(self, line: bytes | None, taker: Callable[[bytes], None]) -> None:
        """Decode a response and hand it on; a refusal ends the exchange and is answered."""
        self.verb = "AUTH"
        try:
            taker(self.response(line))
        except Refused as refusal:
            self.reply(refusal.code, refusal.status, refusal.text)

    # the decision

    def check_password(self, name: bytes, password: bytes) -> None:
        """Log in whoever gives the password of the name.

        Raises:
            Refused: they do not fit.
        """
        user = self.prepared(name)
        known = self.site.users.get(user)
        if known is None or not hmac.compare_digest(known.encode(), password):
            raise self.wrong_credentials()
        self.logged_in(user)

    def check_digest(self, question: bytes, answer: bytes) -> None:
        """Log in whoever shows that it knows the password."""
        name, _, digest = answer.rpartition(b" ")
        user = self.prepared(name)
        known = self.site.users.get(user)
        expected = hmac.new((known or "").encode(), question, "md5").hexdigest().encode()
        if known is None or not hmac.compare_digest(expected, digest):
            raise self.wrong_credentials()
        self.logged_in(user)

    def prepared(self, name: bytes) -> str:
        """The name as SASLprep makes it; a name that cannot be prepared is nobody's."""
        try:
            return prepare_name(name.decode())
        except (BadSyntax, UnicodeDecodeError) as error:
            raise self.wrong_credentials() from error

    def wrong_credentials(self) -> Refused:
        """The one answer to whatever is wrong with name or password."""
        return Refused(535, "5.7.8", "Authentication credentials invalid")

    def logged_in(self, user: str) -> None:
        """Say that the exchange succeeded."""
        self.user = user
        self.reply(235, "2.7.0", "Authentication succeeded")

"""Mutants of the exemplar server: the order of commands, what the server remembers, and its end (RFC 5321, sections 3 and 4.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable

from suites.smtp.exemplar_edge import Edge
from suites.smtp.exemplar_framing import Envelope, PortName, Refused
from suites.smtp.exemplar_server import Session
from suites.smtp.mutants_server import ServerBreeder

breaks = ServerBreeder()


# order and state


@breaks("rfc5321-3.2-helo-reply-unextended")
class HeloLists(Session):
    """HELO lists extensions."""

    def helo(self, argument: str) -> None:
        self.ehlo(argument)


@breaks("rfc5321-4.1.3-ehlo-literal-accepted")
class NoLiterals(Session):
    """EHLO with an address literal is refused."""

    def hello(self, argument: str, *, extended: bool) -> None:
        if argument.startswith("["):
            raise Refused(501, "5.5.4", "A domain name is needed")
        super().hello(argument, extended=extended)


@breaks("rfc5321-4.1.4-ehlo-mismatch-accepted")
class KnownClientsOnly(Session):
    """The name in EHLO has to be this site's, a literal that of the connection."""

    def hello(self, argument: str, *, extended: bool) -> None:
        if not argument.endswith(".lab.example") and argument != f"[{self.site.peer}]":
            raise Refused(550, "5.7.1", "That is not your name")
        super().hello(argument, extended=extended)


@breaks("rfc5321-4.1.4-later-ehlo-resets")
class EhloKeeps(Session):
    """A later EHLO leaves the transaction open."""

    def hello(self, argument: str, *, extended: bool) -> None:
        kept = self.envelope
        super().hello(argument, extended=extended)
        self.envelope = kept


@breaks("rfc5321-4.1.4-bad-ehlo-keeps-state")
class BadEhloResets(Session):
    """An EHLO that is refused resets the state."""

    def hello(self, argument: str, *, extended: bool) -> None:
        self.end_transaction()
        super().hello(argument, extended=extended)


@breaks("rfc5321-4.1.4-non-mail-before-ehlo")
class EhloFirst(Session):
    """Every command needs EHLO before it."""

    def gate(self, verb: str) -> None:
        if not self.client_name and verb not in {"EHLO", "HELO", "QUIT"}:
            raise Refused(503, "5.5.1", "EHLO first")
        super().gate(verb)


@breaks("rfc5321-4.1.1.5-rset-discards")
class RsetKeeps(Session):
    """RSET keeps the transaction."""

    def rset(self, argument: str) -> None:
        kept = self.envelope
        super().rset(argument)
        self.envelope = kept


@breaks("rfc5321-4.1.1.5-rset-keeps-connection")
class RsetCloses(Session):
    """RSET closes the connection."""

    def rset(self, argument: str) -> None:
        super().rset(argument)
        self.closing = True


@breaks("rfc5321-4.1.1.6-vrfy-keeps-transaction")
class QuestionsReset(Session):
    """VRFY, EXPN and HELP end the transaction."""

    def handler(self, verb: str) -> Callable[[str], None]:
        if verb in {"VRFY", "EXPN", "HELP"}:
            self.end_transaction()
        return super().handler(verb)


@breaks("rfc5321-4.1.1.9-noop-keeps-transaction")
class NoopResets(Session):
    """NOOP ends the transaction."""

    def noop(self, argument: str) -> None:
        self.end_transaction()
        super().noop(argument)


@breaks("rfc5321-3.5.1-vrfy-knows-local-users")
class VrfyNeedsDomain(Session):
    """VRFY understands no name without a domain."""

    def vrfy(self, argument: str) -> None:
        if "@" not in argument:
            raise Refused(501, "5.5.4", "Syntax: VRFY mailbox")
        super().vrfy(argument)


@breaks("rfc5321-3.5.1-vrfy-knows-full-addresses")
class VrfyNeedsName(Session):
    """VRFY understands no full address."""

    def vrfy(self, argument: str) -> None:
        if "@" in argument:
            raise Refused(550, "5.1.1", "No such user")
        super().vrfy(argument)


# the end


@breaks("rfc5321-3.8-connection-kept-on-errors")
class ClosesOnErrors(Session):
    """A command that is not understood closes the connection."""

    def unknown_command(self) -> Refused:
        self.closing = True
        return super().unknown_command()


@breaks("rfc5321-4.1.1.10-no-close-before-quit")
class ClosesOnRefusals(Session):
    """Whatever is refused closes the connection."""

    def reply(self, code: int, status: str, *texts: str) -> None:
        super().reply(code, status, *texts)
        self.closing = self.closing or code >= 500


@breaks("rfc5321-3.8-421-at-shutdown")
class SilentShutdown(Session):
    """A server that is stopped says nothing."""

    def shut_down(self) -> None:
        self.closing = True


@breaks("rfc5321-4.1.1.10-quit-221-and-close")
class QuitStays(Session):
    """QUIT does not close the connection."""

    def quit(self, argument: str) -> None:
        super().quit(argument)
        self.closing = False


@breaks("rfc5321-4.1.1.10-quit-aborts-transaction")
class QuitDelivers(Session):
    """QUIT delivers an open transaction."""

    def quit(self, argument: str) -> None:
        super().quit(argument)
        if self.envelope is not None and self.envelope.recipients:
            self.keep(self.envelope, self.as_stored(self.envelope, b"\r\n"))


@breaks("rfc5321-4.1.1.5-lost-client-like-quit", "rfc5321-4.1.1.10-premature-close-cancels")
class LostDelivers(Session):
    """A connection that is lost amid the data delivers what has come."""

    def lost(self) -> None:
        if self.envelope is not None and self.envelope.recipients:
            self.keep(self.envelope, self.as_stored(self.envelope, self.unread))


@breaks("rfc5321-4.1.1.10-premature-close-keeps-completed")
class LostForgets(Session):
    """Messages are stored at QUIT; a connection that is lost takes them along."""

    def __init__(self, *arguments: object) -> None:
        self.held: list[tuple[Envelope, bytes]] = []
        super().__init__(*arguments)  # type: ignore[arg-type]  # handed on as they came

    def keep(self, envelope: Envelope, octets: bytes) -> None:
        self.held.append((envelope, octets))

    def quit(self, argument: str) -> None:
        for envelope, octets in self.held:
            self.site.store(envelope, octets)
        super().quit(argument)


@breaks("rfc5321-4.5.4.2-several-sessions-at-once")
class OneAtATime(Edge):
    """A second connection has to wait for the end of the first."""

    turn = threading.Lock()

    def run(self, connection: object, port: PortName, peer: str) -> None:
        with self.turn:
            super().run(connection, port, peer)  # type: ignore[arg-type]  # handed on as it came


@breaks("rfc5321-F.1-server-no-turn", "rfc5321-F.6-send-listed")
class OldVerbs(Session):
    """TURN and SEND are followed, and not listed."""

    def handler(self, verb: str) -> Callable[[str], None]:
        if verb == "TURN":
            return self.noop
        return self.mail if verb in {"SEND", "SOML", "SAML"} else super().handler(verb)

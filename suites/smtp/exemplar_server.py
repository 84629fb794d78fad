"""The exemplar server: a small SMTP server that obeys every clause of the ledger, for the cases to be tried on.

Knows the order of a session (RFC 5321, sections 3 and 4) and puts the parts of the exemplar together. A pure core:
octets go in by ``receive``, octets and wishes come out as attributes; sockets are ``exemplar_edge``'s. Each
decision is a method, so that a mutant is a few lines.
"""

from __future__ import annotations

from collections.abc import Callable

from suites.smtp.exemplar_framing import Refused, Site
from suites.smtp.exemplar_syntax import BadSyntax, is_host, parse_path, plain_local, split_brackets
from suites.smtp.exemplar_transaction import Transactions

#: What the exemplar declares; the words are the contract's.
FEATURES = (
    *(
        "starttls",
        "implicit-tls",
        "submission",
        "auth-plain",
        "auth-login",
        "auth-cram-md5",
        "size",
        "8bitmime",
    ),
    *(
        "pipelining",
        "smtputf8",
        "chunking",
        "binarymime",
        "dsn",
        "enhanced-status-codes",
        "vrfy",
        "expn",
        "help",
    ),
    *("trace", "delivery"),
)
#: Commands of specifications that this server knows and leaves alone.
UNIMPLEMENTED = frozenset({"TURN", "SEND", "SOML", "SAML", "ETRN", "ATRN", "BURL"})
BEFORE_TLS = frozenset({"NOOP", "EHLO", "STARTTLS", "QUIT"})
BEFORE_AUTH = frozenset({"AUTH", "EHLO", "HELO", "NOOP", "RSET", "QUIT", "STARTTLS"})


class Session(Transactions):
    """One connection."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.greet()

    def greet(self) -> None:
        """The greeting (RFC 5321, section 4.2)."""
        self.reply(220, "", f"{self.site.hostname} ESMTP at your service")

    # dispatch

    def on_line(self, line: bytes) -> None:
        """Act on one command line; it gets exactly one reply."""
        text = line.decode("utf-8", "surrogateescape").rstrip(" \t")
        verb, _, argument = text.partition(" ")
        self.verb = verb.upper() if verb.isascii() else ""
        try:
            handler = self.handler(self.verb)
            self.gate(self.verb)
            self.check_characters(argument)
            handler(argument)
        except Refused as refusal:
            self.reply(refusal.code, refusal.status, refusal.text)

    def handler(self, verb: str) -> Callable[[str], None]:
        """The method for a verb.

        Raises:
            Refused: the verb is unknown or not implemented.
        """
        handlers: dict[str, Callable[[str], None]] = {
            "EHLO": self.ehlo,
            "HELO": self.helo,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            "BDAT": self.bdat,
            "RSET": self.rset,
            "NOOP": self.noop,
            "QUIT": self.quit,
            "VRFY": self.vrfy,
            "EXPN": self.expn,
            "HELP": self.help,
            "STARTTLS": self.starttls,
            "AUTH": self.auth,
        }
        if verb in UNIMPLEMENTED:
            raise Refused(502, "5.5.1", "Command not implemented")
        found = handlers.get(verb)
        if found is None:
            raise self.unknown_command()
        return found

    def unknown_command(self) -> Refused:
        """Refuse what is no command."""
        return Refused(500, "5.5.1", "Command not recognized")

    def gate(self, verb: str) -> None:
        """The submission port asks for TLS first, and then for AUTH (RFC 3207, section 4; RFC 4954, section 6)."""
        if self.site.port != "submission":
            return
        if self.cipher is None and verb not in BEFORE_TLS:
            raise Refused(530, "5.7.0", "STARTTLS comes first")
        if self.user is None and verb not in BEFORE_AUTH | BEFORE_TLS:
            raise Refused(530, "5.7.0", "Authentication required")

    def check_characters(self, argument: str) -> None:
        """Refuse control characters, and octets that are no UTF-8."""
        if any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in argument):
            raise Refused(501, "5.5.2", "Invalid characters")

    # the session

    def ehlo(self, argument: str) -> None:
        """EHLO (RFC 5321, section 4.1.1.1)."""
        self.hello(argument, extended=True)
        self.reply(250, "", f"{self.site.hostname} greets you", *self.extensions())

    def helo(self, argument: str) -> None:
        """HELO."""
        self.hello(argument, extended=False)
        self.reply(250, "", self.site.hostname)

    def hello(self, argument: str, *, extended: bool) -> None:
        """Take the client's name; the state is that after RSET (RFC 5321, section 4.1.4)."""
        if not is_host(argument):
            raise Refused(501, "5.5.4", "A domain name or an address literal is needed")
        self.end_transaction()
        self.client_name, self.extended = argument, extended

    def extensions(self) -> list[str]:
        """The keywords of the EHLO reply, with their parameters."""
        words = [
            *(
                "PIPELINING",
                f"SIZE {self.site.maximum_size}",
                "8BITMIME",
                "SMTPUTF8",
                "CHUNKING",
                "BINARYMIME",
            ),
            *("DSN", "ENHANCEDSTATUSCODES", "VRFY", "EXPN", "HELP"),
        ]
        if self.cipher is None:
            words.append("STARTTLS")
        if self.mechanisms():
            words.append("AUTH " + " ".join(self.mechanisms()))
        return words

    def starttls(self, argument: str) -> None:
        """STARTTLS (RFC 3207, section 4)."""
        self.bare("STARTTLS", argument)
        if self.cipher is not None:
            raise Refused(503, "5.5.1", "TLS is active already")
        self.reply(220, "2.0.0", "Ready to start TLS")
        self.wants_tls = True

    def secured(self, cipher: str) -> None:
        """The handshake is over: all that was learnt before is forgotten (RFC 3207, section 4.2)."""
        self.wants_tls = False
        self.cipher = cipher
        self.forget()

    def forget(self) -> None:
        """Go back to the state after the greeting."""
        self.drop_input()
        self.end_transaction()
        self.client_name, self.extended = "", False

    def rset(self, argument: str) -> None:
        """RSET."""
        self.bare("RSET", argument)
        self.end_transaction()
        self.reply(250, "2.0.0", "Reset")

    def noop(self, argument: str) -> None:
        """NOOP; an argument in ASCII is ignored."""
        if not argument.isascii():
            raise Refused(501, "5.5.2", "Invalid characters")
        self.reply(250, "2.0.0", "Nothing done")

    def quit(self, argument: str) -> None:
        """QUIT."""
        self.bare("QUIT", argument)
        self.reply(221, "2.0.0", f"{self.site.hostname} closes the connection")
        self.closing = True

    def shut_down(self) -> None:
        """The server is told to stop (RFC 5321, section 3.8)."""
        self.verb = ""
        self.reply(421, "4.3.2", f"{self.site.hostname} shuts down")
        self.closing = True

    # questions

    def help(self, argument: str) -> None:
        """HELP; the text is the same for every argument."""
        if not argument.isascii():
            raise Refused(501, "5.5.2", "Invalid characters")
        self.reply(
            214,
            "2.0.0",
            "Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT",
            "VRFY EXPN HELP STARTTLS AUTH (RFC 5321)",
        )

    def vrfy(self, argument: str) -> None:
        """VRFY: a user's name, or a mailbox with or without brackets."""
        local, domain = self.asked_for(argument)
        known = {name.lower(): name for name in (*self.site.users, "postmaster")}
        if domain and domain.lower() not in {name.lower() for name in self.site.domains}:
            raise Refused(550, "5.1.2", "No mailbox of this host")
        if plain_local(local).lower() in known:
            self.reply(250, "2.1.5", f"<{known[plain_local(local).lower()]}@{self.site.domains[0]}>")
        else:
            self.reply(252, "2.1.5", "Cannot verify, but mail is accepted")

    def expn(self, argument: str) -> None:
        """EXPN: the postmaster's is the one list."""
        local, _ = self.asked_for(argument)
        if local.lower() != "postmaster":
            raise Refused(550, "5.1.1", "No such list")
        self.reply(250, "2.1.5", f"<postmaster@{self.site.domains[0]}>")

    def asked_for(self, argument: str) -> tuple[str, str]:
        """Local-part and domain (if any) that VRFY or EXPN is about."""
        name, utf8 = argument, False
        if argument.upper().endswith(" SMTPUTF8"):
            name, utf8 = argument[: -len(" SMTPUTF8")], True
        if not name.isascii() and not utf8:
            raise Refused(550, "5.6.7", "This name needs SMTPUTF8")
        try:
            inner = split_brackets(name)[0] if name.startswith("<") else name
            path = parse_path(inner if "@" in inner else f"{inner}@{self.site.domains[0]}")
        except BadSyntax as error:
            raise Refused(501, "5.5.4", "Syntax: a user's name or a mailbox") from error
        return path.local, path.domain if "@" in inner else ""

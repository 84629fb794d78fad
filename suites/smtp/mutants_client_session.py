"""Mutants of the exemplar client: names, commands and the end of a session (RFC 5321, sections 2 to 4)."""

from __future__ import annotations

from dataclasses import replace

from suites.smtp.contract import Report, TransactionOutcome
from suites.smtp.exemplar_client import Client, Progress
from suites.smtp.exemplar_envelope import Plan
from suites.smtp.exemplar_talk import Garbled, Lost, Reply, Turned
from suites.smtp.mutants_client import ClientBreeder

breaks = ClientBreeder()

# names

breaks.calls_itself(
    "alias", "EHLO says a name of one label.", "my-desk", "rfc5321-2.3.5-client-no-local-alias"
)
breaks.calls_itself(
    "one-label",
    "EHLO says a name of one label.",
    "laptop",
    "rfc5321-2.3.5-ehlo-name-is-primary-or-literal",
    "rfc5321-4.1.1.1-literal-when-nameless",
)
breaks.calls_itself(
    "no-name",
    "EHLO says an address literal, though there is a name.",
    "[127.0.0.1]",
    "rfc5321-2.3.4-client-named-not-numbered",
)
breaks.calls_itself(
    "underscore",
    "The client's name has an underscore.",
    "my_host.lab.example",
    "rfc5321-4.1.2-client-name-ldh",
)
breaks.calls_itself(
    "odd-literal", "The literal has a tag that is none.", "[IPv4:127.0.0.1]", "rfc5321-4.1.3-literal-syntax"
)
breaks.calls_itself(
    "number", "EHLO says a number sign and digits.", "#2130706433", "rfc5321-F.4-no-number-literals"
)
breaks.says(
    "two-words",
    "EHLO has a second argument.",
    r"^EHLO (.*)",
    r"EHLO \1 hello",
    "rfc5321-4.1.1.1-one-ehlo-argument",
)

# commands

breaks.says("spaced", "A space follows the colon.", r":<", ": <", "rfc5321-3.3-no-space-around-colon")
breaks.says(
    "politely",
    "DATA, RSET and QUIT have an argument.",
    r"^(DATA|RSET|QUIT)$",
    r"\1 please",
    "rfc5321-4.1.1-no-parameters-on-bare-commands",
)
breaks.says("sends-send", "SEND is said for MAIL.", r"^MAIL FROM", "SEND FROM", "rfc5321-F.6-client-no-send")
breaks.begins("turns", "TURN is asked for.", ["TURN"], "rfc5321-F.1-client-no-turn")
breaks.begins(
    "frobs", "A command of nobody's is said.", ["FROB"], "rfc5321-4.1.5-client-only-registered-verbs"
)
breaks.begins("noop-first", "NOOP comes before EHLO.", ["NOOP"], "rfc5321-4.1.4-client-ehlo-first")


@breaks("rfc5321-2.3.8-commands-end-in-crlf")
class LfCommands(Client):
    """Commands end in a bare LF."""

    def line_octets(self, line: str) -> bytes:
        return line.encode() + b"\n"


@breaks("rfc5321-3.3-commands-in-order")
class RecipientsFirst(Client):
    """RCPT is said before MAIL."""

    def envelope_one_by_one(self, plan: Plan) -> Progress:
        for line in plan.recipients.values():
            self.command(line)
        return super().envelope_one_by_one(plan)

    def send_envelope(self, plan: Plan) -> Progress:
        return self.envelope_one_by_one(plan)


@breaks("rfc5321-2.2.1-ehlo-preferred")
class HeloFirst(Client):
    """HELO is said at once."""

    def hello(self, name: str | None) -> None:
        reply = self.command(f"HELO {name or self.own_name()}")
        if reply.kind != 2:
            super().hello(name)


@breaks("rfc5321-2.2.1-helo-fallback", "rfc5321-3.2-helo-after-ehlo-not-recognised")
class NoHelo(Client):
    """Without EHLO there is no session."""

    def hello(self, name: str | None) -> None:
        reply = self.command(f"EHLO {name or self.own_name()}")
        if reply.kind != 2:
            raise self.turned(reply)
        self.extensions = self.parse_extensions(reply)


@breaks("rfc5321-4.1.1.1-hello-before-mail")
class HelloIgnored(Client):
    """A refusal of EHLO and HELO is passed over."""

    def hello(self, name: str | None) -> None:
        try:
            super().hello(name)
        except Turned:
            return


@breaks("rfc5321-3.1-refusing-greeting-ends-mail")
class GreetingIgnored(Client):
    """Whatever the greeting says, the session goes on."""

    def greeting(self) -> None:
        self.read_reply()


@breaks("rfc5321-4.3.1-waits-for-greeting")
class Impatient(Client):
    """The first command is sent before the greeting has come."""

    def greeting(self) -> None:
        self.send_commands(["NOOP"])
        super().greeting()
        self.read_reply()


@breaks("rfc5321-4.1.1.1-client-keywords-any-case")
class CapitalKeywords(Client):
    """Keywords are known in capitals only."""

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        return {word: words for word, words in super().parse_extensions(reply).items() if word in reply.text}


@breaks("rfc5321-4.1.1.1-unknown-keywords-ignored")
class UnknownKeywords(Client):
    """A keyword that the client does not know ends the session."""

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        found = super().parse_extensions(reply)
        if any(word.startswith("X") or word.isdigit() for word in found) or len(found) > 20:
            raise Garbled("what is that?")
        return found


# the end


@breaks("rfc5321-4.1.1.10-quit-before-close", "rfc5321-4.1.4-quit-last", "rfc5321-4.1.4-quit-without-hello")
class NoQuit(Client):
    """The client goes without QUIT."""

    def quit(self) -> None:
        self.quitting = True


@breaks("rfc5321-4.1.1.10-quit-reply-awaited")
class QuitAndGo(Client):
    """The reply to QUIT is not waited for."""

    def quit(self) -> None:
        self.quitting = True
        self.say_quit()


class Misreporting(Client):
    """Tells its caller other things than happened."""

    def send(self, **arguments: object) -> Report:
        return self.retold(super().send(**arguments))  # type: ignore[arg-type]  # handed on as they came

    def retold(self, report: Report) -> Report:
        """The report in place of the true one."""
        return report


@breaks(
    "rfc5321-2.1-failure-is-reported",
    "rfc5321-4.5.3.1-rejection-of-large-objects-handled",
    "rfc1870-6.2-errors-after-mail-handled",
)
class AlwaysDone(Misreporting):
    """Whatever happens is reported as done."""

    def retold(self, report: Report) -> Report:
        done: TransactionOutcome = {"outcome": "done"}
        return {"outcome": "done", "transactions": [done for _ in report["transactions"]]}


@breaks("rfc5321-2.1-handed-over-is-done")
class QuitDecides(Misreporting):
    """Trouble with QUIT makes all that was sent a failure."""

    trouble = False

    def quit(self) -> None:
        self.quitting = True
        try:
            self.command("QUIT")
        except (Lost, Turned):
            self.trouble = True

    def retold(self, report: Report) -> Report:
        failure: TransactionOutcome = {"outcome": "failed", "cause": "no good bye"}
        if not self.trouble:
            return report
        return {
            "outcome": "failed",
            "cause": "no good bye",
            "transactions": [failure for _ in report["transactions"]],
        }


@breaks("rfc5321-3.8-lost-connection-is-temporary")
class LostForGood(Misreporting):
    """A lost connection is reported as a permanent refusal."""

    def retold(self, report: Report) -> Report:
        refusal: TransactionOutcome = {"outcome": "refused", "code": 550, "text": "gone"}
        if report["outcome"] != "failed":
            return report
        return {
            "outcome": "refused",
            "code": 550,
            "text": "gone",
            "transactions": [
                refusal if part["outcome"] == "failed" else part for part in report["transactions"]
            ],
        }


@breaks("rfc5321-3.8-421-ends-session")
class Ignores421(Client):
    """After 421 the session goes on as after a success."""

    def read_reply(self) -> Reply:
        try:
            return super().read_reply()
        except Turned as refusal:
            return replace(refusal.reply, code=250)


@breaks("rfc5321-4.1.4-no-nested-mail", "rfc3030-2-rset-after-failure")
class NoReset(Client):
    """MAIL is said while a transaction is open."""

    def reset(self) -> None:
        self.open_transaction = False

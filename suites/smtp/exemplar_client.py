"""The exemplar client: a small SMTP client that obeys every clause of the ledger, for the cases to be tried on.

Knows the order of a session (RFC 5321, section 3) and the extensions. A pure core: a channel carries its octets.
Each decision is a method, so that a mutant is a few lines.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

from suites.smtp.contract import Report, Security, Transaction, TransactionOutcome
from suites.smtp.exemplar_envelope import Plan, Planner
from suites.smtp.exemplar_message import stuffed
from suites.smtp.exemplar_outcome import failed, refused, summary
from suites.smtp.exemplar_syntax import is_host
from suites.smtp.exemplar_talk import Channel, Garbled, Lost, Reply, Turned, Unsendable

#: What the exemplar declares; the words are the contract's.
FEATURES = (
    *(
        "starttls",
        "implicit-tls",
        "auth-plain",
        "auth-login",
        "auth-cram-md5",
        "size",
        "8bitmime",
        "pipelining",
    ),
    *("smtputf8", "chunking", "binarymime", "dsn", "reuse", "partial-recipients", "local-name"),
)
#: Octets of one group of commands: small enough for any TCP window (RFC 2920, section 3.1).
GROUP_LIMIT = 2048
CHUNK_SIZE = 16384
#: So many recipients every server takes; one that takes no more is asked again (RFC 5321, section 4.5.3.1.8).
RECIPIENTS = 100


@dataclass
class Progress:
    """How far one transaction came.

    Attributes:
        sender: the reply to MAIL.
        accepted: recipients answered 2yz, as the caller wrote them.
        refused: recipient → reply.
        data: the reply to DATA where it went with the group.
    """

    sender: Reply
    accepted: list[str] = field(default_factory=list)
    refused: dict[str, Reply] = field(default_factory=dict)
    data: Reply | None = None


class Client(Planner):
    """One connection with all its transactions.

    Attributes:
        open_transaction: MAIL was tried, and neither the end of data nor RSET came since.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self.open_transaction = False
        self.host = ""

    def send(
        self,
        *,
        host: str,
        port: int,
        security: Security,
        ca_file: str | None,
        local_name: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
        transactions: list[Transaction],
    ) -> Report:
        """The operation of ``contract.SmtpClient``."""
        outcomes: list[TransactionOutcome] = []
        trouble: TransactionOutcome | None = None
        self.host = host
        try:
            name = self.checked_name(local_name)
            self.channel.connect(host, port, timeout, ca_file)
            self.begin(name, security, username, password)
            for transaction in transactions:
                self.run_one(transaction, outcomes)
            self.quit()
        except Turned as refusal:
            trouble = self.turned_away(refusal.reply, outcomes)
        except Garbled as error:
            trouble = failed(error)
            self.say_quit()
        except (Unsendable, Lost) as error:
            trouble = failed(error)
            if isinstance(error, Unsendable):
                self.quit()
        finally:
            self.channel.close()
        return summary(outcomes, trouble)

    def turned_away(self, reply: Reply, outcomes: list[TransactionOutcome]) -> TransactionOutcome | None:
        """The session is refused, or a 421 ended it; what was handed over before stays done."""
        if reply.code != 421:
            self.quit()
        if self.quitting and outcomes:
            return None
        return refused(reply)

    quitting = False

    # the session

    def begin(self, name: str | None, security: Security, username: str | None, password: str | None) -> None:
        """Everything before the first transaction."""
        if security == "tls":
            self.channel.start_tls(self.host)
        self.greeting()
        self.hello(name)
        if security == "starttls":
            self.start_tls()
            self.hello(name)
        if username is not None:
            self.login(username, password or "")

    def greeting(self) -> None:
        """Wait to be greeted."""
        reply = self.read_reply()
        if reply.kind != 2:
            raise self.turned(reply)

    def turned(self, reply: Reply) -> Exception:
        """The reply as what ends a step: a refusal, or something that has no place here."""
        return Turned(reply) if reply.kind in {4, 5} else Garbled(f"{reply.code} has no place here")

    def hello(self, name: str | None) -> None:
        """EHLO, and HELO where the server knows no better."""
        self.extensions = {}
        who = name or self.own_name()
        reply = self.command(f"EHLO {who}")
        if reply.kind == 2:
            self.extensions = self.parse_extensions(reply)
            return
        if reply.kind != 5:
            raise self.turned(reply)
        reply = self.command(f"HELO {who}")
        if reply.kind != 2:
            raise self.turned(reply)

    def parse_extensions(self, reply: Reply) -> dict[str, list[str]]:
        """The keywords of an EHLO reply, in capitals, with their parameters."""
        found: dict[str, list[str]] = {}
        for line in reply.text.split("\n")[1:]:
            keyword, *parameters = line.split() or [""]
            found[keyword.upper()] = parameters
        return found

    def checked_name(self, name: str | None) -> str | None:
        """The name to say, as A-labels.

        Raises:
            Unsendable: it is no host name.
        """
        if name is None:
            return None
        try:
            ascii_name = name if name.isascii() else name.encode("idna").decode()
        except UnicodeError as error:
            raise Unsendable("the local name is no domain") from error
        if not is_host(ascii_name):
            raise Unsendable("the local name is no domain")
        return ascii_name

    def own_name(self) -> str:
        """This host's name if it is a full one, else the address literal (RFC 5321, section 4.1.4)."""
        name = socket.gethostname()
        if "." in name and is_host(name):
            return name
        address = self.channel.local_address
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def start_tls(self) -> None:
        """STARTTLS; whoever asked for it gets no session without."""
        if "STARTTLS" not in self.extensions:
            raise Unsendable("the server does not offer STARTTLS")
        reply = self.command("STARTTLS")
        if reply.code != 220:
            raise self.turned(reply)
        self.channel.start_tls(self.host)

    def login(self, username: str, password: str) -> None:
        """AUTH; whoever gave a name gets no session without."""
        if "AUTH" not in self.extensions:
            raise Unsendable("the server does not offer AUTH")
        self.authenticate(username, password)

    def quit(self) -> None:
        """QUIT, and its reply; trouble here changes nothing that was done."""
        self.quitting = True
        try:
            self.command("QUIT")
        except (Lost, Turned):
            return

    def say_quit(self) -> None:
        """QUIT to a server whose replies cannot be told apart any more."""
        try:
            self.send_commands(["QUIT"])
        except Lost:
            return

    # transactions

    def run_one(self, transaction: Transaction, outcomes: list[TransactionOutcome]) -> None:
        """One message; a refusal is an outcome, and the session goes on.

        Raises:
            Lost, Turned: the session is over; the transaction's outcome says so too.
        """
        try:
            plan = self.plan(transaction)
            outcomes.append(self.outcome_of(self.transfer(plan), plan))
        except Unsendable as error:
            outcomes.append(failed(error))
        except Lost as error:
            outcomes.append(failed(error))
            raise
        except Turned as refusal:
            outcomes.append(refused(refusal.reply))
            raise

    def transfer(self, plan: Plan) -> tuple[Progress, Reply | None]:
        """Envelope and content; the last reply is ``None`` where no content was asked for."""
        if self.open_transaction:
            self.reset()
        self.open_transaction = True
        progress = self.send_envelope(plan)
        if plan.chunked:
            last = self.send_chunks(plan) if progress.accepted else None
            self.open_transaction = last is None or last.kind != 2
            return progress, last
        return progress, self.send_data(plan, progress)

    def reset(self) -> None:
        """RSET before anything else is begun."""
        reply = self.command("RSET")
        if reply.kind != 2:
            raise self.turned(reply)
        self.open_transaction = False

    def send_envelope(self, plan: Plan) -> Progress:
        """MAIL and RCPTs, in groups where the server takes them (RFC 2920, section 3.1)."""
        if "PIPELINING" not in self.extensions:
            return self.envelope_one_by_one(plan)
        lines = [plan.mail, *plan.recipients.values()]
        if not plan.chunked:
            lines.append("DATA")
        replies: list[Reply] = []
        for group in self.groups(lines):
            self.send_commands(group)
            replies += [self.read_reply() for _ in group]
        return self.sorted_replies(plan, replies)

    def sorted_replies(self, plan: Plan, replies: list[Reply]) -> Progress:
        """Match replies with commands by counting alone."""
        progress = Progress(replies[0])
        if progress.sender.kind == 2:
            for recipient, reply in zip(plan.recipients, replies[1:], strict=False):
                self.sort(progress, recipient, reply)
        if not plan.chunked:
            progress.data = replies[-1]
        return progress

    def groups(self, lines: list[str]) -> list[list[str]]:
        """The lines in groups that fit the window."""
        groups: list[list[str]] = [[]]
        for line in lines:
            if sum(len(other) + 2 for other in groups[-1]) + len(line) > GROUP_LIMIT:
                groups.append([])
            groups[-1].append(line)
        return groups

    def envelope_one_by_one(self, plan: Plan) -> Progress:
        """MAIL and RCPTs, each after the reply to the one before."""
        progress = Progress(self.command(plan.mail))
        if progress.sender.kind == 2:
            for recipient, line in plan.recipients.items():
                self.sort(progress, recipient, self.command(line))
        return progress

    def sort(self, progress: Progress, recipient: str, reply: Reply) -> None:
        """Note a recipient's reply; one that is neither acceptance nor refusal ends the session."""
        if reply.kind == 2:
            progress.accepted.append(recipient)
        elif reply.kind in {4, 5}:
            progress.refused[recipient] = reply
        else:
            raise Garbled(f"{reply.code} has no place here")

    def send_data(self, plan: Plan, progress: Progress) -> Reply | None:
        """DATA if somebody is to get it, the content after 354 only, and the reply to its end."""
        reply = progress.data
        if reply is None:
            if not progress.accepted:
                return None
            reply = self.command("DATA")
        if reply.kind != 3:
            # an answer of no use: nothing more of this message is said
            return reply if reply.kind in {4, 5} else Reply(554, f"DATA was answered {reply.code}")
        if not progress.accepted:
            # whatever is answered, nobody was to get it
            self.channel.send(b".\r\n")
            self.read_reply()
            return None
        self.channel.send(self.as_data(plan.content))
        last = self.read_reply()
        self.open_transaction = False
        return last

    def as_data(self, content: bytes) -> bytes:
        """The content as it travels after DATA."""
        return stuffed(content)

    def send_chunks(self, plan: Plan) -> Reply:
        """BDAT by BDAT, each after the reply to the one before (RFC 3030, section 2)."""
        content = self.as_chunks(plan.content)
        reply = Reply(250, "")
        for start in range(0, max(len(content), 1), CHUNK_SIZE):
            chunk = content[start : start + CHUNK_SIZE]
            last = " LAST" if start + CHUNK_SIZE >= len(content) else ""
            self.channel.send(b"BDAT %d%s\r\n" % (len(chunk), last.encode()) + chunk)
            reply = self.read_reply()
            if reply.kind != 2:
                break
        return reply

    def as_chunks(self, content: bytes) -> bytes:
        """The content as it travels by BDAT."""
        return content

    # outcomes

    def outcome_of(self, result: tuple[Progress, Reply | None], plan: Plan) -> TransactionOutcome:
        """What came of one transaction, and of a second one for recipients that were too many."""
        progress, last = result
        if progress.sender.kind in {4, 5}:
            return refused(progress.sender)
        if progress.sender.kind != 2:
            raise Garbled(f"{progress.sender.code} has no place here")
        if not progress.accepted:
            outcome = refused(next(iter(progress.refused.values())))
        elif last is None or last.kind == 2:
            outcome = {"outcome": "done"}
        elif last.kind in {4, 5}:
            outcome = refused(last)
        else:
            raise Garbled(f"{last.code} has no place here")
        notes = {recipient: (reply.code, reply.text) for recipient, reply in progress.refused.items()}
        if outcome["outcome"] == "done":
            notes = self.send_to_rest(plan, progress, notes)
        outcome["refused_recipients"] = notes
        return outcome

    def send_to_rest(
        self, plan: Plan, progress: Progress, notes: dict[str, tuple[int, str]]
    ) -> dict[str, tuple[int, str]]:
        """Send again to those above the server's limit, a hundred accepted before; who is still refused then."""
        surplus = [name for name, reply in progress.refused.items() if reply.code in {452, 552}]
        if len(progress.accepted) < RECIPIENTS or not surplus:
            return notes
        rest = plan.narrowed(surplus)
        again = self.outcome_of(self.transfer(rest), rest)
        kept = {name: note for name, note in notes.items() if name not in surplus}
        still = again.get("refused_recipients", {})
        if again["outcome"] != "done" and not still:
            still = {name: notes[name] for name in surplus}
        return {**kept, **still}

"""The SMTP programs of the book as a user runs them: a command line, two streams of text, an exit status.

Knows the programs' passwords and the hosts that they are sent to. Must not know what a program is to say.
"""

from __future__ import annotations

import os
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.judge.programs import Programs, Ran
from lab.wire.answers import Answer, Answers
from lab.wire.endpoint import Endpoint
from lab.wire.script import ScriptedPeer
from suites.smtp.conversation import Conversation
from suites.smtp.message import RECIPIENT, SENDER
from suites.smtp.responder import Manners, Responder

#: Each program is told to give up much earlier than its deadline.
SMTP = Programs("implementations.smtp")
PROGRAMS = ("simple", "debug", "ehlo", "tls", "login")
#: Those that take `--ca-file`.
WITH_TLS = ("tls", "login")
PASSWORD_VARIABLE = "SMTP_PASSWORD"
USER = "user0"
PASSWORD = "a-password-nobody-may-see"
#: What scripted hosts offer; they add STARTTLS.
OFFERED = ("PIPELINING", "SIZE 20971520", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN")


def start(
    program: str, *words: str, stdin: int = subprocess.DEVNULL, password: str | None = None
) -> subprocess.Popen[str]:
    """Start a program whose environment holds this password, or none."""
    environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    if password is not None:
        environment[PASSWORD_VARIABLE] = password
    return SMTP.start(program, *words, stdin=stdin, environment=environment)


def run(program: str, *words: str, password: str | None = None) -> Ran:
    """Run a program to its end."""
    return SMTP.finish(program, start(program, *words, password=password))


@dataclass(frozen=True)
class Aim:
    """Where programs are sent, whom they trust there, and as whom and with which password they log in."""

    endpoint: Endpoint
    ca_file: Path
    password_file: Path
    user: str

    @classmethod
    def at(cls, port: int, ca_file: Path, folder: Path, *, user: str = USER, password: str = PASSWORD) -> Aim:
        """Aim at a port of this machine, by the name that certificates are made for; the password goes to a file."""
        path = folder / "password"
        path.write_text(f"{password}\n", encoding="utf-8")
        return cls(Endpoint("localhost", port), ca_file, path, user)

    def words(
        self,
        program: str,
        *more: str,
        to: tuple[str, ...] = (RECIPIENT,),
        sender: str = SENDER,
        timeout: float = 4.0,
        deadline: float = 15.0,
    ) -> list[str]:
        """The command line that sends there; ``more`` are further options."""
        options = ["--port", str(self.endpoint.port), "--timeout", str(timeout), "--deadline", str(deadline)]
        if program in WITH_TLS:
            options += ["--ca-file", str(self.ca_file)]
        if program == "login":
            options += ["--user", self.user, "--password-file", str(self.password_file)]
        return [self.endpoint.host, sender, *to, *options, *more]


class Scripts:
    """The scripted host of one test; what its client said is read from it."""

    def __init__(self, context: ssl.SSLContext, ca_file: Path, folder: Path) -> None:
        self._context = context
        self._ca_file = ca_file
        self._folder = folder
        self._peer: ScriptedPeer | None = None

    def aim(self, answers: dict[str, Answers] | None = None, *, greeting: Answer | None = None) -> Aim:
        """Open a host that offers STARTTLS and AUTH, with these answers."""
        manners = Manners(extensions=OFFERED, answers=answers or {}, tls=self._context)
        if greeting is not None:
            manners.greeting = greeting
        return self.open(manners)

    def offering(self, *extensions: str) -> Aim:
        """Open a host that offers STARTTLS and these."""
        return self.open(Manners(extensions=extensions, tls=self._context))

    def open_with_mechanisms(self, words: str, answers: dict[str, Answers]) -> Aim:
        """Open a host that offers STARTTLS and these mechanisms of AUTH, with these answers."""
        return self.open(Manners(extensions=[f"AUTH {words}"], answers=answers, tls=self._context))

    def open(self, manners: Manners) -> Aim:
        """Open a host with these manners."""
        self._peer = ScriptedPeer(Responder(manners))
        return Aim.at(self._peer.endpoint.port, self._ca_file, self._folder)

    @property
    def conversation(self) -> Conversation:
        """The only conversation there was.

        Raises:
            AssertionError: there was none, or there were several.
        """
        self.close()  # waits until all that the client said is recorded
        transcripts = self._peer.transcripts if self._peer is not None else []
        assert len(transcripts) == 1, f"{len(transcripts)} connections"
        return Conversation(transcripts[0])

    @property
    def visited(self) -> bool:
        """Whether anybody has connected."""
        return self._peer is not None and bool(self._peer.transcripts)

    def heard(self, octets: bytes) -> bool:
        """Whether a client has said these octets so far."""
        transcripts = self._peer.transcripts if self._peer is not None else []
        return any(octets in transcript.octets("client") for transcript in transcripts)

    def close(self) -> None:
        """Close the host."""
        if self._peer is not None:
            self._peer.close()

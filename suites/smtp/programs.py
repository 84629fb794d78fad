"""The SMTP programs of the book as a user runs them: a command line, two streams of text, an exit status.

Knows how to start `python -m implementations.smtp.<name>` with a deadline, and the hosts it is sent to. Must not know
what a program is to say.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.wire.endpoint import Endpoint
from lab.wire.script import ScriptedPeer
from suites.smtp.conversation import Conversation
from suites.smtp.responder import Answer, Answers, Manners, Responder

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("simple", "debug", "ehlo", "tls", "login")
#: Those that take `--ca-file`.
WITH_TLS = ("tls", "login")
SENDER = "sender@lab.example"
RECIPIENT = "recipient@lab.example"
#: Seconds for a whole program, start of the interpreter included; each is told to give up much earlier.
DEADLINE = 30.0
PASSWORD_VARIABLE = "SMTP_PASSWORD"
PASSWORD = "a-password-nobody-may-see"
#: What scripted hosts offer; they add STARTTLS.
OFFERED = ("PIPELINING", "SIZE 20971520", "8BITMIME", "SMTPUTF8", "AUTH PLAIN LOGIN")


@dataclass(frozen=True)
class Ran:
    """What a program left: exit status, standard output, standard error."""

    program: str
    status: int
    output: str
    complaint: str

    def failed_with(self, *words: str, status: int = 1) -> None:
        """Check that it ended with this status and one line on standard error that holds the words.

        Raises:
            AssertionError: it did not.
        """
        assert self.status == status, f"exit status {self.status}, not {status}: {self}"
        assert "Traceback" not in self.complaint + self.output, self.complaint
        assert self.complaint.count("\n") == 1, f"not one line: {self.complaint!r}"
        line = self.complaint.removesuffix("\n")
        assert line.isprintable(), f"not printable: {line!r}"
        assert line.startswith(f"python -m implementations.smtp.{self.program}: "), line
        missing = [word for word in words if word not in line]
        assert not missing, f"{missing} not in {line!r}"

    def succeeded(self) -> None:
        """Check that it ended with status 0 and had nothing to complain of.

        Raises:
            AssertionError: it did not.
        """
        assert (self.status, self.complaint) == (0, ""), f"{self}"


def start(
    program: str, *words: str, stdin: int = subprocess.DEVNULL, password: str | None = None
) -> subprocess.Popen[str]:
    """Start a program without a controlling terminal.

    Args:
        program: its name.
        words: its arguments.
        stdin: a descriptor, or one of the constants of ``subprocess``.
        password: what the environment variable holds; it is not set otherwise.
    """
    environment = {name: value for name, value in os.environ.items() if name != PASSWORD_VARIABLE}
    if password is not None:
        environment[PASSWORD_VARIABLE] = password
    return subprocess.Popen(
        [sys.executable, "-m", f"implementations.smtp.{program}", *words],
        cwd=ROOT,
        env=environment,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def finish(program: str, process: subprocess.Popen[str]) -> Ran:
    """Wait for a program that was started.

    Raises:
        AssertionError: it hangs; it is ended then.
    """
    try:
        output, complaint = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired as error:
        process.kill()
        output, complaint = process.communicate()
        raise AssertionError(f"{program} hangs; it had said {output!r} and {complaint!r}") from error
    return Ran(program, process.returncode, output, complaint)


def run(program: str, *words: str, password: str | None = None) -> Ran:
    """Run a program to its end."""
    return finish(program, start(program, *words, password=password))


@dataclass(frozen=True)
class Aim:
    """Where programs are sent, whom they trust there and with which password they log in."""

    endpoint: Endpoint
    ca_file: Path
    password_file: Path
    user: str = "user0"

    @classmethod
    def at(cls, port: int, ca_file: Path, folder: Path, *, password: str = PASSWORD) -> Aim:
        """Aim at a port of this machine, by the name that certificates are made for; the password goes to a file."""
        path = folder / "password"
        path.write_text(f"{password}\n", encoding="utf-8")
        return cls(Endpoint("localhost", port), ca_file, path)

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

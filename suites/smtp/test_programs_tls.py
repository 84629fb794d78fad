"""The SMTP programs `tls` and `login`: TLS that fails is fatal, and a password is seen by nobody."""

from __future__ import annotations

import base64
import os
import pty
import ssl
from pathlib import Path

import pytest

from lab.wire.answers import Answers, say_and_close, silence
from lab.wire.stream import RecordedStream
from suites.smtp.certificates import UNSOUND, Certificates
from suites.smtp.exchange import GIVING
from suites.smtp.message import SENDER
from suites.smtp.programs import OFFERED, PASSWORD, SMTP, USER, WITH_TLS, Scripts, run, start
from suites.smtp.responder import Manners
from suites.smtp.session import plain_response
from suites.waiting import wait_until

with_tls = pytest.mark.parametrize("program", WITH_TLS)

#: Every form in which the password could be seen.
FORMS = (
    PASSWORD.encode(),
    base64.b64encode(PASSWORD.encode()),
    plain_response(USER, PASSWORD),
    plain_response(SENDER, PASSWORD),
)


def gave_nothing(scripts: Scripts) -> None:
    """Check that neither mail nor credentials went over the only connection.

    Raises:
        AssertionError: some did.
    """
    talk = scripts.conversation
    given = [verb for verb in talk.verbs if verb in GIVING]
    assert given == [], f"the program said {talk.verbs}"
    said = talk.transcript.octets("client")
    assert not any(form in said for form in FORMS), f"the password went over the wire: {said!r}"


# TLS


def test_tls_begins_anew_inside_tls(scripts: Scripts, tap_context: ssl.SSLContext) -> None:
    """RFC 3207, section 4.2: EHLO is said again, and what was offered in the clear alone is not used."""
    aim = scripts.open(
        Manners(extensions=["SIZE 1000000", "8BITMIME"], secure_extensions=["8BITMIME"], tls=tap_context)
    )

    ran = run("tls", *aim.words("tls"))

    ran.succeeded()
    assert "TLS started\n" in ran.output
    talk = scripts.conversation
    assert talk.verbs == ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert [command.after_tls for command in talk.commands] == [False, False, True, True, True, True, True]
    assert talk.one("MAIL").parameters == {}


def test_tls_sends_in_the_clear_where_tls_is_not_offered(scripts: Scripts) -> None:
    """Without --require-tls that is allowed, and said."""
    aim = scripts.open(Manners(extensions=["SIZE 1000000"]))

    ran = run("tls", *aim.words("tls"))

    ran.succeeded()
    assert "no TLS offered: sending in the clear\n" in ran.output
    assert scripts.conversation.verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


def test_tls_sends_nothing_in_the_clear_where_tls_is_required(scripts: Scripts) -> None:
    """With --require-tls a host that does not offer it gets no mail."""
    aim = scripts.open(Manners(extensions=["SIZE 1000000"]))

    ran = run("tls", *aim.words("tls", "--require-tls"))

    ran.failed_with("message not sent: the server does not offer STARTTLS")
    gave_nothing(scripts)


def test_required_tls_is_used_where_offered(scripts: Scripts) -> None:
    """--require-tls asks for nothing more than TLS."""
    ran = run("tls", *scripts.aim().words("tls", "--require-tls"))

    ran.succeeded()
    assert scripts.conversation.one("MAIL").after_tls


@with_tls
@pytest.mark.parametrize("kind", UNSOUND)
def test_unsound_certificate_is_fatal(
    program: str, kind: str, scripts: Scripts, certificates: Certificates
) -> None:
    """No mail and no password goes to a host whose certificate does not hold, nor past it in the clear."""
    aim = scripts.open(Manners(extensions=OFFERED, tls=certificates.context(kind)))

    ran = run(program, *aim.words(program))

    ran.failed_with("certificate not accepted: ")
    gave_nothing(scripts)


def test_system_certificates_are_asked_where_no_file_is_given(scripts: Scripts) -> None:
    """Without --ca-file the lab's authority is nobody: the host is refused."""
    words = scripts.aim().words("tls")
    at = words.index("--ca-file")
    del words[at : at + 2]

    ran = run("tls", *words)

    ran.failed_with("certificate not accepted: ")
    gave_nothing(scripts)


FAILED_STARTTLS: dict[str, tuple[Answers, str]] = {
    "for-now": (b"454 4.7.0 no TLS for now\r\n", "454 4.7.0 no TLS for now"),
    "refused": (b"502 5.5.1 what is that\r\n", "502 5.5.1 what is that"),
    "not-tls": (say_and_close(b"220 2.0.0 go\r\nthis is no handshake at all\r\n"), "TLS failed: "),
    "closed": (say_and_close(b"220 2.0.0 go\r\n"), ""),
    "malformed": (b"certainly\r\n", "malformed reply"),
}


@with_tls
@pytest.mark.parametrize(("answer", "complaint"), FAILED_STARTTLS.values(), ids=FAILED_STARTTLS)
def test_failed_starttls_is_fatal(program: str, answer: Answers, complaint: str, scripts: Scripts) -> None:
    """However STARTTLS fails, there is no way back to the clear."""
    ran = run(program, *scripts.aim({"STARTTLS": answer}).words(program))

    ran.failed_with("localhost: ", complaint)
    gave_nothing(scripts)


@with_tls
def test_silent_handshake_is_given_up(program: str, scripts: Scripts) -> None:
    """TLS was agreed on and nothing comes: the wait ends, and nothing is sent."""

    def hush(stream: RecordedStream) -> None:
        stream.send(b"220 2.0.0 go\r\n")
        silence(stream)

    ran = run(program, *scripts.aim({"STARTTLS": hush}).words(program, timeout=0.5))

    ran.failed_with("timed out")
    gave_nothing(scripts)


@with_tls
@pytest.mark.parametrize("content", [None, b"no certificate\n"], ids=["missing", "no-certificate"])
def test_unusable_ca_file_is_refused(
    program: str, content: bytes | None, scripts: Scripts, tmp_path: Path
) -> None:
    """The line names the file, and no server is bothered."""
    path = tmp_path / "authorities.pem"
    if content is not None:
        path.write_bytes(content)

    ran = run(program, *scripts.aim().words(program, "--ca-file", str(path)))

    ran.failed_with(str(path))
    assert not scripts.visited


# passwords


def test_login_refuses_without_tls(scripts: Scripts) -> None:
    """A host that offers AUTH but no TLS gets neither the password nor the name."""
    aim = scripts.open(Manners(extensions=["AUTH PLAIN LOGIN CRAM-MD5"]))

    ran = run("login", *aim.words("login"))

    ran.failed_with("not logged in: the server does not offer STARTTLS")
    gave_nothing(scripts)
    assert USER.encode() not in scripts.conversation.transcript.octets("client")


def test_login_authenticates_inside_tls(scripts: Scripts) -> None:
    """AUTH comes after the handshake and before MAIL, with the password of the file."""
    ran = run("login", *scripts.aim().words("login"))

    ran.succeeded()
    talk = scripts.conversation
    assert talk.verbs.index("AUTH") < talk.verbs.index("MAIL")
    assert talk.one("AUTH").after_tls
    assert talk.sasl_messages() == [f"\0{USER}\0{PASSWORD}".encode()]
    assert PASSWORD not in ran.output


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"535 5.7.8 wrong\r\n", "login refused: 535 5.7.8 wrong"),
        (b"334 not base64!\r\n", "challenge is not base64"),
        (b"welcome\r\n", "malformed reply"),
    ],
    ids=["refused", "challenge", "malformed"],
)
def test_login_that_fails_sends_nothing(answer: bytes, complaint: str, scripts: Scripts) -> None:
    """The host refuses the password, or talks nonsense: no mail goes, and the password is not printed."""
    aim = scripts.open_with_mechanisms("CRAM-MD5" if b"base64" in answer else "PLAIN", {"AUTH": answer})

    ran = run("login", *aim.words("login"))

    ran.failed_with(complaint)
    assert PASSWORD not in ran.output + ran.complaint
    assert "MAIL" not in scripts.conversation.verbs


def test_login_needs_a_mechanism_that_it_knows(scripts: Scripts) -> None:
    """A host with other mechanisms only is told apart from a wrong password."""
    aim = scripts.open_with_mechanisms("X-ERLE", {})

    ran = run("login", *aim.words("login"))

    ran.failed_with("localhost: ", "authentication")
    gave_nothing(scripts)


def test_password_comes_from_the_environment(scripts: Scripts) -> None:
    """SMTP_PASSWORD is taken where there is no --password-file."""
    ran = run("login", *without_file(scripts.aim().words("login")), password="from-the-environment")

    ran.succeeded()
    assert scripts.conversation.sasl_messages() == [f"\0{USER}\0from-the-environment".encode()]


def test_password_is_asked_for_without_echo(scripts: Scripts) -> None:
    """At a terminal the password is asked for, and what is typed does not show."""
    keyboard, terminal = pty.openpty()
    try:
        process = start("login", *without_file(scripts.aim().words("login")), stdin=terminal)
        assert process.stderr is not None
        prompt = process.stderr.read(len("Password: "))
        os.write(keyboard, b"typed-at-the-terminal\n")
        ran = SMTP.finish("login", process)
        os.set_blocking(keyboard, False)
        try:
            shown = os.read(keyboard, 4096)
        except BlockingIOError:
            shown = b""
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert prompt == "Password: "
    assert ran.status == 0, f"{ran}"
    assert scripts.conversation.sasl_messages() == [f"\0{USER}\0typed-at-the-terminal".encode()]
    assert b"typed" not in shown
    assert "typed" not in ran.output + ran.complaint


NO_PASSWORD: dict[str, tuple[bytes | None, str]] = {
    "missing": (None, "No such file or directory"),
    "empty": (b"", "no password given"),
    "blank-line": (b"\nsecret\n", "no password given"),
    "no-text": (b"\xff\xfe\n", "codec can't decode"),
}


@pytest.mark.parametrize(("content", "complaint"), NO_PASSWORD.values(), ids=NO_PASSWORD)
def test_unusable_password_file_is_refused(
    content: bytes | None, complaint: str, scripts: Scripts, tmp_path: Path
) -> None:
    """The line says what is wrong with the file, and no server is bothered."""
    words = scripts.aim().words("login")
    path = tmp_path / "password"
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    ran = run("login", *words)

    ran.failed_with(complaint)
    assert not scripts.visited


def test_login_without_terminal_needs_a_password(scripts: Scripts) -> None:
    """Where nobody can be asked, the line says how a password is given."""
    ran = run("login", *without_file(scripts.aim().words("login")))

    ran.failed_with("no password given: use --password-file or SMTP_PASSWORD")
    assert not scripts.visited


def test_password_is_no_argument(scripts: Scripts) -> None:
    """What is given as --password is refused, not taken for anything, and not repeated."""
    ran = run("login", *without_file(scripts.aim().words("login")), "--password", PASSWORD)

    ran.failed_with("--password", status=2)
    assert PASSWORD not in ran.output + ran.complaint
    assert not scripts.visited


def test_password_is_not_in_the_process_table(scripts: Scripts) -> None:
    """While the program logs in, its command line, which every user can read, holds no password."""
    process = start("login", *scripts.aim({"AUTH": silence}).words("login", timeout=1))
    try:
        assert wait_until(lambda: scripts.heard(b"AUTH ")), "the program does not log in"
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
    finally:
        ran = SMTP.finish("login", process)

    assert b"implementations.smtp.login" in seen
    assert not any(form in seen for form in FORMS), f"{seen!r}"
    ran.failed_with("timed out")


def without_file(words: list[str]) -> list[str]:
    """The command line without --password-file."""
    at = words.index("--password-file")
    return words[:at] + words[at + 2 :]

"""The five SMTP programs as a user runs them: what arrives, what they print, and command lines that are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.judge.selection import Selection
from lab.stack.engine import EngineMissing, find_engine
from lab.stack.project import Lab
from lab.wire.authority import Authority
from suites.smtp.mailbox import wait_for
from suites.smtp.mailhost import Mailhost
from suites.smtp.message import RECIPIENT, SENDER, eight_bit_message, message, new_token
from suites.smtp.programs import PROGRAMS, Aim, Scripts, run
from suites.smtp.responder import Manners

#: Lines that end in LF or CR alone, dots in front, no line end last: what a file on a disk may hold.
TRICKY_BODY = b".\r\n.dot\n..two\r\nQUIT\rFrom here\n" + b"x" * 998 + b"\nlast"

each_program = pytest.mark.parametrize("program", PROGRAMS)


@pytest.fixture(scope="session")
def engine_where_needed(selection: Selection) -> None:
    """Skips where the mail host is a container and there is no engine."""
    if selection.peers == "reference":
        try:
            find_engine()
        except EngineMissing as error:
            pytest.skip(str(error))


@pytest.fixture
def host(engine_where_needed: None, peer: Mailhost) -> Mailhost:  # noqa: ARG001 - it skips before peer fails
    """The mail host."""
    return peer


@pytest.fixture
def aim_at_host(host: Mailhost, lab: Lab, authority: Authority, tmp_path: Path) -> Callable[..., Aim]:
    """Gives the aim at the mail host's port for a program."""

    def aim(program: str, *, password: str = host.account.password) -> Aim:
        ca_file = lab.state / "tls" / "ca.pem" if host.kind == "reference" else authority.certificate
        port = host.endpoint("submission" if program == "login" else "plain").port
        return Aim.at(port, ca_file, tmp_path, user=host.account.username, password=password)

    return aim


# what arrives


@each_program
def test_message_in_a_file_arrives_octet_for_octet(
    program: str, host: Mailhost, aim_at_host: Callable[..., Aim], tmp_path: Path
) -> None:
    """Each line end has become CRLF, nothing else is changed, and the program says for whom it was accepted."""
    token = new_token()
    path = tmp_path / "message.eml"
    path.write_bytes(message(TRICKY_BODY))

    ran = run(
        program, *aim_at_host(program).words(program, "--message", str(path), to=(host.recipient(token),))
    )

    ran.succeeded()
    assert f"accepted for {host.recipient(token)}" in ran.output
    arrived = wait_for(host.mailbox, token)
    expected = message(re.sub(rb"\r\n|\r|\n", b"\r\n", TRICKY_BODY) + b"\r\n")
    assert [octets.endswith(expected) for octets in arrived] == [True], f"what arrived: {arrived}"


@each_program
def test_test_message_arrives_at_every_recipient(
    program: str, host: Mailhost, aim_at_host: Callable[..., Aim]
) -> None:
    """Without --message a short test message goes to all that were named, with the fields that RFC 5322 asks for."""
    tokens = [new_token(), new_token()]
    recipients = tuple(host.recipient(token) for token in tokens)

    ran = run(program, *aim_at_host(program).words(program, to=recipients))

    ran.succeeded()
    for token in tokens:
        arrived = wait_for(host.mailbox, token)
        assert len(arrived) == 1, f"{len(arrived)} messages for {token}"
        for field in (b"From: ", b"To: ", b"Date: ", b"Message-ID: <", b"Subject: "):
            assert re.search(rb"(?m)^" + field, arrived[0]), f"no {field!r} in {arrived[0]!r}"
        assert arrived[0].endswith(b"\r\n\r\nThis message was sent by Python's smtplib.\r\n")
        assert host.mailbox.senders(token) == [SENDER]


@each_program
def test_text_beyond_ascii_arrives_unchanged(
    program: str, host: Mailhost, aim_at_host: Callable[..., Aim], tmp_path: Path
) -> None:
    """UTF-8 in the body travels as it is, by 8BITMIME."""
    token = new_token()
    path = tmp_path / "message.eml"
    sent = eight_bit_message("Grüße, 你好\r\n".encode())
    path.write_bytes(sent)

    ran = run(
        program, *aim_at_host(program).words(program, "--message", str(path), to=(host.recipient(token),))
    )

    ran.succeeded()
    arrived = wait_for(host.mailbox, token)
    assert [octets.endswith(sent) for octets in arrived] == [True], f"what arrived: {arrived}"


@each_program
def test_extensions_that_a_message_needs_are_asked_for(
    program: str, scripts: Scripts, tmp_path: Path
) -> None:
    """RFC 6152 and RFC 6531: MAIL says that 8-bit text and an address beyond ASCII follow."""
    path = tmp_path / "message.eml"
    path.write_bytes(eight_bit_message("Grüße\r\n".encode()))

    ran = run(program, *scripts.aim().words(program, "--message", str(path), to=("用户@lab.example",)))

    ran.succeeded()
    parameters = scripts.conversation.one("MAIL").parameters
    assert parameters["BODY"].upper() == "8BITMIME", f"MAIL had {parameters}"
    assert "SMTPUTF8" in parameters, f"MAIL had {parameters}"


def test_login_with_a_wrong_password_sends_nothing(host: Mailhost, aim_at_host: Callable[..., Aim]) -> None:
    """The host's refusal is the one line; the password is not in it."""
    token = new_token()
    wrong = "not-the-password-of-user0"

    ran = run("login", *aim_at_host("login", password=wrong).words("login", to=(host.recipient(token),)))

    ran.failed_with("login refused: 535")
    assert wrong not in ran.output + ran.complaint
    assert host.mailbox.find(token) == []


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name != "login"])
def test_refused_recipients_are_named_by_the_host(
    program: str, host: Mailhost, aim_at_host: Callable[..., Aim]
) -> None:
    """A foreign recipient is refused without login; the local one still gets the message, and both are told."""
    token = new_token()
    local = host.recipient(token)

    ran = run(program, *aim_at_host(program).words(program, to=(local, "stranger@elsewhere.example")))

    ran.failed_with("recipients refused: stranger@elsewhere.example (55")
    assert f"accepted for {local}\n" in ran.output
    assert len(wait_for(host.mailbox, token)) == 1


# what is printed


@each_program
def test_help_names_arguments_and_exit_status(program: str) -> None:
    """--help says how the program is called, and what its exit status means."""
    ran = run(program, "--help")

    ran.succeeded()
    assert f"usage: python -m implementations.smtp.{program}" in ran.output
    assert "SERVER FROM TO" in ran.output
    assert "Exit status:" in ran.output


def test_debug_prints_the_conversation(scripts: Scripts) -> None:
    """Every command and every reply, the greeting too, is on standard output; standard error stays empty."""
    ran = run("debug", *scripts.aim().words("debug"))

    ran.succeeded()
    talk = scripts.conversation
    for command in talk.commands:
        assert command.line.decode() in ran.output, f"{command.line!r} is not in {ran.output}"
    for reply in talk.replies:
        assert all(line in ran.output for line in reply.lines), f"{reply} is not in {ran.output}"


def test_ehlo_prints_what_is_offered(scripts: Scripts) -> None:
    """One line for each extension, with its parameters; what a terminal would act on is made harmless."""
    aim = scripts.open(Manners(extensions=["SIZE 1000000", "8BITMIME", "X-ERLE \x1b[2J"]))

    ran = run("ehlo", *aim.words("ehlo"))

    ran.succeeded()
    assert "offers SIZE 1000000\n" in ran.output
    assert "offers 8BITMIME" in ran.output
    assert "\x1b" not in ran.output
    assert "X-ERLE" in ran.output


# command lines that are refused

WRONG = {
    "no-recipient": (["localhost", SENDER], "TO"),
    "sender": (["localhost", "no-address", RECIPIENT], "'no-address' is no mail address"),
    "recipient": (["localhost", SENDER, "a@b@lab.example"], "is no mail address"),
    "injection": (["localhost", SENDER, f"{RECIPIENT}>\r\nRSET"], "is no mail address"),
    "empty-server": (["", SENDER, RECIPIENT], "is no name or address of a server"),
    "long-label": (["x" * 64 + ".example", SENDER, RECIPIENT], "is no name or address of a server"),
    "port-word": (["localhost", SENDER, RECIPIENT, "--port", "smtp"], "'smtp' is no TCP port"),
    "port-high": (["localhost", SENDER, RECIPIENT, "--port", "65536"], "'65536' is no TCP port"),
    "timeout": (["localhost", SENDER, RECIPIENT, "--timeout", "nan"], "'nan' is no time in seconds"),
    "deadline": (["localhost", SENDER, RECIPIENT, "--deadline", "0"], "'0' is no time in seconds"),
    "option": (["localhost", SENDER, RECIPIENT, "--x-erle"], "--x-erle"),
}


@pytest.mark.parametrize(("words", "complaint"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_refused(words: list[str], complaint: str) -> None:
    """Exit status 2, and one line that says which argument is wrong."""
    ran = run("simple", *words)

    ran.failed_with(complaint, status=2)


@each_program
def test_each_program_refuses_to_run_without_arguments(program: str) -> None:
    """Exit status 2, and one line that says what is missing."""
    ran = run(program)

    ran.failed_with("SERVER, FROM, TO", status=2)


UNUSABLE = {
    "empty": (b"", "no message in it"),
    "blank": (b"\r\n \n", "no message in it"),
    "line-too-long": (message(b"x" * 999 + b"\n"), "line 7 has 999 octets, 998 are allowed"),
}


@pytest.mark.parametrize(("octets", "complaint"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_message_file_is_refused(
    octets: bytes, complaint: str, scripts: Scripts, tmp_path: Path
) -> None:
    """The line names the file, and no server is bothered."""
    path = tmp_path / "message.eml"
    path.write_bytes(octets)

    ran = run("simple", *scripts.aim().words("simple", "--message", str(path)))

    ran.failed_with(str(path), complaint)
    assert not scripts.visited


@each_program
@pytest.mark.parametrize("name", ["missing", "folder"])
def test_unreadable_message_file_is_refused(
    program: str, name: str, scripts: Scripts, tmp_path: Path
) -> None:
    """What is not there, or is a folder, cannot be sent; the line names it, and no server is bothered."""
    (tmp_path / "folder").mkdir()
    complaint = {"missing": "No such file or directory", "folder": "Is a directory"}[name]

    ran = run(program, *scripts.aim().words(program, "--message", str(tmp_path / name)))

    ran.failed_with(str(tmp_path / name), complaint)
    assert not scripts.visited

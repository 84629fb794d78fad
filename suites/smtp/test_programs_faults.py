"""The five SMTP programs and a network that fails them: one clear line, exit status 1, in time, no traceback."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.wire.answers import Answer, Answers, reset, say_and_close, silence
from lab.wire.authority import Authority
from lab.wire.endpoint import endpoint_of, listen
from lab.wire.stream import RecordedStream
from suites.smtp.message import RECIPIENT, eight_bit_message
from suites.smtp.programs import PROGRAMS, SMTP, Aim, Scripts, run

each_program = pytest.mark.parametrize("program", PROGRAMS)

#: The first thing that a program hears, and the words of its complaint.
GREETINGS: dict[str, tuple[Answer, str]] = {
    "reset": (reset, "Connection reset by peer"),
    "closed": (say_and_close(b""), "Connection unexpectedly closed"),
    "truncated": (say_and_close(b"220-script.lab.exam"), "Connection unexpectedly closed"),
    "no-code": (b"hello there\r\n", "malformed reply"),
    "eight-bit": (b"\xff\xfe\xfd\r\n", "malformed reply"),
    "too-long-a-line": (b"220 " + b"x" * 20000 + b"\r\n", "Line too long"),
    "busy": (b"554 5.3.2 no \x1b[31mservice\x07 here\r\n", "554 5.3.2 no \\x1b[31mservice\\x07 here"),
}
#: What is said later, inside TLS where a program starts it: answers, and the words of the complaint.
LATER: dict[str, tuple[dict[str, Answers], str]] = {
    "reset-at-mail": ({"MAIL": reset}, "Connection"),
    "closed-at-recipient": ({"RCPT": say_and_close(b"")}, "Connection unexpectedly closed"),
    "truncated-at-data": ({"DATA": say_and_close(b"354-end with")}, "Connection unexpectedly closed"),
    "truncated-at-the-end": ({"END": say_and_close(b"250-2.0.0 que")}, "Connection unexpectedly closed"),
    "malformed-at-the-end": ({"END": b"all right\r\n"}, "malformed reply"),
    "sender-refused": ({"MAIL": b"550 5.7.1 not from you\r\n"}, "sender refused: 550 5.7.1 not from you"),
    "data-refused": ({"DATA": b"451 4.3.0 not now\r\n"}, "message refused: 451 4.3.0 not now"),
    "message-refused": ({"END": b"554 5.6.0 not this\r\n"}, "message refused: 554 5.6.0 not this"),
    "all-recipients-refused": ({"RCPT": b"550 5.1.1 who\r\n"}, f"every recipient refused: {RECIPIENT} (550"),
}


#: Asked of every program; the others of ``simple`` alone, as all five share the code that words a complaint.
ASKED_OF_ALL = {
    "reset",
    "truncated",
    "no-code",
    "reset-at-mail",
    "truncated-at-the-end",
    "all-recipients-refused",
}


def spread(table: Mapping[str, tuple[object, str]]) -> list[pytest.ParameterSet]:
    """A row for each fault and each program that is asked about it."""
    return [
        pytest.param(program, fault, complaint, id=f"{name}-{program}")
        for name, (fault, complaint) in table.items()
        for program in (PROGRAMS if name in ASKED_OF_ALL else ("simple",))
    ]


def send_more(stream: RecordedStream) -> None:
    """An answer without an end."""
    while stream.ended is None:
        stream.send(b"220-and another thing\r\n" * 500)


@pytest.mark.parametrize(("program", "greeting", "complaint"), spread(GREETINGS))
def test_useless_greeting_is_one_line(
    program: str, greeting: Answer, complaint: str, scripts: Scripts
) -> None:
    """Whatever is heard instead of a greeting, the program says what it was."""
    ran = run(program, *scripts.aim(greeting=greeting).words(program))

    ran.failed_with("localhost: ", complaint)
    assert "accepted" not in ran.output


@pytest.mark.parametrize(("program", "answers", "complaint"), spread(LATER))
def test_failure_in_the_transaction_is_one_line(
    program: str, answers: dict[str, Answers], complaint: str, scripts: Scripts
) -> None:
    """What goes wrong with the message is said, and nothing is called accepted."""
    ran = run(program, *scripts.aim(answers).words(program))

    ran.failed_with("localhost: ", complaint)
    assert "accepted for" not in ran.output


@each_program
def test_refused_connection_is_one_line(program: str, authority: Authority, tmp_path: Path) -> None:
    """Nobody listens on the port."""
    with listen() as listener:
        port = endpoint_of(listener).port

    ran = run(program, *Aim.at(port, authority.certificate, tmp_path).words(program))

    ran.failed_with("localhost: Connection refused")


@each_program
def test_unknown_name_is_one_line(program: str, authority: Authority, tmp_path: Path) -> None:
    """RFC 6761, section 6.4: names under .invalid are nowhere."""
    words = Aim.at(25, authority.certificate, tmp_path).words(program)

    ran = run(program, "mail.erle.invalid", *words[1:])

    ran.failed_with("mail.erle.invalid: name not found: ")


@each_program
def test_silent_server_is_given_up(program: str, scripts: Scripts) -> None:
    """No reply comes to the greeting's EHLO; --timeout says how long that is borne."""
    aim = scripts.aim({"EHLO": silence})
    began = time.monotonic()

    ran = run(program, *aim.words(program, timeout=0.5))

    ran.failed_with("localhost: timed out")
    assert time.monotonic() - began < SMTP.deadline / 3


@each_program
def test_endless_reply_is_given_up(program: str, scripts: Scripts) -> None:
    """A reply that goes on and on never lets --timeout run out; --deadline ends it."""
    aim = scripts.aim(greeting=send_more)
    began = time.monotonic()

    ran = run(program, *aim.words(program, timeout=10, deadline=1))

    ran.failed_with("localhost: timed out")
    assert time.monotonic() - began < SMTP.deadline / 3


@each_program
def test_some_recipients_refused_is_told(program: str, scripts: Scripts) -> None:
    """Who gets the message is on standard output, who does not on standard error; exit status 1."""
    aim = scripts.aim({"RCPT": [None, b"550 5.1.1 no such user\r\n", None]})

    ran = run(program, *aim.words(program, to=("a@lab.example", "b@lab.example", "c@lab.example")))

    ran.failed_with("recipients refused: b@lab.example (550 5.1.1 no such user)")
    assert "accepted for a@lab.example, c@lab.example\n" in ran.output
    assert len(scripts.conversation.payloads) == 1


@each_program
def test_text_beyond_ascii_needs_8bitmime(program: str, scripts: Scripts, tmp_path: Path) -> None:
    """RFC 6152: without the extension a message with 8-bit text is not sent, and the line says why."""
    path = tmp_path / "message.eml"
    path.write_bytes(eight_bit_message("Grüße\r\n".encode()))
    aim = scripts.offering("AUTH PLAIN LOGIN")

    ran = run(program, *aim.words(program, "--message", str(path)))

    ran.failed_with("the server does not offer 8BITMIME")
    assert "MAIL" not in scripts.conversation.verbs


@each_program
def test_address_beyond_ascii_needs_smtputf8(program: str, scripts: Scripts) -> None:
    """RFC 6531: without the extension nothing is sent for such an address, and the line says why."""
    aim = scripts.offering("8BITMIME", "AUTH PLAIN LOGIN")

    ran = run(program, *aim.words(program, to=("用户@lab.example",)))

    ran.failed_with("the server does not offer SMTPUTF8")
    assert "MAIL" not in scripts.conversation.verbs


# ehlo


def test_ehlo_says_helo_where_ehlo_is_unknown(scripts: Scripts) -> None:
    """RFC 5321, section 3.2: the old greeting does too; no parameter is used then."""
    aim = scripts.aim({"EHLO": b"502 5.5.1 what is that\r\n"})

    ran = run("ehlo", *aim.words("ehlo"))

    ran.succeeded()
    assert "knows no extensions\n" in ran.output
    talk = scripts.conversation
    assert talk.verbs == ["EHLO", "HELO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert talk.one("MAIL").parameters == {}


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"EHLO": b"502 5.5.1 no\r\n", "HELO": b"504 5.5.1 neither\r\n"}, "504"),
        ({"EHLO": b"421 4.3.2 bye\r\n"}, "421"),
    ],
    ids=["both", "for-now"],
)
def test_ehlo_gives_up_where_no_greeting_is_taken(
    answers: dict[str, Answers], code: str, scripts: Scripts
) -> None:
    """Neither EHLO nor HELO is accepted, or the server has no time: nothing is sent."""
    ran = run("ehlo", *scripts.aim(answers).words("ehlo"))

    ran.failed_with(f"greeting refused: {code}")
    assert "MAIL" not in scripts.conversation.verbs


def test_ehlo_begins_no_message_that_is_too_large(scripts: Scripts, tmp_path: Path) -> None:
    """RFC 1870: the line holds both sizes, and MAIL is never said."""
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: large\r\n\r\n" + b"x" * 983 + b"\r\n")
    aim = scripts.offering("SIZE 1002")

    ran = run("ehlo", *aim.words("ehlo", "--message", str(path)))

    ran.failed_with("1003 octets", "at most 1002")
    assert scripts.conversation.verbs == ["EHLO", "QUIT"]


@pytest.mark.parametrize("extension", ["SIZE 1003", "SIZE 0", "SIZE", "8BITMIME"])
def test_ehlo_sends_what_there_is_room_for(extension: str, scripts: Scripts, tmp_path: Path) -> None:
    """A limit that is just kept, no fixed limit (0), none stated, no SIZE at all: the message goes."""
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: large\r\n\r\n" + b"x" * 983 + b"\r\n")
    aim = scripts.offering(extension)

    ran = run("ehlo", *aim.words("ehlo", "--message", str(path)))

    ran.succeeded()
    assert scripts.conversation.payloads == [path.read_bytes() + b".\r\n"]


def test_ehlo_sees_a_size_that_is_no_number(scripts: Scripts) -> None:
    """A limit that cannot be read is an error, not the absence of one."""
    aim = scripts.offering("SIZE plenty")

    ran = run("ehlo", *aim.words("ehlo"))

    ran.failed_with("SIZE that is no number: plenty")
    assert "MAIL" not in scripts.conversation.verbs

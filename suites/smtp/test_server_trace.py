"""Servers: the trace fields that they put on top of a message, Received and Return-Path (RFC 5321, section 4.4).

Most cases ask servers that declare the feature ``trace``; the others store what they were given, and judge no worse.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.message import SENDER, message
from suites.smtp.session import DRIVER_NAME, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

COMMENT = r"\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)"
CFWS = rf"(?:[ \t]|{COMMENT})+"
ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
LITERAL = r"\[[^\[\]\s]+\]"
DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
TCP_INFO = rf"\((?:{DOMAIN}[ \t]+)?{LITERAL}\)"
EXTENDED_DOMAIN = rf"(?:{DOMAIN}(?:[ \t]+{TCP_INFO})?|{LITERAL}[ \t]+{TCP_INFO})"
#: The time stamp line once it is unfolded. Clauses come in this order, each at most once.
STAMP = re.compile(
    rf"Received:[ \t]+from[ \t]+{EXTENDED_DOMAIN}{CFWS}by[ \t]+{EXTENDED_DOMAIN}"
    rf"(?:{CFWS}via[ \t]+{ATOM})?(?:{CFWS}with[ \t]+{ATOM})?"
    rf"(?:{CFWS}id[ \t]+(?:[^\s();<>]+|<[^\s<>]+>))?(?:{CFWS}for[ \t]+(?:<[^<>]+>|[^\s<>;]+@[^\s<>;]+))?"
    rf'(?:{CFWS}{ATOM}[ \t]+(?:{ATOM}|"[^"]*"))*(?:{CFWS})?;[ \t]+\S.*',
    re.IGNORECASE,
)
#: date-time of RFC 5322, section 3.3, without its obsolete forms.
DATE = re.compile(
    r"(?:(?P<name>Mon|Tue|Wed|Thu|Fri|Sat|Sun),)?[ \t]*(?P<day>\d{1,2})[ \t]+"
    r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ \t]+(?P<year>\d{4})[ \t]+"
    rf"\d\d:\d\d(?::\d\d)?[ \t]+[+-]\d{{4}}(?:{CFWS})?"
)
#: IANA's registry of mail transmission types: names of clauses, of links and of protocols.
CLAUSES = frozenset({"from", "by", "via", "with", "id", "for", "tls"})
LINKS = frozenset({"UUCP", "TCP"})
PROTOCOLS = frozenset(
    f"{prefix}{suffix}"
    for prefix in ("ESMTP", "LMTP", "UTF8SMTP", "UTF8LMTP")
    for suffix in ("", "A", "S", "SA")
) | {"SMTP", "MMS"}
OLD_TRACE = (
    b"Received: from c.example (c.example [192.0.2.3]) by d.example with SMTP id 3;\r\n"
    b"\tMon, 02 Nov 2026 11:00:03 +0000\r\n"
    b"received:from b.example\r\n \t by  c.example\r\n   ;  2 Nov 26 11:00 GMT\r\n"
    b"Received: by hand, this morning\r\n"
)
SENDERS = {
    "plain": "someone@lab.example",
    "null": "",
    "elsewhere": "Some.One+x@elsewhere.example",
    "quoted": '"some one"@lab.example',
}


def say_ehlo(server: Server) -> SmtpSession:
    """A session opened by EHLO."""
    return server.greeted()


def say_helo(server: Server) -> SmtpSession:
    """A session opened by HELO."""
    session = server.connect()
    session.expect(250, f"HELO {DRIVER_NAME}")
    return session


def say_literal(server: Server) -> SmtpSession:
    """A session opened by EHLO with an address literal."""
    session = server.connect()
    session.ehlo("[192.0.2.77]")
    return session


def say_tls(server: Server) -> SmtpSession:
    """A session inside TLS."""
    return server.secure()


def say_login(server: Server) -> SmtpSession:
    """A session inside TLS, logged in."""
    return server.authenticated("submission")


Opening = Callable[[Server], SmtpSession]
OPENINGS = [
    pytest.param(say_ehlo, id="ehlo"),
    pytest.param(say_helo, id="helo"),
    pytest.param(say_literal, id="literal"),
    pytest.param(say_tls, id="tls", marks=needs("starttls")),
    pytest.param(say_login, id="login", marks=needs("submission", "auth-plain")),
]
however_opened = pytest.mark.parametrize("opening", OPENINGS)


def received_fields(octets: bytes) -> list[str]:
    """The Received fields of a message in their order, unfolded."""
    head = octets.partition(b"\r\n\r\n")[0].decode("utf-8", "backslashreplace")
    lines = re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")
    return [line for line in lines if re.match(r"(?i)received[ \t]*:", line)]


def delivered(server: Server, content: bytes, opening: Opening = say_ehlo, *, sender: str = SENDER) -> bytes:
    """The message as it arrives."""
    token, recipient = server.recipient()
    reply = opening(server).deliver(recipient, content, sender=sender)
    assert reply.code == 250, f"the message was answered {reply}"
    arrived = server.arrived(token)
    assert len(arrived) == 1, f"{len(arrived)} messages arrived"
    return arrived[0]


def stamp_of(server: Server, opening: Opening = say_ehlo, *, others: int = 0) -> str:
    """The time stamp line that a message without any got; ``others`` more recipients are named with the first."""
    token, recipient = server.recipient()
    session = opening(server)
    session.mail()
    session.rcpt(recipient)
    for _ in range(others):
        session.rcpt(server.recipient()[1])
    reply = session.data(message())
    assert reply.code == 250, f"the message was answered {reply}"
    fields = [field for octets in server.arrived(token) for field in received_fields(octets)]
    assert fields, "what arrived has no Received field"
    return fields[0]


def date_of(stamp: str) -> str:
    """What stands after the last semicolon outside comments."""
    return (
        re.sub(COMMENT, lambda comment: comment[0].replace(";", ","), stamp).rpartition(";")[2].strip(" \t")
    )


def words_of(stamp: str) -> list[str]:
    """The words before the date, comments left out."""
    body = re.sub(COMMENT, " ", stamp).partition(":")[2]
    return body.rpartition(";")[0].split()


@needs("delivery", "trace")
@however_opened
@clause("rfc5321-4.4-received-added")
def test_a_received_field_is_put_on_top(server: Server, opening: Opening) -> None:
    """What arrives begins with a Received field, and only trace fields stand before the message's own."""
    arrived = delivered(server, message(), opening)

    added = arrived.partition(b"From: ")[0]
    assert received_fields(added + b"\r\n"), f"in front of the message stands {added!r}"


@needs("delivery", "trace")
@however_opened
@clause("rfc5321-4.4-received-structure")
def test_the_received_field_keeps_to_its_grammar(server: Server, opening: Opening) -> None:
    """The Received field is a time stamp line: FROM, BY, then VIA, WITH, ID and FOR as there are, and a date."""
    stamp = stamp_of(server, opening)

    assert STAMP.fullmatch(stamp), f"no time stamp line: {stamp!r}"


@needs("delivery", "trace")
@however_opened
@clause("rfc5321-4.4-received-from-clause")
def test_the_received_field_begins_with_from(server: Server, opening: Opening) -> None:
    """The Received field says first from whom the message came."""
    stamp = stamp_of(server, opening)

    assert re.match(r"(?i)received:[ \t]+from[ \t]+\S", stamp), f"no FROM clause at the start: {stamp!r}"


@needs("delivery", "trace")
@pytest.mark.parametrize(
    ("opening", "name"),
    [(say_ehlo, DRIVER_NAME), (say_helo, DRIVER_NAME), (say_literal, "[192.0.2.77]")],
    ids=["ehlo", "helo", "literal"],
)
@clause("rfc5321-4.4-received-from-name-and-address")
def test_the_from_clause_has_name_and_address(server: Server, opening: Opening, name: str) -> None:
    """The FROM clause has the name that the client gave, and the address that it came from."""
    stamp = stamp_of(server, opening)

    found = re.match(rf"(?i)received:[ \t]+from[ \t]+(\S+)[ \t]+{TCP_INFO}", stamp)
    assert found is not None, f"no name with an address in brackets: {stamp!r}"
    assert found[1] == name, f"the client called itself {name}: {stamp!r}"
    address = found[0].rpartition("[")[2].removesuffix("])")
    seen = ipaddress.ip_address(address.removeprefix("IPv6:"))
    assert seen.is_private, f"the driver is on this machine: {stamp!r}"


@needs("delivery", "trace")
@pytest.mark.parametrize("others", [0, 2], ids=["one-recipient", "three-recipients"])
@clause("rfc5321-4.4-received-for-one-path")
def test_a_for_clause_names_one_path(server: Server, others: int) -> None:
    """A FOR clause, where there is one, names one path, however many recipients there are."""
    words = words_of(stamp_of(server, others=others))

    if "for" in words:
        named = " ".join(words[words.index("for") + 1 :])
        assert named.count("@") == 1, f"the FOR clause names {named}"


@needs("delivery")
@clause("rfc5321-4.4-received-lines-untouched")
def test_received_fields_of_others_stay_as_they_are(server: Server) -> None:
    """Received fields that a message brings along arrive octet for octet, whatever their form."""
    sent = OLD_TRACE + message()

    arrived = delivered(server, sent)

    assert arrived.endswith(sent), f"what arrived: {arrived!r}"


@needs("delivery", "trace")
@clause("rfc5321-4.4-received-prepended")
def test_received_fields_are_put_in_front(server: Server) -> None:
    """The new Received field stands above all others, whose order stays."""
    old = received_fields(OLD_TRACE)

    fields = received_fields(delivered(server, OLD_TRACE + message()))

    assert len(fields) > len(old), f"the Received fields are {fields}"
    assert fields[-len(old) :] == old, f"the Received fields are {fields}"


@needs("delivery", "trace")
@clause("rfc5321-4.4-received-numeric-offset")
def test_the_date_has_a_numeric_offset(server: Server) -> None:
    """The date of the Received field has an offset in digits."""
    date = date_of(stamp_of(server))

    assert re.search(rf"\d\d:\d\d[ \t]+[+-]\d{{4}}(?:{CFWS})?$", date), f"the date is {date!r}"


@needs("delivery", "trace")
@clause("rfc5321-4.4-received-zone-name-in-comment")
def test_a_zone_name_is_a_comment(server: Server) -> None:
    """After the time of day of a Received field letters stand in comments only."""
    date = date_of(stamp_of(server))

    zone = re.sub(COMMENT, "", date).rpartition(":")[2]
    assert not re.search(r"[A-Za-z]", zone), f"the date is {date!r}"


@needs("delivery", "trace")
@however_opened
@clause("rfc5321-4.4-received-full-date")
def test_the_date_has_no_obsolete_form(server: Server, opening: Opening) -> None:
    """The date of the Received field has a year of four digits, and the right day of the week."""
    date = date_of(stamp_of(server, opening))

    found = DATE.fullmatch(date)
    assert found is not None, f"the date is {date!r}"
    day = datetime.strptime(f"{found['day']} {found['month']} {found['year']} +0000", "%d %b %Y %z")
    assert found["name"] in {None, f"{day:%a}"}, f"the date is {date!r}, a {day:%A}"


@needs("delivery", "trace")
@however_opened
@clause("rfc5321-4.4-received-registered-names")
def test_the_received_field_has_registered_names_only(server: Server, opening: Opening) -> None:
    """Clauses, links and protocols in the Received field have names that IANA has registered."""
    stamp = stamp_of(server, opening)

    words = words_of(stamp)
    assert len(words) % 2 == 0, f"a clause without a value: {stamp!r}"
    clauses = dict(zip([word.lower() for word in words[::2]], words[1::2], strict=True))
    assert clauses.keys() <= CLAUSES, f"clauses with other names: {stamp!r}"
    assert clauses.get("with", "SMTP").upper() in PROTOCOLS, f"another protocol: {stamp!r}"
    assert clauses.get("via", "TCP").upper() in LINKS, f"another link: {stamp!r}"


# Return-Path


@needs("delivery")
@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
@clause("rfc5321-4.4-return-path-kept")
def test_the_reverse_path_stays_with_the_message(server: Server, sender: str) -> None:
    """The sender of MAIL is kept with the message, as a Return-Path line or as its envelope."""
    token, recipient = server.recipient()

    reply = server.greeted().deliver(recipient, message(), sender=sender)

    assert reply.code == 250, f"the message was answered {reply}"
    kept = server.sender_of(token)
    assert kept == sender, f"the message from {sender!r} arrived from {kept!r}"


@needs("delivery", "trace")
@pytest.mark.parametrize("count", [0, 1, 2], ids=["none", "one", "two"])
@clause("rfc5321-4.4-one-return-path")
def test_there_is_one_return_path(server: Server, count: int) -> None:
    """A delivered message has one Return-Path field, that of its envelope, also if it brought some along."""
    sent = b"Return-Path: <old@elsewhere.example>\r\n" * count + message()

    arrived = delivered(server, sent, sender="new@lab.example")

    paths = re.findall(rb"(?im)^Return-Path:[^\r\n]*", arrived.partition(b"\r\n\r\n")[0])
    assert paths == [b"Return-Path: <new@lab.example>"], f"what arrived has {paths}"

"""Clients: internationalized addresses and header fields (RFC 6531)."""

from __future__ import annotations

import re

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.contract import Transaction
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.message import RECIPIENT, content, message
from suites.smtp.mime import parse
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = [role("client"), needs("smtputf8")]

ADDRESS = "пользователь@lab.example"
WIDE_SUBJECT = message(subject="Grüße")
WIDE_PART = message(
    b'--cut\r\nContent-Type: text/plain; name="Gr\xc3\xbc\xc3\x9fe.txt"\r\n\r\ntext\r\n--cut--\r\n',
    headers=b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=cut\r\n",
)
NO_UTF8 = [word for word in EHLO_DEFAULT if word != "SMTPUTF8"]


def wide(kind: str, *, smtputf8: bool = True) -> Transaction:
    """A transaction that needs SMTPUTF8 in one place."""
    octets = {"subject": WIDE_SUBJECT, "part": WIDE_PART}.get(kind, SMALL_MESSAGE)
    recipients = [ADDRESS] if kind == "recipient" else [RECIPIENT]
    sender = ADDRESS if kind == "sender" else "sender@lab.example"
    return transaction(octets, recipients, sender=sender, smtputf8=smtputf8)


KINDS = ["sender", "recipient", "subject", "part"]


def words(exchange: Exchange) -> list[str]:
    """The words of each MAIL that begin with SMTPUTF8, in capitals."""
    lines = [
        mail.argument.decode("latin-1").upper() for one in exchange.conversations for mail in one.all("MAIL")
    ]
    return [word for line in lines for word in line.split() if word.startswith("SMTPUTF8")]


def wide_on_the_wire(exchange: Exchange) -> list[str]:
    """What came with octets over 127 in MAIL, RCPT and the header fields of messages and their parts."""
    found: list[str] = []
    for one in exchange.conversations:
        lines = [command.line for command in (*one.all("MAIL"), *one.all("RCPT"))]
        found += [repr(line) for line in lines if not line.isascii()]
        for payload in one.payloads:
            parts = parse(content(payload)).walk()
            found += [
                f"{name}: {value}"
                for part in parts
                for name, value in part.fields.items()
                if not value.isascii()
            ]
    return found


@clause("rfc6531-3.1-keyword-parameters-ignored")
def test_parameters_of_the_keyword_are_ignored(client: Client) -> None:
    """An offer with parameters, SMTPUTF8 FUTURE=1, is an offer like any other."""
    manners = Manners(extensions=[*NO_UTF8, "SMTPUTF8 FUTURE=1"])

    exchange = client.submit_to_script(manners, wide("sender"))

    assert words(exchange) == ["SMTPUTF8"], f"MAIL had {words(exchange)}; the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@pytest.mark.parametrize("asked", [True, False], ids=["asked", "unasked"])
@pytest.mark.parametrize("kind", KINDS)
@clause("rfc6531-3.2-nothing-internationalized-without-offer")
def test_nothing_internationalized_where_it_is_not_offered(client: Client, kind: str, *, asked: bool) -> None:
    """Neither addresses nor header fields outside ASCII go to a host that does not list SMTPUTF8."""
    exchange = client.submit_to_script(Manners(extensions=NO_UTF8), wide(kind, smtputf8=asked))

    assert wide_on_the_wire(exchange) == [], f"the client sent {wide_on_the_wire(exchange)}"


#: A local part of atoms or a quoted string; UTF-8 counts as atext (RFC 6531, section 3.3).
MAIL_LINE = re.compile(
    rb"MAIL FROM:<(?:\"(?:\\[\x20-\x7e]|[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff])*\"|[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+)"
    rb"(?:@[A-Za-z0-9.\x80-\xff-]+)?>(?: [\x21-\x7e]+)*",
    re.IGNORECASE,
)
UNQUOTED = {
    "space": "п п@lab.example",
    "angle": "п>п@lab.example",
    "comma": "п,п@lab.example",
    "control": "п\x07п@lab.example",
    "line-end": "п\r\nVRFY <п@lab.example",
}


@pytest.mark.parametrize("sender", UNQUOTED.values(), ids=UNQUOTED)
@clause("rfc6531-3.3-atext-extension-has-no-ascii")
def test_ascii_specials_beside_utf8_are_not_sent_bare(client: Client, sender: str) -> None:
    """UTF-8 in a local part lets no ASCII special or control through unquoted."""
    exchange = client.submit_to_script(
        Manners(), transaction(SMALL_MESSAGE, [RECIPIENT], sender=sender, smtputf8=True)
    )

    assert "VRFY" not in exchange.handed_over, f"the client said {exchange.conversation.verbs}"
    for mail in [mail for one in exchange.conversations for mail in one.all("MAIL")]:
        assert MAIL_LINE.fullmatch(mail.line), f"the client sent {mail.line!r}"


@pytest.mark.parametrize("kind", KINDS)
@clause("rfc6531-3.4-parameter-supplied-when-needed")
def test_parameter_is_supplied_when_needed(client: Client, kind: str) -> None:
    """What needs SMTPUTF8 goes behind a MAIL with exactly that word."""
    exchange = client.submit_to_script(Manners(), wide(kind))

    assert words(exchange) == ["SMTPUTF8"], f"MAIL had {words(exchange)}; the client says {exchange.report}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@clause("rfc6531-3.4-parameter-has-no-value-client")
def test_parameter_has_no_value(client: Client) -> None:
    """SMTPUTF8 stands on MAIL alone, without an equals sign."""
    exchange = client.submit_to_script(Manners(), wide("sender"))

    assert words(exchange) == ["SMTPUTF8"], f"MAIL had {words(exchange)}; the client says {exchange.report}"


@pytest.mark.parametrize("kind", KINDS)
@clause("rfc6531-3.4-parameter-supplied-when-needed")
def test_nothing_internationalized_goes_without_the_parameter(client: Client, kind: str) -> None:
    """A caller who does not ask for SMTPUTF8 gets it all the same, or nothing that needs it is sent."""
    exchange = client.submit_to_script(Manners(), wide(kind, smtputf8=False))

    came = wide_on_the_wire(exchange)
    assert not came or words(exchange) == ["SMTPUTF8"], f"behind MAIL without SMTPUTF8 came {came}"


@clause("rfc6531-3.4-parameter-not-supplied-in-vain")
def test_parameter_is_left_away_in_vain(client: Client) -> None:
    """A message in ASCII, between addresses in ASCII, goes without SMTPUTF8."""
    exchange = client.submit_to_script(Manners())

    assert exchange.conversation.one("MAIL").parameters.get("SMTPUTF8") is None, (
        f"the client sent {exchange.conversation.one('MAIL').line!r}"
    )


@pytest.mark.parametrize("kind", ["ascii", *KINDS])
@clause("rfc6531-3.4-parameter-only-when-offered")
def test_no_parameter_where_it_is_not_offered(client: Client, kind: str) -> None:
    """SMTPUTF8 asked for does not go to a host that does not list it."""
    exchange = client.submit_to_script(Manners(extensions=NO_UTF8), wide(kind))

    assert words(exchange) == [], f"MAIL had {words(exchange)}"


@pytest.mark.parametrize("extensions", [EHLO_DEFAULT, NO_UTF8], ids=["offered", "not-offered"])
@clause("rfc6531-3.7-domain-form-client")
def test_form_of_an_internationalized_domain(client: Client, extensions: list[str]) -> None:
    """A domain goes as U-labels with SMTPUTF8 and as A-labels without."""
    mail = transaction(
        SMALL_MESSAGE, [RECIPIENT], sender="user@пример.example", smtputf8="SMTPUTF8" in extensions
    )

    exchange = client.submit_to_script(Manners(extensions=extensions), mail)

    paths = [mail.path for one in exchange.conversations for mail in one.all("MAIL")]
    labels = "user@пример.example".encode() if "SMTPUTF8" in extensions else b"user@xn--e1afmkfd.example"
    assert paths in ([], [labels]), f"the client sent {paths}"


@needs("local-name")
@clause("rfc6531-3.7.1-ehlo-domain-ascii")
def test_name_in_ehlo_is_ascii(client: Client) -> None:
    """A local name outside ASCII goes as A-labels, or not at all."""
    exchange = client.submit_to_script(Manners(), local_name="пример.example")

    said = [
        command.line
        for one in exchange.conversations
        for command in one.commands
        if command.verb in {"EHLO", "HELO"}
    ]
    assert all(line.isascii() for line in said), f"the client said {said}"


FORWARD = "<пример@lab.example>".encode()


@clause("rfc6531-3.7.4.1-utf8-in-251-551-accepted")
def test_utf8_in_251_is_understood(client: Client) -> None:
    """251 with an address in UTF-8 accepts the recipient, and the mail goes on."""
    answers = {"RCPT": b"251 2.1.5 will forward to " + FORWARD + b"\r\n"}

    exchange = client.submit_to_script(Manners(answers=answers), wide("sender"))

    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"
    assert exchange.done, f"the client says {exchange.report}"


@clause("rfc6531-3.7.4.1-utf8-in-251-551-accepted")
def test_utf8_in_551_is_understood(client: Client) -> None:
    """551 with an address in UTF-8 refuses the recipient, and the user is told so."""
    answers = {"RCPT": b"551 5.1.6 please try " + FORWARD + b"\r\n"}

    exchange = client.submit_to_script(Manners(answers=answers), wide("sender"))

    # a lone dot ends what a client that sends in groups had begun (RFC 2920, section 3.1)
    sent = [payload for payload in exchange.conversation.payloads if payload != b".\r\n"]
    assert sent == [], f"a message without recipients was sent: {sent}"
    assert exchange.report["outcome"] == "refused", f"the client says {exchange.report}"
    assert "551" in str(exchange.report), f"the client says {exchange.report}"

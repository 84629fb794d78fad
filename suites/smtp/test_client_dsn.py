"""Clients: what a caller asks of delivery status notifications, on MAIL and RCPT (RFC 3461)."""

from __future__ import annotations

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.conversation import Command
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = [role("client"), needs("dsn")]

ONE = ["user+tag@lab.example"]
THREE = ["a@lab.example", "b@lab.example", "c@lab.example"]
KEYWORDS = ("RET", "ENVID", "NOTIFY", "ORCPT")
WITHOUT_DSN = [word for word in EHLO_DEFAULT if word != "DSN"]


def send(
    client: Client, recipients: list[str], *, mail: str = "", rcpt: str = "", manners: Manners | None = None
) -> Exchange:
    """Send one message with these parameters, parted by spaces."""
    asked = transaction(SMALL_MESSAGE, recipients, mail_options=mail.split(), rcpt_options=rcpt.split())
    return client.submit_to_script(manners or Manners(), asked)


def used(exchange: Exchange) -> list[str]:
    """The DSN parameters on MAIL and RCPT, over all connections."""
    lines = [line for one in exchange.conversations for line in (*one.all("MAIL"), *one.all("RCPT"))]
    return [f"{keyword}={value}" for line in lines for keyword in KEYWORDS for value in line.values(keyword)]


def each(exchange: Exchange, verb: str, count: int) -> list[Command]:
    """The commands with this verb, of which there have to be so many."""
    commands = exchange.conversation.all(verb)
    assert len(commands) == count, f"the client sent {len(commands)} {verb}; it says {exchange.report}"
    return commands


@pytest.mark.parametrize(
    ("mail", "rcpt"),
    [("RET=HDRS ENVID=QQ314159", ""), ("", "NOTIFY=FAILURE"), ("", "ORCPT=rfc822;user+2Btag@lab.example")],
    ids=["ret-and-envid", "notify", "orcpt"],
)
@clause("rfc3461-3-parameters-only-when-offered")
def test_no_dsn_parameter_where_it_is_not_offered(client: Client, mail: str, rcpt: str) -> None:
    """A host that does not list DSN gets none of its parameters."""
    exchange = send(client, ONE, mail=mail, rcpt=rcpt, manners=Manners(extensions=WITHOUT_DSN))

    assert used(exchange) == [], f"the client sent {used(exchange)}"


@pytest.mark.parametrize(
    "value", ["SUCCESS,FAILURE", "SUCCESS,FAILURE,DELAY", "DELAY"], ids=["two", "three", "one"]
)
@clause("rfc3461-4.1-notify-has-value")
def test_notify_carries_its_list(client: Client, value: str) -> None:
    """NOTIFY reaches each RCPT with the list asked for."""
    exchange = send(client, THREE, rcpt=f"NOTIFY={value}")

    for line in each(exchange, "RCPT", len(THREE)):
        assert line.values("NOTIFY") == [value], f"the client sent {line.line!r}"


@clause("rfc3461-4.1-notify-never-alone")
def test_notify_never_stands_alone(client: Client) -> None:
    """NOTIFY=NEVER reaches each RCPT with nothing beside NEVER."""
    exchange = send(client, THREE, rcpt="NOTIFY=NEVER")

    for line in each(exchange, "RCPT", len(THREE)):
        assert line.values("NOTIFY") == ["NEVER"], f"the client sent {line.line!r}"


@clause("rfc3461-4.2-orcpt-has-value")
def test_orcpt_is_sent_unaltered(client: Client) -> None:
    """Type, semicolon and xtext of ORCPT come as they were given."""
    exchange = send(client, ONE, rcpt="ORCPT=rfc822;user+2Btag@lab.example")

    (line,) = each(exchange, "RCPT", 1)
    assert line.values("ORCPT") == ["rfc822;user+2Btag@lab.example"], f"the client sent {line.line!r}"


@needs("reuse")
@clause("rfc3461-4.2-orcpt-same-as-rcpt")
def test_orcpt_goes_with_its_recipient(client: Client) -> None:
    """Two messages with an ORCPT each: either stands on the RCPT of its own address."""
    mail = [
        transaction(SMALL_MESSAGE, [address], rcpt_options=[f"ORCPT=rfc822;{address}"])
        for address in THREE[:2]
    ]

    exchange = client.submit_to_script(Manners(), *mail)

    for line in each(exchange, "RCPT", 2):
        assert line.values("ORCPT") == [f"rfc822;{line.path.decode()}"], f"the client sent {line.line!r}"


@pytest.mark.parametrize("value", ["FULL", "HDRS"], ids=str.lower)
@clause("rfc3461-4.3-ret-has-value")
def test_ret_is_sent(client: Client, value: str) -> None:
    """RET reaches MAIL with the value asked for."""
    exchange = send(client, ONE, mail=f"RET={value}")

    (line,) = each(exchange, "MAIL", 1)
    assert line.values("RET") == [value], f"the client sent {line.line!r}"


@clause("rfc3461-4.4-envid-has-value")
def test_envid_is_sent(client: Client) -> None:
    """ENVID reaches MAIL with the value asked for."""
    exchange = send(client, ONE, mail="ENVID=QQ+3D314159")

    (line,) = each(exchange, "MAIL", 1)
    assert line.values("ENVID") == ["QQ+3D314159"], f"the client sent {line.line!r}"


@pytest.mark.parametrize("refusal", [None, b"550 5.7.1 not you\r\n"], ids=["both-taken", "first-refused"])
@needs("reuse")
@clause("rfc3461-4.5-ret-envid-once")
def test_ret_and_envid_stand_once_on_mail(client: Client, refusal: bytes | None) -> None:
    """RET and ENVID stand once on each MAIL, also after a refused one."""
    asked = [transaction(SMALL_MESSAGE, ONE, mail_options=["RET=HDRS", f"ENVID={word}"]) for word in "ab"]

    exchange = client.submit_to_script(Manners(answers={"MAIL": [refusal, None]}), *asked)

    values = [
        (mail.values("RET"), mail.values("ENVID"))
        for one in exchange.conversations
        for mail in one.all("MAIL")
    ]
    assert values == [(["HDRS"], ["a"]), (["HDRS"], ["b"])], f"RET and ENVID on MAIL were {values}"


@clause("rfc3461-4.5-notify-orcpt-once")
def test_notify_and_orcpt_stand_once_on_rcpt(client: Client) -> None:
    """NOTIFY and ORCPT stand once on each of three RCPTs."""
    exchange = send(client, THREE, rcpt="NOTIFY=FAILURE ORCPT=rfc822;list@lab.example")

    for line in each(exchange, "RCPT", len(THREE)):
        values = (line.values("NOTIFY"), line.values("ORCPT"))
        assert values == (["FAILURE"], ["rfc822;list@lab.example"]), f"the client sent {line.line!r}"

"""Clients: when and how AUTH is begun, and what comes of its outcome (RFC 4954)."""

from __future__ import annotations

import base64
import binascii

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.wire.answers import Answers, Held
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.mailhost import ACCOUNT, Account
from suites.smtp.responder import EHLO_DEFAULT, Manners
from suites.smtp.sasl import plain_responses
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = [role("client"), needs("starttls")]

WRONG = b"535 5.7.8 wrong name or password\r\n"
LATER = b"454 4.7.0 the directory is away\r\n"


def log_in(
    client: Client, offer: str, answers: dict[str, Answers] | None = None, *, transactions: int = 1
) -> Exchange:
    """Send messages, logged in, to a scripted host that offers these mechanisms inside TLS."""
    manners = Manners(
        secure_extensions=(*EHLO_DEFAULT, offer) if offer else EHLO_DEFAULT,
        answers=answers or {},
        tls=client.tls,
    )
    mail = [transaction(SMALL_MESSAGE, ["recipient@lab.example"]) for _ in range(transactions)]
    return client.submit_to_script(manners, *mail, security="starttls", account=ACCOUNT)


def mechanisms(exchange: Exchange) -> list[str]:
    """The mechanism of each AUTH in order, in capitals."""
    auths = [command for one in exchange.conversations for command in one.all("AUTH")]
    return [command.argument.split(b" ")[0].decode("latin-1").upper() for command in auths]


@pytest.mark.parametrize(
    "offer", ["PLAIN", "LOGIN", "CRAM-MD5", "X-UNKNOWN", ""], ids=lambda offer: offer.lower() or "none"
)
@clause("rfc4954-3-only-listed-mechanisms")
def test_only_listed_mechanisms_are_begun(client: Client, offer: str) -> None:
    """A client begins no mechanism that the host does not list."""
    exchange = log_in(client, f"AUTH {offer}" if offer else "")

    begun = set(mechanisms(exchange))
    assert exchange.conversation.all("EHLO")[-1].after_tls, f"the client said {exchange.conversation.verbs}"
    assert begun <= {offer}, f"offered {offer or 'nothing'}, the client began {sorted(begun)}"


@needs("auth-plain")
@clause("rfc4954-4-plain-over-tls-client")
def test_plain_inside_tls(client: Client) -> None:
    """Offered PLAIN alone inside TLS, the client logs in with it and sends its mail."""
    exchange = log_in(client, "AUTH PLAIN")

    assert mechanisms(exchange) == ["PLAIN"], (
        f"the client began {mechanisms(exchange)}; it says {exchange.report}"
    )
    said = exchange.conversation.sasl_messages()
    assert [message for message in said if message] in plain_responses(ACCOUNT), (
        f"the client's response was {said}"
    )
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("auth-plain")
@clause("rfc4954-4-initial-response-encoded")
def test_initial_response_is_base64(client: Client) -> None:
    """What stands behind the mechanism on the AUTH line is canonical base64 or one equals sign."""
    exchange = log_in(client, "AUTH PLAIN")

    words = exchange.conversation.one("AUTH").line.split(b" ")
    assert len(words) in {2, 3}, f"the client sent {len(words)} words on its AUTH line"
    for word in words[2:]:
        assert word == b"=" or _is_canonical(word), f"the initial response is {word!r}"


def _is_canonical(word: bytes) -> bool:
    try:
        return base64.b64encode(base64.b64decode(word, validate=True)) == word
    except binascii.Error:
        return False


# mechanism names themselves are in capitals (RFC 4422, section 3.1)
@pytest.mark.parametrize("line", ["auth PLAIN", "Auth PLAIN", "aUTh PLAIN"], ids=["small", "title", "mixed"])
@needs("auth-plain")
@clause("rfc4954-8-case-insensitive-client")
def test_offer_in_any_case_is_understood(client: Client, line: str) -> None:
    """The keyword AUTH means the same in any mix of cases."""
    exchange = log_in(client, line)

    assert mechanisms(exchange), f"offered {line!r}, the client began no AUTH; it says {exchange.report}"
    assert len(exchange.conversation.payloads) == 1, f"the client says {exchange.report}"


@needs("auth-plain", "reuse")
@clause("rfc4954-4-no-second-auth")
def test_one_auth_is_enough_for_two_messages(client: Client) -> None:
    """After an AUTH that succeeded no other follows on the connection."""
    exchange = log_in(client, "AUTH PLAIN", transactions=2)

    assert "AUTH" in exchange.handed_over, f"the client said {exchange.handed_over}"
    for conversation in exchange.conversations:
        count = len(conversation.all("AUTH"))
        assert count <= 1, f"the client sent AUTH {count} times on one connection"


@pytest.mark.parametrize(
    "answers", [{}, {"RCPT": b"530 5.7.0 authentication required\r\n"}], ids=["polite", "rcpt-530"]
)
@needs("auth-plain")
@clause("rfc4954-4-no-auth-in-transaction")
def test_no_auth_in_a_transaction(client: Client, answers: dict[str, Answers]) -> None:
    """AUTH does not come between MAIL and the end of its transaction, also when RCPT asks for it."""
    exchange = log_in(client, "AUTH PLAIN", answers)

    verbs = [command.verb for command in exchange.conversation.commands if command.after_tls]
    assert "MAIL" in verbs, f"inside TLS the client said {verbs}"
    opened = False
    for verb in verbs:
        assert not (opened and verb == "AUTH"), f"inside TLS the client said {verbs}"
        opened = (opened or verb == "MAIL") and verb not in {"RSET", "EHLO", "DATA"}


@needs("auth-login")
@clause("rfc4954-4-auth-ends-a-group", "rfc2920-3.1-other-extensions-commands-last")
@cuts("whole")  # waits for silence
def test_nothing_is_sent_before_the_reply_to_auth(client: Client) -> None:
    """Where PIPELINING is offered, too, nothing follows an AUTH of several steps before its reply."""
    held = Held(WRONG)

    exchange = log_in(client, "AUTH LOGIN", {"AUTH": held})

    assert mechanisms(exchange) == ["LOGIN"], f"the client said {exchange.conversation.verbs}"
    assert held.early == b"", f"before the reply to AUTH the client sent {held.early!r}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"], ids=str.lower)
@clause("rfc4954-4-failed-auth-reported")
def test_refused_login_is_reported(client: Client, mechanism: str) -> None:
    """535 reaches the user, and no mail is sent as if all were well."""
    exchange = log_in(client, f"AUTH {mechanism}", {"AUTH": WRONG})

    assert "MAIL" not in exchange.handed_over, f"after 535 the client said {exchange.handed_over}"
    assert exchange.report["outcome"] == "refused", f"the client says {exchange.report}"
    assert exchange.report.get("code") == 535, f"the client says {exchange.report}"


@needs("auth-plain")
@clause("rfc4954-6-454-reported")
def test_temporary_failure_of_auth_is_reported(client: Client) -> None:
    """454 reaches the user as what it is, and no mail is sent."""
    exchange = log_in(client, "AUTH PLAIN", {"AUTH": LATER})

    assert "MAIL" not in exchange.handed_over, f"after 454 the client said {exchange.handed_over}"
    assert exchange.report["outcome"] == "refused", f"the client says {exchange.report}"
    assert exchange.report.get("code") == 454, f"the client says {exchange.report}"


@needs("auth-plain", "auth-login", "auth-cram-md5")
@clause("rfc4954-6-weak-mechanism-retry")
def test_another_mechanism_is_tried_after_534(client: Client) -> None:
    """A mechanism refused as too weak is followed by another one of the list."""
    exchange = log_in(client, "AUTH CRAM-MD5 PLAIN LOGIN", {"AUTH": [b"534 5.7.9 too weak\r\n", None]})

    begun = mechanisms(exchange)
    assert begun, f"the client began no AUTH; it says {exchange.report}"
    assert len(set(begun)) > 1, f"after 534 the client began {begun}"


SOFT_HYPHEN = "\u00ad"
PREPARED = {
    "mapped-to-nothing": (f"lab{SOFT_HYPHEN}user", b"labuser"),
    "compatible-form": ("\u2168", b"IX"),
    "other-space": ("lab\u00a0user", b"lab user"),
}


@pytest.mark.parametrize(("name", "prepared"), PREPARED.values(), ids=PREPARED)
@needs("auth-plain")
@clause("rfc4954-4-saslprep-client")
@cuts("whole")  # what a host says has no part in it
def test_user_name_is_prepared(client: Client, name: str, prepared: bytes) -> None:
    """The user's name travels as SASLprep leaves it (RFC 4013, section 2)."""
    manners = Manners(secure_extensions=(*EHLO_DEFAULT, "AUTH PLAIN"), tls=client.tls)

    exchange = client.submit_to_script(manners, security="starttls", account=Account(name, "lab-secret"))

    said = [message for message in exchange.conversation.sasl_messages() if message]
    names = [message.split(b"\0")[1] for message in said if message.count(b"\0") == 2]
    assert names == [prepared], f"the client's name was {names}; it says {exchange.report}"

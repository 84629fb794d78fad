"""Clients: the name they give themselves, and how addresses reach the wire.

Knows domains, literals and local-parts (RFC 5321, sections 2.3.4, 2.3.5, 2.3.11, 4.1.2
and 4.1.3). Must not know any client.
"""

from __future__ import annotations

import ipaddress
import re
import socket

import pytest

from lab.judge.marks import clause, needs, role
from suites.smtp.conversation import Command
from suites.smtp.exchange import Exchange, transaction
from suites.smtp.responder import Manners
from suites.smtp.subjects import SMALL_MESSAGE, Client

pytestmark = role("client")

LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
LOCAL_ALIASES = ("localhost", "localhost.localdomain", "localhost6.localdomain6")
LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
LOCAL_PART = re.compile(rf'{ATEXT}+(\.{ATEXT}+)*|"([ !#-\[\]-~]|\\[ -~])*"')


def own_name(client: Client, address: str = "127.0.0.1") -> str:
    """What the client calls itself when nobody tells it."""
    exchange = client.submit_to_script(Manners(), address=address)
    commands = exchange.conversation.commands
    assert commands, f"the client said nothing; it says {exchange.report}"
    assert commands[0].verb in ("EHLO", "HELO"), f"the client opened with {commands[0].line!r}"
    return commands[0].argument.decode("latin-1")


def is_literal(name: str) -> bool:
    """Whether the name is an address literal for IPv4 or IPv6 (RFC 5321, section 4.1.3)."""
    if not (name.startswith("[") and name.endswith("]")):
        return False
    inside = name[1:-1]
    try:
        if inside[:5].upper() == "IPV6:":
            ipaddress.IPv6Address(inside[5:])
        else:
            ipaddress.IPv4Address(inside)
    except ValueError:
        return False
    return True


def names_of_this_machine() -> set[str]:
    """What the machine calls itself; a client that takes its name from there has invented nothing."""
    return {socket.gethostname().lower(), socket.getfqdn().lower()}


def is_qualified(name: str) -> bool:
    """Whether the name is a domain of several labels and no alias for every machine itself."""
    return "." in name.strip(".") and name.lower() not in LOCAL_ALIASES


def paths(exchange: Exchange, verb: str) -> list[bytes]:
    """The paths of all commands with this verb, on all connections."""
    return [command.path for talk in exchange.conversations for command in talk.all(verb)]


def local_part(path: bytes) -> str:
    """What stands before the last at sign."""
    return path.rpartition(b"@")[0].decode("latin-1")


@needs("local-name")
@clause("rfc5321-2.3.4-client-named-not-numbered", "rfc5321-2.3.5-ehlo-name-is-primary-or-literal")
def test_given_name_is_said(client: Client) -> None:
    """A client that has a host name gives it."""
    exchange = client.submit_to_script(Manners(), local_name="client.lab.example")

    line = exchange.conversation.commands[0].line
    assert line[5:] == b"client.lab.example", f"the client said {line!r}"


@clause("rfc5321-2.3.5-ehlo-name-is-primary-or-literal")
def test_own_name_is_the_hosts_or_a_literal(client: Client) -> None:
    """Left to itself the client gives a name that the machine calls itself, or an address literal."""
    name = own_name(client)

    assert is_literal(name) or name.lower() in names_of_this_machine(), f"the client calls itself {name!r}"


@clause("rfc5321-2.3.5-client-no-local-alias")
def test_own_name_is_no_local_alias(client: Client) -> None:
    """Left to itself the client makes up no name that holds on its own machine only."""
    name = own_name(client)

    # where the machine itself has an alias only, it is its keeper's; what a client does then is another case
    assert is_literal(name) or is_qualified(name) or name.lower() in names_of_this_machine(), (
        f"the client calls itself {name!r}"
    )


@clause("rfc5321-4.1.1.1-literal-when-nameless")
def test_nameless_client_gives_a_literal(client: Client) -> None:
    """Where the machine has no name in full, the client gives an address literal."""
    name = own_name(client)

    if not is_qualified(socket.getfqdn()):
        assert is_literal(name), f"the machine has no name in full; the client calls itself {name!r}"
    assert is_literal(name) or is_qualified(name), f"the client calls itself {name!r}"


@clause("rfc5321-4.1.2-client-name-ldh")
def test_own_name_is_letters_digits_and_hyphens(client: Client) -> None:
    """The labels of the client's own name hold letters, digits and hyphens only."""
    name = own_name(client)

    labels = [] if is_literal(name) else name.split(".")
    assert all(LABEL.fullmatch(label) for label in labels), f"the client calls itself {name!r}"


@pytest.mark.parametrize("address", LOOPBACK.values(), ids=LOOPBACK)
@clause("rfc5321-4.1.3-literal-syntax")
def test_literals_follow_the_syntax(client: Client, address: str) -> None:
    """An address that the client gives for a name is in brackets, with the tag IPv6: where it is one."""
    name = own_name(client, address)

    looks_like_an_address = name.startswith("[") or ":" in name or re.fullmatch(r"[0-9.]+", name)
    assert not looks_like_an_address or is_literal(name), f"the client calls itself {name!r}"


@clause("rfc5321-F.4-no-number-literals")
def test_hosts_are_not_numbered_with_a_hash(client: Client) -> None:
    """No command names a host by a number sign and digits."""
    exchange = client.submit_to_script(Manners())

    lines = [command.line for talk in exchange.conversations for command in talk.commands]
    assert lines, f"the client said nothing; it says {exchange.report}"
    assert not [line for line in lines if re.search(rb"[ @]#\d", line)], f"the client said {lines}"


LOCAL_PARTS = {
    "percent": "user%relay.example@lab.example",
    "bang": "relay.example!user@lab.example",
    "plus": "user+tag@lab.example",
    "quoted-space": '"john doe"@lab.example',
    "quoted-at": '"user@inside"@lab.example',
    "quoted-quote": '"a\\"b"@lab.example',
    "all-marks": "!#$%&'*+-/=?^_`{|}~@lab.example",
}
every_local_part = pytest.mark.parametrize("address", LOCAL_PARTS.values(), ids=LOCAL_PARTS)


@every_local_part
@clause("rfc5321-2.3.11-local-part-left-alone")
def test_local_parts_are_left_alone(client: Client, address: str) -> None:
    """A local-part is sent as it was given, in MAIL and in RCPT."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [address], sender=address))

    sent = [*paths(exchange, "MAIL"), *paths(exchange, "RCPT")]
    assert sent == [address.encode()] * 2, f"the client sent {sent}; it says {exchange.report}"


@every_local_part
@clause("rfc5321-4.1.1-client-local-part-syntax")
def test_local_parts_keep_their_syntax(client: Client, address: str) -> None:
    """What is sent for a local-part within the syntax is within it."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [address], sender=address))

    for path in [*paths(exchange, "MAIL"), *paths(exchange, "RCPT")]:
        assert LOCAL_PART.fullmatch(local_part(path)), f"the client sent {path!r}"


OUTSIDE_THE_SYNTAX = {
    "bare-space": "john doe@lab.example",
    "two-dots": "a..b@lab.example",
    "bare-quote": 'a"b@lab.example',
}


@pytest.mark.parametrize("address", OUTSIDE_THE_SYNTAX.values(), ids=OUTSIDE_THE_SYNTAX)
@clause("rfc5321-4.1.1-client-local-part-syntax")
def test_local_parts_outside_the_syntax_are_not_sent(client: Client, address: str) -> None:
    """A local-part that is neither a dot-string nor quoted is quoted, or not sent."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [address]))

    for command in _recipients(exchange):
        assert LOCAL_PART.fullmatch(local_part(command.path)), f"the client said {command.line!r}"


def _recipients(exchange: Exchange) -> list[Command]:
    return [command for talk in exchange.conversations for command in talk.all("RCPT")]


@clause("rfc5321-2.4-client-local-part-case")
def test_case_of_local_parts_is_kept(client: Client) -> None:
    """Capitals and small letters of a local-part stay what they are."""
    given = transaction(SMALL_MESSAGE, ["ReCipient.ONE@lab.example"], sender="SeNDer@lab.example")

    exchange = client.submit_to_script(Manners(), given)

    sent = [local_part(path) for path in (*paths(exchange, "MAIL"), *paths(exchange, "RCPT"))]
    assert sent == ["SeNDer", "ReCipient.ONE"], f"the client sent {sent}"


@every_local_part
@clause("rfc5321-3.3-no-source-routes", "rfc5321-3.6.1-no-invalid-source-routes")
def test_no_source_route_is_made(client: Client, address: str) -> None:
    """No path begins with a list of hosts, whatever the local-part looks like."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, [address], sender=address))

    sent = [*paths(exchange, "MAIL"), *paths(exchange, "RCPT")]
    assert sent, f"the client sent no path; it says {exchange.report}"
    assert not [path for path in sent if path.startswith(b"@")], f"the client sent {sent}"


@clause("rfc5321-4.1.2-minimal-quoting")
def test_needless_quotes_are_dropped(client: Client) -> None:
    """A local-part that needs no quotes is sent without them."""
    exchange = client.submit_to_script(Manners(), transaction(SMALL_MESSAGE, ['"user"@lab.example']))

    assert paths(exchange, "RCPT") == [b"user@lab.example"], f"the client sent {paths(exchange, 'RCPT')}"

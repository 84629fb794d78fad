"""What generated conversations leave out, because somebody is known to answer it otherwise, and which case says so.

Knows kinds of commands (``generated.py``) and names of hosts. An entry without a case of its own would hide a
difference: `test_differential.py` checks that there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exclusion:
    """One known difference.

    Attributes:
        host: whose answer is another than that of the rest.
        kinds: the kinds of commands that are not said to it.
        case: the case that judges it; ``None`` where the specification lets hosts choose.
        reason: what the host does.
    """

    host: str
    kinds: frozenset[str]
    case: str | None
    reason: str


def _known(host: str, case: str, reason: str, *kinds: str) -> Exclusion:
    return Exclusion(host, frozenset(kinds), f"smtp.server.{case}", reason)


def _choice(host: str, reason: str, *kinds: str) -> Exclusion:
    return Exclusion(host, frozenset(kinds), None, reason)


EXCLUSIONS: tuple[Exclusion, ...] = (
    _known(
        "postfix",
        "malformed-senders-are-refused[two-ats]",
        "takes what stands before the last @ for the local-part",
        "sender-two-ats",
    ),
    _known(
        "postfix",
        "senders-outside-the-grammar-are-refused",
        "takes a sender without local-part, with empty atoms, or with a literal left open",
        *("sender-no-local-part", "sender-two-dots-in-local-part", "sender-leading-dot"),
        *("sender-trailing-dot", "sender-open-literal"),
    ),
    _known(
        "postfix",
        "underscore-in-a-domain-is-answered-501",
        "takes an underscore for a letter",
        "sender-underscore",
    ),
    _known(
        "postfix",
        "invalid-characters-in-a-sender-are-answered-501[control]",
        "takes control characters in a local-part",
        "sender-control",
    ),
    _known(
        "postfix",
        "mail-refused-for-its-size-spoils-no-later-one",
        "refuses every MAIL after it, until RSET or EHLO",
        "size-above-limit",
    ),
    _known(
        "aiosmtpd",
        "errors-do-not-close-the-connection[unknown]",
        "closes the connection after five commands that it does not know",
        *("unknown", "unknown-512"),
    ),
    _known(
        "aiosmtpd",
        "malformed-senders-are-refused",
        "takes a sender whose bracket stays open, or with a space in its local-part",
        *("sender-open-bracket", "sender-space"),
    ),
    _known(
        "aiosmtpd",
        "malformed-recipients-are-refused[open-bracket]",
        "takes a recipient whose bracket stays open",
        "recipient-open-bracket",
    ),
    _known(
        "aiosmtpd",
        "senders-outside-the-grammar-are-refused",
        "takes empty atoms, an open quote, hyphens at the ends of labels, and literals that are no address",
        *("sender-two-dots-in-local-part", "sender-leading-dot", "sender-trailing-dot", "sender-open-quote"),
        *("sender-hyphen-first", "sender-hyphen-last", "sender-bad-literal"),
    ),
    _known(
        "aiosmtpd",
        "recipients-outside-the-grammar-are-refused",
        "takes a dot in front, and a space in the local-part",
        *("recipient-leading-dot", "recipient-space"),
    ),
    _known(
        "aiosmtpd",
        "underscore-in-a-domain-is-answered-501",
        "takes an underscore for a letter",
        "sender-underscore",
    ),
    _known(
        "aiosmtpd",
        "invalid-characters-in-a-sender-are-answered-501[control]",
        "takes control characters in a local-part",
        "sender-control",
    ),
    _known(
        "twisted",
        "noop-leaves-the-transaction",
        "does not know NOOP",
        *("noop", "noop-argument", "noop-512", "trailing-space"),
    ),
    _known(
        "twisted",
        "parameters-where-none-are-allowed",
        "carries out RSET and DATA with an argument",
        *("rset-argument", "data-argument"),
    ),
    _choice(
        "twisted",
        "RFC 5321, section 4.1.4, says how an EHLO that is not acceptable is refused, and leaves what is acceptable to "
        "the host: here it is one without a name.",
        "greeting-without-name",
    ),
    _known(
        "twisted",
        "malformed-senders-are-refused",
        "takes a sender without domain, or with an empty label",
        *("sender-no-domain", "sender-two-dots-in-domain"),
    ),
    _known(
        "twisted",
        "senders-outside-the-grammar-are-refused",
        "takes empty atoms, and hyphens at the ends of labels",
        *("sender-two-dots-in-local-part", "sender-leading-dot", "sender-trailing-dot"),
        *("sender-hyphen-first", "sender-hyphen-last"),
    ),
    _known(
        "twisted",
        "recipients-outside-the-grammar-are-refused[leading-dot]",
        "takes a dot in front",
        "recipient-leading-dot",
    ),
    _known(
        "twisted",
        "underscore-in-a-domain-is-answered-501",
        "takes an underscore for a letter",
        "sender-underscore",
    ),
    _known(
        "twisted",
        "endless-command-lines-have-one-reply",
        "answers each part in which the line comes",
        "endless-line",
    ),
    _known(
        "twisted",
        "quoted-pairs-in-a-sender-are-understood",
        "calls them errors of syntax",
        "sender-quoted-pair",
    ),
    _choice(
        "twisted",
        "RFC 5321, section 3.3, lets a host refuse a sender that it does not want: here it is an address literal.",
        *("sender-literal", "sender-ipv6-literal"),
    ),
    _known(
        "twisted",
        "unknown-parameters-are-answered-555",
        "looks at no parameters",
        *("sender-stuff-after", "sender-bare-parameter-name", "sender-unknown-parameter"),
        *("recipient-stuff-after", "recipient-unknown-parameter", "recipient-mail-parameter"),
    ),
)


def left_out(hosts: Iterable[str]) -> frozenset[str]:
    """The kinds of commands that conversations between these hosts leave out."""
    names = set(hosts)
    return frozenset(kind for entry in EXCLUSIONS if entry.host in names for kind in entry.kinds)

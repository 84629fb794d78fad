"""The grammar that both exemplars obey: paths, mailboxes, parameters, xtext, base64, prepared names.

Knows RFC 5321, section 4.1.2, with the additions of RFC 6531, section 3.3, and RFC 4954, section 4. Must not
know sockets, sessions or anything of the lab: the exemplars are judged like any implementation.
"""

from __future__ import annotations

import binascii
import re
import socket
import stringprep
import unicodedata
from dataclasses import dataclass

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\ud7ff\ue000-\U0010ffff-]"
_LABEL = r"[A-Za-z0-9\u0080-\ud7ff\ue000-\U0010ffff](?:[A-Za-z0-9\u0080-\ud7ff\ue000-\U0010ffff-]*[A-Za-z0-9\u0080-\ud7ff\ue000-\U0010ffff])?"
DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
QUOTED = re.compile(r'"(?:[ !#-\[\]-~\u0080-\ud7ff\ue000-\U0010ffff]|\\[ -~])*"')
DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
ROUTE = re.compile(rf"@{_LABEL}(?:\.{_LABEL})*(?:,@{_LABEL}(?:\.{_LABEL})*)*:")
KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
VALUE = re.compile(r"[!-<>-~\u0080-\ud7ff\ue000-\U0010ffff]+")
XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
# RFC 6533, section 3: an address in \x{…} form, or in UTF-8 where the session allows it
UTF8_ADDRESS = re.compile(r"(?:[!-*,-<>-~\u0080-\ud7ff\ue000-\U0010ffff]|\+[0-9A-F]{2}|\\x\{[0-9A-F]+\})+")


class BadSyntax(ValueError):
    """Text does not follow the grammar; the message says what is wrong, in ASCII."""


@dataclass(frozen=True, slots=True)
class Path:
    """What stood between the angle brackets, without its source route.

    Attributes:
        local: the local-part as it was written; empty in the null path.
        domain: empty in the null path and in the bare ``postmaster``.
    """

    local: str
    domain: str

    @property
    def mailbox(self) -> str:
        """The address as it was written."""
        return f"{self.local}@{self.domain}" if self.domain else self.local

    @property
    def ascii_only(self) -> bool:
        """Whether it needs no SMTPUTF8."""
        return self.mailbox.isascii()


def split_brackets(text: str) -> tuple[str, str]:
    """What stands between the leading ``<`` and its ``>``, and the rest; a ``>`` inside quotes ends nothing.

    Raises:
        BadSyntax: there is no such pair.
    """
    found = re.match(r'<((?:"(?:\\.|[^"\\])*"|[^">])*)>', text)
    if found is None:
        raise BadSyntax("an address stands in angle brackets")
    return found[1], text[found.end() :]


def parse_path(inner: str) -> Path:
    """The mailbox of a path; a source route before it is ignored (RFC 5321, appendix C).

    Raises:
        BadSyntax: it is none.
    """
    route = ROUTE.match(inner)
    if route is not None:
        inner = inner[route.end() :]
    local = QUOTED.match(inner) or DOT_STRING.match(inner)
    if local is None or inner[local.end() : local.end() + 1] != "@":
        raise BadSyntax("an address is local-part@domain")
    domain = inner[local.end() + 1 :]
    if not is_domain(domain):
        raise BadSyntax("the domain of the address is malformed")
    return Path(local[0], domain)


def is_domain(text: str) -> bool:
    """Whether it is a domain name or an address literal (RFC 5321, section 4.1.3)."""
    if text.startswith("["):
        return is_literal(text)
    return DOMAIN.fullmatch(text) is not None and all(len(label) <= 63 for label in text.split("."))


def is_literal(text: str) -> bool:
    """Whether it is an address literal of IPv4 or IPv6."""
    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else ""
    family, address = (socket.AF_INET, inner)
    if inner[:5].upper() == "IPV6:":
        family, address = socket.AF_INET6, inner[5:]
    try:
        socket.inet_pton(family, address)
    except (OSError, ValueError):
        return False
    return True


def is_host(text: str) -> bool:
    """Whether it may stand in EHLO: letters, digits, hyphens and dots, or an address literal."""
    return is_literal(text) if text.startswith("[") else HOST.fullmatch(text) is not None


def plain_local(local: str) -> str:
    """The local-part with as little quoting as possible: all quoted forms of one come out alike."""
    if not local.startswith('"'):
        return local
    content = re.sub(r"\\(.)", r"\1", local[1:-1])
    if DOT_STRING.fullmatch(content):
        return content
    return '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'


def parse_parameters(rest: str) -> list[tuple[str, str | None]]:
    """ESMTP parameters in order, keywords in capitals; the value is ``None`` where there is no equals sign.

    Raises:
        BadSyntax: the text after the path follows another form.
    """
    if rest and not rest.startswith(" "):
        raise BadSyntax("a space goes between path and parameters")
    found: list[tuple[str, str | None]] = []
    for word in rest.split():
        keyword, equals, value = word.partition("=")
        if not KEYWORD.fullmatch(keyword) or (equals and not VALUE.fullmatch(value)):
            raise BadSyntax(f"{word!a} is no parameter")
        found.append((keyword.upper(), value if equals else None))
    return found


def decode_base64(text: bytes) -> bytes:
    """The octets of strict base64 (RFC 4954, section 4): no foreign characters, padding at the end alone.

    Raises:
        BadSyntax: it is none.
    """
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise BadSyntax("not base64") from error


def prepare_name(name: str) -> str:
    """The name as SASLprep makes it (RFC 4013).

    Raises:
        BadSyntax: it holds what is prohibited, or nothing is left of it.
    """
    if name.isascii():
        prepared = name
    else:
        mapped = (
            " " if stringprep.in_table_c12(sign) else sign
            for sign in name
            if not stringprep.in_table_b1(sign)
        )
        prepared = unicodedata.normalize("NFKC", "".join(mapped))
        prohibited = (
            *(
                stringprep.in_table_c12,
                stringprep.in_table_c21_c22,
                stringprep.in_table_c3,
                stringprep.in_table_c4,
            ),
            *(stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8),
            *(stringprep.in_table_c9, stringprep.in_table_a1),
        )
        if any(table(sign) for sign in prepared for table in prohibited) or _mixes_directions(prepared):
            raise BadSyntax("the name holds a prohibited character")
    if not prepared or any(sign < " " or sign == "\x7f" for sign in prepared):
        raise BadSyntax("the name is empty or holds a control character")
    return prepared


def _mixes_directions(text: str) -> bool:
    """Whether it breaks RFC 3454, section 6: right-to-left text stands alone and at both ends."""
    if not any(stringprep.in_table_d1(sign) for sign in text):
        return False
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return not ends or any(stringprep.in_table_d2(sign) for sign in text)

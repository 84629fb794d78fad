"""The certificates that scripted hosts show to clients: the right one, and each way of being wrong.

Knows what each kind is for (RFC 5280, RFC 6125, RFC 7817). Must not know what a client makes of it.
"""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable
from pathlib import Path

from lab.wire.authority import WRONG_NAME, Authority, Leaf
from lab.wire.contexts import server_context
from suites.smtp.mailhost import SERVER_NAMES

HOST = "localhost"
#: What a scripted host calls itself in greeting and EHLO reply, to see whether a client believes it.
CLAIMED = "mx.other.example"

_Maker = Callable[[Authority, Authority, str], Leaf]

#: Certificates for which no client may take the host for the one it wanted.
UNSOUND: dict[str, _Maker] = {
    "unknown-authority": lambda _, stranger, name: stranger.issue(name, SERVER_NAMES),
    "expired": lambda ours, _, name: ours.issue_expired(name, SERVER_NAMES),
    "not-yet-valid": lambda ours, _, name: ours.issue_not_yet_valid(name, SERVER_NAMES),
    "self-signed": lambda ours, _, name: ours.issue_self_signed(name, HOST),
    "signed-by-no-authority": lambda ours, _, name: ours.issue_by_leaf(name, SERVER_NAMES),
    "other-name": lambda ours, _, name: ours.issue_wrong_name(name),
}
#: Further ones, each for a rule about names or chains.
SPECIAL: dict[str, _Maker] = {
    "right": lambda ours, _, name: ours.issue(name, SERVER_NAMES),
    "right-rsa": lambda ours, _, name: ours.issue(name, SERVER_NAMES, rsa=True),
    "by-intermediate": lambda ours, _, name: ours.issue_by_intermediate(name, SERVER_NAMES),
    "host-alone": lambda ours, _, name: ours.issue(name, [HOST]),
    "claimed-name": lambda ours, _, name: ours.issue(name, [CLAIMED]),
    "several-names": lambda ours, _, name: ours.issue(name, [WRONG_NAME, CLAIMED, HOST]),
    "common-name-alone": lambda ours, _, name: ours.issue(name, [WRONG_NAME], common_name=HOST),
    "alternative-name-alone": lambda ours, _, name: ours.issue(name, [HOST], common_name=WRONG_NAME),
}


class Certificates:
    """Issues each kind once, when it is first wanted.

    Args:
        authority: the one that clients under test trust.
        folder: where another authority, that nobody trusts, may live.
    """

    def __init__(self, authority: Authority, folder: Path) -> None:
        self._authority = authority
        self._folder = folder
        self._stranger: Authority | None = None
        self._leaves: dict[str, Leaf] = {}

    def context(self, kind: str) -> ssl.SSLContext:
        """A fresh server context that shows a certificate of this kind (the keys of ``UNSOUND`` and ``SPECIAL``)."""
        return server_context(self._leaf(kind))

    def held_to(
        self, version: ssl.TLSVersion, *, ciphers: str | None = None, kind: str = "right"
    ) -> ssl.SSLContext:
        """A server context that speaks this version of TLS alone, with these cipher suites where given."""
        context = self.context(kind)
        with warnings.catch_warnings():
            # the point is to offer what ssl advises against
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = version
            context.maximum_version = version
        if ciphers is not None:
            context.set_ciphers(ciphers)
        return context

    def asking(self) -> ssl.SSLContext:
        """A server context that asks for a client certificate and does without."""
        context = self.context("right")
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(self._authority.certificate)
        return context

    def _leaf(self, kind: str) -> Leaf:
        if kind not in self._leaves:
            if self._stranger is None:
                self._stranger = Authority.create(self._folder, name="An authority nobody trusts")
            maker = {**UNSOUND, **SPECIAL}[kind]
            self._leaves[kind] = maker(self._authority, self._stranger, f"client-case-{kind}")
        return self._leaves[kind]

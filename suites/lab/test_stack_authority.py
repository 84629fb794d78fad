"""The lab's certificates: those that hold, and those that must be refused.

Knows TLS as a client sees it; both ends are in memory.
"""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lab.wire.authority import Authority, Leaf


def shake_hands(trusted: Authority, leaf: Leaf, name: str) -> None:
    """Let a client that trusts one authority meet a server with this leaf; raises what the client says."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(leaf.certificate, leaf.key)
    client_context = ssl.create_default_context(cafile=str(trusted.certificate))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _flight in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of the test's own."""
    return Authority.create(tmp_path / "tls")


@pytest.mark.parametrize("name", ["localhost", "mx.lab.example", "127.0.0.1", "::1", "user3.lab.example"])
def test_a_sound_leaf_is_accepted_for_each_of_its_names(authority: Authority, name: str) -> None:
    """Names, addresses of both families, and one level below the domain."""
    leaf = authority.issue("server", ["localhost", "127.0.0.1", "::1", "mx.lab.example", "*.lab.example"])
    shake_hands(authority, leaf, name)


def test_an_expired_leaf_is_refused(authority: Authority) -> None:
    """Its time was over yesterday."""
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(authority, authority.issue_expired("old", ["localhost"]), "localhost")


def test_a_leaf_of_tomorrow_is_refused(authority: Authority) -> None:
    """Its time has not come."""
    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
        shake_hands(authority, authority.issue_not_yet_valid("new", ["localhost"]), "localhost")


def test_a_leaf_for_another_name_is_refused(authority: Authority) -> None:
    """Sound, but for elsewhere."""
    with pytest.raises(ssl.SSLCertVerificationError, match="ostname mismatch"):
        shake_hands(authority, authority.issue_wrong_name("other"), "localhost")


def test_a_leaf_of_another_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    """Nobody here trusts it."""
    other = Authority.create(tmp_path / "other", name="Somebody else")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
        shake_hands(authority, other.issue("server", ["localhost"]), "localhost")


def test_an_authority_is_kept_and_its_key_is_its_owners(authority: Authority) -> None:
    """Loaded again it issues leaves that clients of the first accept; its key stays closed to others."""
    again = Authority.at(authority.folder)
    shake_hands(authority, again.issue("server", ["localhost"]), "localhost")
    assert authority.folder.stat().st_mode & 0o077 == 0
    assert (authority.folder / "ca.key").stat().st_mode & 0o077 == 0


def test_a_damaged_authority_is_not_silently_replaced(authority: Authority) -> None:
    """Clients may hold the old certificate: a new one in its place would only puzzle them."""
    authority.certificate.write_text("no certificate")
    with pytest.raises(ValueError, match=r"."):
        Authority.at(authority.folder)

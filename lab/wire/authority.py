"""The lab's certificate authority. Knows X.509 as the tests need it, nothing of which server uses a certificate.

Each lab makes its own authority, and keeps it in a folder that only its owner can enter. Beside certificates that hold
it issues those that must be refused: expired, not valid yet, for another name, signed by itself or by a certificate
that may not sign; one of another authority comes from `Authority.create` in another folder.
"""

from __future__ import annotations

import datetime as dt
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CA_CERTIFICATE = "ca.pem"
CA_KEY = "ca.key"
WRONG_NAME = "elsewhere.example"


@dataclass(frozen=True)
class Leaf:
    """A certificate with its key, as PEM files. `certificate` holds the chain, leaf first."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority whose files live in `folder`: `ca.pem` is what a client under test trusts."""

    def __init__(self, folder: Path, certificate: bytes, key: bytes) -> None:
        # Loaded late: the library brings in all of `cryptography`, which most commands never need.
        import trustme

        self.folder = folder
        self._ca = trustme.CA.from_pem(certificate, key)

    @property
    def certificate(self) -> Path:
        """The authority's certificate, PEM."""
        return self.folder / CA_CERTIFICATE

    @classmethod
    def create(cls, folder: Path, *, name: str = "Erle Lab test authority") -> Authority:
        """Make a new authority in `folder`, in place of one that may be there."""
        import trustme

        fresh = trustme.CA(organization_name=name, organization_unit_name="not for use outside the lab")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(folder / CA_KEY, fresh.private_key_pem.bytes(), 0o600)
        _write(folder / CA_CERTIFICATE, fresh.cert_pem.bytes(), 0o644)
        return cls(folder, fresh.cert_pem.bytes(), fresh.private_key_pem.bytes())

    @classmethod
    def load(cls, folder: Path) -> Authority:
        """Return the authority kept in `folder`. Raises `OSError` where there is none, `ValueError` if it is damaged."""
        return cls(folder, (folder / CA_CERTIFICATE).read_bytes(), (folder / CA_KEY).read_bytes())

    @classmethod
    def at(cls, folder: Path) -> Authority:
        """Return the authority kept in `folder`, made if there is none."""
        try:
            return cls.load(folder)
        except FileNotFoundError:
            return cls.create(folder)

    def issue(
        self,
        name: str,
        identities: Sequence[str],
        *,
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
        common_name: str | None = None,
        rsa: bool = False,
    ) -> Leaf:
        """Issue a leaf for DNS names and IP addresses as `<folder>/<name>.pem` and `.key`.

        The common name is the first of them where no other is given; the key is ECDSA unless `rsa` is asked for.
        The key is readable by all who can enter the folder, because servers read it as users of their own.
        """
        import trustme

        issued = self._ca.issue_cert(
            *identities,
            common_name=common_name or identities[0],
            not_before=not_before,
            not_after=not_after,
            key_type=trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA,
        )
        return self._keep(
            name, issued.private_key_pem.bytes(), *(part.bytes() for part in issued.cert_chain_pems)
        )

    def _keep(self, name: str, key: bytes, *chain: bytes) -> Leaf:
        leaf = Leaf(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        _write(leaf.key, key, 0o644)
        _write(leaf.certificate, b"".join(chain), 0o644)
        return leaf

    def issue_expired(self, name: str, identities: Sequence[str]) -> Leaf:
        """Issue a leaf whose time is over since yesterday (RFC 5280 section 4.1.2.5)."""
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        return self.issue(name, identities, not_before=now - 30 * day, not_after=now - day)

    def issue_not_yet_valid(self, name: str, identities: Sequence[str]) -> Leaf:
        """Issue a leaf whose time begins tomorrow."""
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        return self.issue(name, identities, not_before=now + day, not_after=now + 30 * day)

    def issue_wrong_name(self, name: str) -> Leaf:
        """Issue a leaf that is sound but for a host that the lab has not got (RFC 6125 section 6.4)."""
        return self.issue(name, [WRONG_NAME])

    def issue_by_intermediate(self, name: str, identities: Sequence[str]) -> Leaf:
        """Issue a sound leaf by way of an intermediate authority, whose certificate is in the chain."""
        issued = self._ca.create_child_ca().issue_cert(*identities, common_name=identities[0])
        return self._keep(
            name, issued.private_key_pem.bytes(), *(part.bytes() for part in issued.cert_chain_pems)
        )

    def issue_by_leaf(self, name: str, identities: Sequence[str]) -> Leaf:
        """Issue a leaf that another leaf signed, which is no authority (RFC 5280 section 6.1.4, steps k and n)."""
        import trustme

        signer = self.issue(f"{name}-signer", identities)
        certificate = signer.certificate.read_bytes()
        issued = trustme.CA.from_pem(certificate, signer.key.read_bytes()).issue_cert(
            *identities, common_name=identities[0]
        )
        return self._keep(
            name, issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes(), certificate
        )

    def issue_self_signed(self, name: str, host: str) -> Leaf:
        """Issue a leaf for a DNS name that vouches for itself, and of which this authority knows nothing."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, host)])
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return self._keep(name, secret, certificate.public_bytes(pem))


def _write(path: Path, octets: bytes, mode: int) -> None:
    """Put a file in place at once and with its mode: another process of the lab may be reading."""
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as stream:
        stream.write(octets)
        os.fchmod(stream.fileno(), mode)
    Path(temporary).replace(path)

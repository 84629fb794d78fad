"""The lab's secrets on disk: the test users' passwords and the servers' certificate. Knows no server.

Made once for each lab, in `.erle/`, which only its owner can enter. A password is never in an argument list or a log.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.stack.project import Lab, make_state
from lab.wire.authority import Authority, Leaf

PASSWORD_OCTETS = 18
SERVER_LEAF = "server"


@dataclass(frozen=True)
class Account:
    """A test user: mail, home and virtual host of its own, so that parallel tests do not meet."""

    name: str
    password: str
    address: str

    def __repr__(self) -> str:
        return f"Account({self.name!r})"


def password_file(lab: Lab) -> Path:
    """Return the path of the one password file: a line `name:password` for each user."""
    return lab.state / "secrets/passwords"


def accounts(lab: Lab) -> dict[str, Account]:
    """Return the lab's test users by name, made if this lab has none yet."""
    prepare_passwords(lab)
    domain = lab.accounts().domain
    pairs = (line.split(":", 1) for line in password_file(lab).read_text(encoding="ascii").splitlines())
    return {name: Account(name, password, f"{name}@{domain}") for name, password in pairs}


def authority(lab: Lab) -> Authority:
    """Return the lab's certificate authority, made if it has none yet."""
    make_state(lab)
    return Authority.at(lab.state / "tls")


def prepare(lab: Lab) -> None:
    """Make what the servers mount: passwords and the certificate. What is there is kept."""
    prepare_passwords(lab)
    folder = lab.state / "tls"
    leaf = Leaf(folder / f"{SERVER_LEAF}.pem", folder / f"{SERVER_LEAF}.key")
    if leaf.certificate.exists() and leaf.key.exists():
        return
    domain = lab.accounts().domain
    names = ["localhost", "127.0.0.1", "::1", f"mx.{domain}", domain, f"*.{domain}", *lab.servers()]
    authority(lab).issue(SERVER_LEAF, names)


def prepare_passwords(lab: Lab) -> None:
    """Make the password file unless every declared user stands in it."""
    make_state(lab)
    path = password_file(lab)
    wanted = lab.accounts().names()
    try:
        known = [line.split(":", 1)[0] for line in path.read_text(encoding="ascii").splitlines()]
    except FileNotFoundError:
        known = []
    if known == wanted:
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.writelines(f"{name}:{secrets.token_urlsafe(PASSWORD_OCTETS)}\n" for name in wanted)
        # Readable inside the containers, where servers run as users of their own; the folder above keeps others out.
        os.fchmod(stream.fileno(), 0o644)
    Path(temporary).replace(path)

"""What the SMTP server commands here do alike: configuration in, ready line out, a mail drop, an end.

Knows files, standard input and output. Must not know any SMTP library, nor a rule of the protocol beyond
which addresses belong to this host.
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Configuration:
    """One JSON object on the first line of standard input.

    Without `certificate` (PEM chain) and `key` (PEM) the server speaks no TLS. `maximum_size` is in octets.
    """

    host: str
    hostname: str
    certificate: str | None
    key: str | None
    users: dict[str, str]
    maximum_size: int
    domains: list[str]
    deliver_to: str

    def is_local(self, address: str) -> bool:
        """Whether mail for `address` is accepted: any mailbox of our domains, and the postmaster of this host.

        RFC 5321, section 4.5.1: `postmaster` is to be accepted without a domain, too.
        """
        mailbox, _, domain = address.lower().rpartition("@")
        if mailbox and domain in {name.lower() for name in self.domains}:
            return True
        return address.lower() in {"postmaster", f"postmaster@{self.hostname.lower()}"}

    def is_user(self, name: bytes, password: bytes) -> bool:
        """Whether `password` is the one of user `name` (both as they came off the wire)."""
        known = {user.encode(): secret.encode() for user, secret in self.users.items()}
        return hmac.compare_digest(known.get(name, b""), password) and name in known


def read_configuration() -> Configuration:
    """Read the configuration line; exit with one line on standard error when it is not one."""
    try:
        return Configuration(**json.loads(sys.stdin.buffer.readline()))
    except (ValueError, TypeError) as error:
        sys.exit(f"configuration expected on the first line of standard input: {error}")


def announce(plain: int, tls: int | None) -> None:
    """Tell the parent process which ports are open."""
    print(json.dumps({"ready": {"plain": plain, "tls": tls}}), flush=True)


def terminate_at_end_of_input() -> None:
    """Make the end of standard input mean the same as SIGTERM, so that no server outlives its parent."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-of-input", daemon=True).start()


def deliver(
    directory: str, sender: str, recipients: Iterable[str], options: Iterable[str], octets: bytes
) -> None:
    """Store a message durably: `<unique>.eml` first, then `<unique>.json`, which says that it is complete.

    The names are made here; nothing that came off the wire gets into one. Raises OSError; then neither stays.
    """
    name = uuid.uuid4().hex
    message, envelope = Path(directory, f"{name}.eml"), Path(directory, f"{name}.json")
    facts = {"from": sender, "to": [*recipients], "options": [*options], "file": message.name}
    try:
        _place(message, octets)
        _place(envelope, json.dumps(facts).encode("ascii"))
    except OSError:
        for path in (envelope, message):
            path.unlink(missing_ok=True)
        raise


def _place(path: Path, octets: bytes) -> None:
    """Write, sync, rename into place, and sync the directory, so that the name survives a crash too."""
    unfinished = path.with_suffix(".part")
    try:
        with unfinished.open("xb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

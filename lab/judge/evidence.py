"""What a case gathers while it runs: transcripts, secrets to mask, who the peer was.

Knows how evidence is kept beside a verdict. Must not know any protocol.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

from lab.wire.transcript import Transcript


class Evidence:
    """The evidence of one attempt at one case."""

    def __init__(self) -> None:
        self.peer = "-"
        self.peer_kind = "-"
        #: Says why the peer is down, or ``None`` while it serves; asked only when a case failed.
        self.peer_trouble: Callable[[], str | None] | None = None
        self._transcripts: list[Transcript] = []
        self._secrets: set[bytes] = set()

    def add(self, transcript: Transcript) -> Transcript:
        """Keep a transcript; it is written when the case has ended."""
        self._transcripts.append(transcript)
        return transcript

    @property
    def transcripts(self) -> tuple[Transcript, ...]:
        """What was kept so far."""
        return tuple(self._transcripts)

    def mask(self, username: str, password: str) -> None:
        """Keep a password out of what is written, in the forms in which SASL carries it."""
        name, secret = username.encode(), password.encode()
        self._secrets.add(secret)
        for plain in (secret, b"\0%b\0%b" % (name, secret), b"%b\0%b\0%b" % (name, name, secret)):
            self._secrets.add(base64.b64encode(plain))

    def write(self, directory: Path, case: str, attempt: str) -> list[str]:
        """Write the transcripts under ``directory``/transcripts; returns their paths relative to it."""
        folder = directory / "transcripts"
        folder.mkdir(parents=True, exist_ok=True)
        # the case's name comes from our own sources, the digest keeps it unique and the file name short
        stem = f"{case.partition('[')[0]}-{hashlib.sha256(attempt.encode()).hexdigest()[:12]}"
        names: list[str] = []
        for number, transcript in enumerate(self._transcripts):
            name = f"transcripts/{stem}-{number}.jsonl"
            transcript.write(directory / name, mask=self._secrets)
            names.append(name)
        return names

    def close(self) -> None:
        """Let go of the transcripts: thousands of cases would hold theirs until the run ends."""
        for transcript in self._transcripts:
            transcript.close()
        self._transcripts.clear()

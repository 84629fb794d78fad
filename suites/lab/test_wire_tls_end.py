"""Holds that a TLS stream's end with a close alert is told from one without, and who showed a certificate."""

from __future__ import annotations

import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from lab.wire.authority import Authority
from lab.wire.contexts import client_context, server_context
from lab.wire.script import SMALL_SEGMENT, ScriptedPeer
from lab.wire.stream import RecordedStream


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority of this module's own."""
    return Authority.create(tmp_path_factory.mktemp("tls"))


def leave(authority: Path, port: int, *, politely: bool) -> None:
    """Connect with TLS, say a word and go, with or without a close alert."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as sock:
        secured = client_context(authority).wrap_socket(sock, server_hostname="localhost")
        secured.sendall(b"word")
        if politely:
            secured.settimeout(0)
            # the alert is sent at once; the other end may not have answered yet, or have closed already
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError):
                secured.unwrap()
        secured.close()


@pytest.mark.parametrize("politely", [True, False], ids=["with-alert", "without-alert"])
def test_close_alert_is_noticed(authority: Authority, *, politely: bool) -> None:
    """Either end gives EOF and what was said; only one of them is a truncated stream."""
    seen: list[tuple[bytes, str | None, bool, bytes | None]] = []
    context = server_context(authority.issue(f"end-{politely}", ["localhost"]))

    def listen(stream: RecordedStream) -> None:
        stream.start_tls(context)
        said = stream.receive_to_end()
        seen.append((said, stream.ended, stream.truncated, stream.peer_certificate))

    with ScriptedPeer(listen) as peer:
        leave(authority.certificate, peer.endpoint.port, politely=politely)

    assert seen == [(b"word", "eof", not politely, None)]


def _listen(stream: RecordedStream) -> None:
    stream.receive_to_end()


def test_small_window_means_small_segments() -> None:
    """Connections to a peer with a small window have small segments from the start; others have the system's."""
    sizes: list[int] = []

    for window in (4096, None):
        with ScriptedPeer(_listen, window=window) as peer, peer.endpoint.connect(5.0) as sock:
            sizes.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG))

    assert sizes[0] <= SMALL_SEGMENT < sizes[1], f"segments of {sizes} octets"

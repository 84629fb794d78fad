"""Holds that the reference servers are what their names say: TLS, SASL, text authentication, four apart from each other."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from lab.stack.project import Lab
from lab.stack.service import Service
from lab.wire.contexts import client_context
from lab.wire.driver import connect
from lab.wire.endpoint import Endpoint
from lab.wire.stream import RecordedStream
from suites.memcached.exchange import Login
from suites.memcached.hosts import PORT, SHARDS
from suites.memcached.operations import new_key
from suites.memcached.session import Session

pytestmark = pytest.mark.docker

HEADER = struct.Struct("!BBHBBHIIQ")


@pytest.fixture
def services(reference_services: Mapping[str, Service] | None) -> Mapping[str, Service]:
    """The running services."""
    if reference_services is None:
        pytest.skip("no reference server runs")
    return reference_services


def at(services: Mapping[str, Service], name: str) -> Endpoint:
    """Where a service listens."""
    return Endpoint(*services[name].endpoint(PORT))


def test_tls_shows_the_certificate_of_the_lab(services: Mapping[str, Service], lab: Lab) -> None:
    """The certificate is one of the lab's authority for this host, and the text protocol is spoken inside."""
    with connect(at(services, "memcached-tls")) as stream:
        stream.start_tls(client_context(lab.state / "tls" / "ca.pem"), server_name="localhost")

        assert Session(stream).in_step()


def sasl_plain(stream: RecordedStream, login: Login, password: str) -> int:
    """The status with which SASL PLAIN is answered in the binary protocol (0 is success, 0x20 failure)."""
    value = f"\0{login.username}\0{password}".encode()
    stream.send(HEADER.pack(0x80, 0x21, 5, 0, 0, 0, 5 + len(value), 0, 0) + b"PLAIN" + value)
    answer = HEADER.unpack(stream.receive_exactly(HEADER.size))
    stream.receive_exactly(answer[6])
    status: int = answer[5]
    return status


def test_sasl_takes_the_right_password_alone(services: Mapping[str, Service], login: Login) -> None:
    """SASL PLAIN succeeds with the right password, and not with another."""
    with connect(at(services, "memcached-sasl")) as stream:
        assert sasl_plain(stream, login, "wrong") == 0x20
        assert sasl_plain(stream, login, login.password) == 0


def test_text_authentication_is_asked_for(services: Mapping[str, Service]) -> None:
    """Without credentials the text protocol is refused."""
    with connect(at(services, "memcached-auth")) as stream:
        assert Session(stream).ask(b"get k").startswith(b"CLIENT_ERROR ")


def test_shards_share_nothing(services: Mapping[str, Service]) -> None:
    """What one of the four has stored the others have not."""
    key = new_key()
    with connect(at(services, SHARDS[0])) as stream:
        Session(stream).put(key, b"data")
    for name in SHARDS[1:]:
        with connect(at(services, name)) as stream:
            assert Session(stream).data(key) is None

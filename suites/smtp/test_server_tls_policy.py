"""Servers: which TLS there is, on which ports, and what is said outside it (RFC 8314)."""

from __future__ import annotations

import base64
import re
import ssl

import pytest

from lab.judge.marks import clause, cuts, needs, role
from lab.judge.verdict import Unsupported
from lab.wire.stream import RecordedStream, StreamError
from suites.smtp.mailhost import Account, PortName
from suites.smtp.message import message
from suites.smtp.parameters import SECURE_PORTS
from suites.smtp.sasl import credentials
from suites.smtp.session import DRIVER_NAME, SmtpSession
from suites.smtp.subjects import Server

pytestmark = role("server")

#: RFC 7525, section 4.2, and RFC 9325, section 4.2: OpenSSL's name → the registered one.
RECOMMENDED_SUITES = {
    f"{exchange}-{signature}-AES{bits}-GCM-{digest}": f"TLS_{exchange}_{signature}_WITH_AES_{bits}_GCM_{digest}"
    for exchange, signature in (("ECDHE", "RSA"), ("ECDHE", "ECDSA"), ("DHE", "RSA"))
    for bits, digest in ((128, "SHA256"), (256, "SHA384"))
}

# TLS records and handshake messages (RFC 5246, sections 6.2.1 and 7.4).
HANDSHAKE_RECORD = 22
CERTIFICATE_REQUEST = 13
SERVER_HELLO_DONE = 14


def held_to(server: Server, version: ssl.TLSVersion) -> ssl.SSLContext:
    """A context that speaks one version of TLS only."""
    context = server.new_context()
    context.minimum_version = context.maximum_version = version
    return context


def server_flight(stream: RecordedStream, context: ssl.SSLContext) -> list[int]:
    """Send a ClientHello of TLS 1.2; the types of the handshake messages that answer it, in order.

    Raises:
        Unsupported: the server does not speak TLS 1.2, whose handshake alone is in the clear.
    """
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    stream.send(outgoing.read())
    messages, types = b"", list[int]()
    while SERVER_HELLO_DONE not in types:
        kind, length = (head := stream.receive_exactly(5))[0], int.from_bytes(head[3:5], "big")
        if kind != HANDSHAKE_RECORD:
            raise Unsupported("the server does not speak TLS 1.2, whose handshake alone can be read")
        messages += stream.receive_exactly(length)
        while len(messages) >= 4 and len(messages) >= 4 + (size := int.from_bytes(messages[1:4], "big")):
            types.append(messages[0])
            messages = messages[4 + size :]
    return types


def received_field(stored: bytes) -> str:
    """The topmost Received field in one line."""
    found = re.search(rb"(?im)^Received:[^\n]*\n(?:[ \t][^\n]*\n)*", stored)
    assert found, f"there is no Received field: {stored!r}"
    return " ".join(found[0].decode("ascii", "backslashreplace").split())


def submitted_over_tls(server: Server) -> tuple[str, str]:
    """Submit a message over TLS: its topmost Received field, and the registered name of the cipher suite."""
    token, recipient = server.recipient()
    session = server.authenticated("submission")
    reply = session.deliver(recipient, message())
    assert reply.code == 250, f"the message was answered {reply}"
    (stored,) = server.arrived(token)
    cipher = session.stream.cipher
    assert cipher is not None, "the session is not inside TLS"
    return received_field(stored), RECOMMENDED_SUITES.get(cipher[0], cipher[0])


@needs("implicit-tls")
@cuts("whole")  # waits for silence
@clause("rfc8314-3.3-implicit-tls-handshake-first")
def test_the_tls_port_waits_for_the_handshake(server: Server) -> None:
    """On the port for TLS from the start the server says nothing before the handshake, and greets inside."""
    stream = server.open("tls")

    early = stream.receive_what_comes(0.1)

    assert early == b"", f"before the handshake the server said {early!r}"
    stream.start_tls(server.new_context(), server_name="localhost")
    session = SmtpSession(stream, tls=server.new_context(), server_name="localhost")
    assert session.greeting.code == 220, f"inside TLS the server greeted with {session.greeting}"


@needs("implicit-tls")
@cuts("whole")  # waits for silence
@clause("rfc8314-3.3-implicit-tls-handshake-first")
def test_the_tls_port_gives_no_reply_in_the_clear(server: Server) -> None:
    """A command in the clear gets no SMTP reply on the port for TLS from the start."""
    stream = server.open("tls")

    stream.send(f"EHLO {DRIVER_NAME}\r\n".encode())
    answer = stream.receive_what_comes(0.1)

    assert not re.match(rb"[2-5]\d\d[ -]", answer), f"EHLO in the clear was answered {answer!r}"


@needs("starttls", "implicit-tls", "auth-plain")
@pytest.mark.parametrize("port", ["plain", "tls"], ids=["starttls", "implicit"])
@clause("rfc8314-3.3-starttls-and-implicit-tls-server")
def test_both_ways_into_tls_take_mail(server: Server, port: PortName) -> None:
    """A session by STARTTLS and one with TLS from the start both take mail."""
    session = server.authenticated(port)

    reply = session.deliver(server.recipient()[1], message())

    assert reply.code == 250, f"the message was answered {reply}"


@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc8314-3.4-close-alert-server")
def test_tls_is_closed_before_tcp(server: Server, port: PortName) -> None:
    """After QUIT the server sends its close alert before it closes the connection."""
    session = server.secure(port)
    session.expect(221, "QUIT")

    session.stream.receive_to_end()

    assert session.stream.ended == "eof", f"the connection ended with {session.stream.ended}"
    assert not session.stream.truncated, "the server closed without a TLS close alert"


@needs("starttls")
@cuts("whole")  # five handshakes; what is cut differently makes none of them likelier to fail
@clause("rfc8314-4-starttls-listed-only-if-it-works")
def test_starttls_works_each_time_it_is_listed(server: Server) -> None:
    """Five connections in a row that are offered STARTTLS come to speak TLS."""
    for _ in range(5):
        session = server.greeted()
        assert "STARTTLS" in session.extensions, f"EHLO lists {sorted(session.extensions)}"

        session.starttls()

        assert session.ehlo().code == 250, "EHLO inside TLS was refused"


@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc8314-4-tls-1.2-supported")
def test_tls_1_2_or_1_3_is_spoken(server: Server, port: PortName) -> None:
    """A client that knows TLS 1.2 only, or 1.3 only, finds at least one of them."""
    failures: list[str] = []
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        try:
            session = server.negotiate(port, held_to(server, version))
        except StreamError as error:
            failures.append(f"{version.name}: {error}")
            continue
        assert session.ehlo().code == 250, f"EHLO inside {version.name} was refused"

    assert len(failures) < 2, f"no handshake came to its end: {failures}"


@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc8314-4-recommended-ciphers-server")
def test_recommended_cipher_suites_are_spoken(server: Server, port: PortName) -> None:
    """A client of TLS 1.2 that has the recommended cipher suites alone comes to speak TLS."""
    context = held_to(server, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(":".join(RECOMMENDED_SUITES))

    session = server.negotiate(port, context)

    assert session.ehlo().code == 250, "EHLO inside TLS was refused"


@pytest.mark.parametrize("port", SECURE_PORTS)
@clause("rfc8314-4.2-no-client-certificate-request")
def test_no_client_certificate_is_asked_for(server: Server, port: PortName) -> None:
    """The server's half of the handshake holds no request for a client certificate."""
    stream = server.open(port)
    context = held_to(server, ssl.TLSVersion.TLSv1_2)
    if port == "plain":
        session = SmtpSession(stream, tls=context, server_name="localhost")
        session.ehlo()
        session.expect(220, "STARTTLS")

    types = server_flight(stream, context)

    assert CERTIFICATE_REQUEST not in types, f"the server's handshake messages have the types {types}"


@needs("starttls", "auth-plain")
@clause("rfc8314-4.1-no-hint-about-credentials")
def test_auth_plain_in_the_clear_gives_no_hint(server: Server) -> None:
    """Where AUTH PLAIN is denied in the clear, it is in the same words, whether name and password are right or not."""
    known = server.account
    tried = {
        "right": known,
        "wrong password": Account(known.username, "not the password"),
        "unknown user": Account("nobody-here", "not the password"),
    }

    replies = {
        how: server.greeted().command(b"AUTH PLAIN " + credentials(account)).octets
        for how, account in tried.items()
    }

    # a server that lets users in here denies nothing; of that RFC 4954 judges (sections 4 and 9)
    if not replies["right"].startswith(b"235"):
        assert all(octets.startswith(b"5") for octets in replies.values()), f"the replies: {replies}"
        assert len(set(replies.values())) == 1, f"the replies differ: {replies}"


@needs("starttls", "auth-login")
@clause("rfc8314-4.1-same-denial-for-all")
def test_auth_login_in_the_clear_is_denied_alike(server: Server) -> None:
    """Where AUTH LOGIN is denied in the clear, right and wrong passwords come to it by the same steps."""
    account = server.account

    def denial(password: str) -> list[bytes]:
        session = server.greeted()
        steps = [session.command("AUTH LOGIN")]
        for word in (account.username, password):
            if steps[-1].code == 334:
                steps.append(session.command(base64.b64encode(word.encode())))
        return [step.octets for step in steps]

    right, wrong = denial(account.password), denial("not the password")

    # as above: who is let in has not been denied
    if not right[-1].startswith(b"235"):
        assert right == wrong, f"the right password was answered {right}, a wrong one {wrong}"
        assert right[-1].startswith(b"5"), f"the exchange ended with {right[-1]!r}"


@needs("submission", "delivery", "trace", "auth-plain")
@clause("rfc8314-4-cipher-in-received")
def test_the_trace_field_names_the_cipher_suite(server: Server) -> None:
    """The Received field of a message submitted over TLS names the cipher suite, by either of its names."""
    field, registered = submitted_over_tls(server)

    names = {registered, *(name for name, other in RECOMMENDED_SUITES.items() if other == registered)}
    assert any(name in field for name in names), f"{registered} was negotiated; the field says {field!r}"


@needs("submission", "delivery", "trace", "auth-plain")
@clause("rfc8314-4.3-received-tls-clause")
def test_the_trace_field_has_a_tls_clause(server: Server) -> None:
    """The Received field of a message submitted over TLS has the clause "tls" with a name or number."""
    field, _ = submitted_over_tls(server)

    assert re.search(r"(?i)\stls\s+(?:[A-Z0-9_-]+|0x[0-9A-F]{4})", field), f"the field says {field!r}"


@needs("submission", "delivery", "trace", "auth-plain")
@clause("rfc8314-4.3-received-tls-clause-name")
def test_the_tls_clause_has_the_registered_name(server: Server) -> None:
    """Where the Received field has a "tls" clause, its value is the registered name of the cipher suite."""
    field, registered = submitted_over_tls(server)

    found = re.search(r"(?i)\stls\s+([A-Z0-9_-]+)", field)
    assert found is None or found[1] == registered, f"{registered} was negotiated; the field says {field!r}"

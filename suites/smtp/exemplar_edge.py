"""The exemplar server's sockets, TLS, threads and files: the thin edge around the pure core.

Knows how octets come and go and how a message is made durable. Must not know any command of SMTP.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import ssl
import sys
import threading
import traceback
from pathlib import Path

from suites.smtp.exemplar_framing import Envelope, PortName, Site
from suites.smtp.exemplar_server import Session

IDLE_TIMEOUT = 300.0


class Edge:
    """One server process: three listeners, one thread a connection.

    Attributes:
        session_class: the core; a mutant names its own.
    """

    session_class: type[Session] = Session

    def __init__(self, configuration: dict[str, object]) -> None:
        self.configuration = configuration
        self.folder = Path(str(configuration["deliver_to"]))
        self.context = self.tls_context(str(configuration["certificate"]), str(configuration["key"]))
        self._listeners: dict[PortName, socket.socket] = {}
        # readable for everybody as soon as the server is told to stop
        self._stopping, self._stop = os.pipe()
        self._threads: set[threading.Thread] = set()

    # starting and stopping

    def serve(self) -> None:
        """Listen, say so, and serve until SIGTERM or the end of standard input."""
        ports: tuple[PortName, ...] = ("plain", "submission", "tls")
        for port in ports:
            self._listeners[port] = socket.create_server((str(self.configuration["host"]), 0), backlog=64)
            threading.Thread(target=self._accept, args=(port,), daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        numbers = {port: listener.getsockname()[1] for port, listener in self._listeners.items()}
        sys.stdout.write(json.dumps({"ready": numbers}) + "\n")
        sys.stdout.flush()
        with contextlib.suppress(SystemExit):
            while os.read(sys.stdin.fileno(), 4096):
                pass
        self.stop()

    def stop(self) -> None:
        """Let every session say its 421, and end."""
        for listener in self._listeners.values():
            listener.close()
        os.close(self._stop)
        for thread in tuple(self._threads):
            thread.join(1.0)
        sys.stdout.flush()
        os._exit(0)

    def tls_context(self, certificate: str, key: str) -> ssl.SSLContext:
        """TLS 1.2 or later; no certificate is asked of clients (RFC 8314, section 4.2)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        return context

    # connections

    def _accept(self, port: PortName) -> None:
        while True:
            try:
                connection, address = self._listeners[port].accept()
            except OSError:
                return  # the listener was closed: the server stops
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.start(connection, port, str(address[0]))

    def start(self, connection: socket.socket, port: PortName, peer: str) -> None:
        """Serve a connection beside all others."""
        thread = threading.Thread(target=self.run, args=(connection, port, peer), daemon=True)
        self._threads.add(thread)
        thread.start()

    def run(self, connection: socket.socket, port: PortName, peer: str) -> None:
        """Serve one connection to its end; one that is lost ends like one that was quit."""
        try:
            connection.settimeout(IDLE_TIMEOUT)
            self.converse(connection, port, peer)
        except OSError:
            connection.close()
        except BaseException:  # noqa: BLE001 - whatever it is, the process ends with it
            # a fault of the server's own must be seen as its crash, and not as an answer
            traceback.print_exc()
            os._exit(70)
        self._threads.discard(threading.current_thread())

    def converse(self, connection: socket.socket, port: PortName, peer: str) -> None:
        """Carry octets between a connection and its session."""
        if port == "tls":
            connection = self.handshake(connection)
        session = self.session_class(self.site(port, peer))
        if isinstance(connection, ssl.SSLSocket):
            session.cipher = self.cipher(connection)
        while True:
            self.send(connection, session)
            if session.closing:
                break
            if session.wants_tls:
                connection = self.handshake(connection)
                session.secured(self.cipher(connection))
                # whatever the session kept of the clear would be acted upon now
                session.receive(b"")
                continue
            if self.told_to_stop(connection):
                session.shut_down()
                continue
            octets = self.receive(connection)
            if not octets:
                session.lost()
                break
            session.receive(octets)
        self.close(connection)

    def send(self, connection: socket.socket, session: Session) -> None:
        """Send what the session has to say."""
        if session.output:
            connection.sendall(session.output)
            session.output.clear()

    def receive(self, connection: socket.socket) -> bytes:
        """What came; nothing when the connection has ended, in whatever way."""
        try:
            return connection.recv(65536)
        except OSError:
            return b""

    def told_to_stop(self, connection: socket.socket) -> bool:
        """Wait until octets can be read, or the server is told to stop."""
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return False
        ready, _, _ = select.select([connection.fileno(), self._stopping], [], [], IDLE_TIMEOUT)
        return connection.fileno() not in ready

    def handshake(self, connection: socket.socket) -> ssl.SSLSocket:
        """Put TLS on the connection."""
        return self.context.wrap_socket(connection, server_side=True)

    def cipher(self, connection: socket.socket) -> str:
        """OpenSSL's name of the cipher suite."""
        found = connection.cipher() if isinstance(connection, ssl.SSLSocket) else None
        return found[0] if found is not None else ""

    def close(self, connection: socket.socket) -> None:
        """Close; TLS says its close alert first (RFC 8314, section 3.4)."""
        if isinstance(connection, ssl.SSLSocket):
            connection.settimeout(0)
            # the alert is out with the first call; the other end's own need not be waited for
            with contextlib.suppress(OSError):
                connection.unwrap()
        connection.close()

    # messages

    def site(self, port: PortName, peer: str) -> Site:
        """What a session needs to know."""
        users, domains = self.configuration["users"], self.configuration["domains"]
        size = self.configuration["maximum_size"]
        if not isinstance(users, dict) or not isinstance(domains, list) or not isinstance(size, int):
            raise TypeError("users, domains or maximum_size of the configuration have another form")
        return Site(str(self.configuration["hostname"]), tuple(domains), users, size, port, peer, self.store)

    def store(self, envelope: Envelope, octets: bytes) -> None:
        """Keep a message: its octets first, then the envelope that says that it is complete, both on the disk."""
        name = os.urandom(16).hex()
        facts = {
            "from": envelope.sender,
            "to": envelope.recipients,
            "options": envelope.declared,
            "file": f"{name}.eml",
        }
        try:
            self.place(self.folder / f"{name}.eml", octets)
            self.place(self.folder / f"{name}.json", json.dumps(facts).encode())
        except OSError:
            for suffix in ("json", "eml"):
                (self.folder / f"{name}.{suffix}").unlink(missing_ok=True)
            raise

    def place(self, path: Path, octets: bytes) -> None:
        """Write a file so that it is there wholly or not at all, also after a crash."""
        partial = path.with_suffix(".part")
        with partial.open("xb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def serve(edge: type[Edge]) -> None:
    """Read the configuration line and serve."""
    edge(json.loads(sys.stdin.buffer.readline())).serve()


if __name__ == "__main__":
    serve(Edge)

"""Lancelot with Twisted.

Knows twisted.internet; runs with the Twisted of Debian 12 (22.4) as well. A peer that does not take its answers is not read
from. Where descriptors run out, Twisted itself decides: it accepts with one that it keeps for that, and hangs up.
"""

# ruff: noqa: N802
# (Twisted calls these methods by the names it gave them.)

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from typing import Any

from twisted.internet import reactor as twisted_reactor
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPushProducer, IReadDescriptor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.python.log import PythonLoggingObserver
from zope.interface import implementer  # type: ignore[import-untyped]  # zope has no annotations

from implementations.lancelot.command_line import Options, Ready, Server, main
from implementations.lancelot.event_loop import LINGER, half_close
from implementations.lancelot.protocol import Conversation
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")
reactor: Any = twisted_reactor  # mypy cannot read zope's interfaces, whose methods name no self


@implementer(IHalfCloseableProtocol, IPushProducer)
class Questions(Protocol):
    """One connection. It is the producer of its own answers, so that the transport can make it pause."""

    transport: Any  # an interface of zope

    def __init__(self, house: House) -> None:
        self._house = house
        self._conversation = Conversation()

    def connectionMade(self) -> None:
        """Begin."""
        self._house.guests.add(self)
        self.transport.registerProducer(self, streaming=True)

    def dataReceived(self, data: bytes) -> None:
        """Answer a segment."""
        answers = self._conversation.receive(data)
        if answers:
            self.transport.write(answers)
        if self._conversation.over:
            self.transport.loseWriteConnection()

    def pauseProducing(self) -> None:
        """Read nothing from a peer that does not take its answers."""
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone: `connectionLost` comes next."""

    def readConnectionLost(self) -> None:
        """Send what is left, and close."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """The end is announced to a peer that broke the limit: drop what it still sends for a moment."""
        reactor.callLater(LINGER, self.cut)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End."""
        log.debug("connection ended: %s", reason.getErrorMessage())
        self._house.left(self)

    def hang_up(self) -> None:
        """Let the connection end after what has come by now."""
        with contextlib.suppress(OSError):  # the peer was quicker
            half_close(self.transport.fileno(), socket.SHUT_RD)

    def cut(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()


class House(Factory):
    """Makes a `Questions` for each connection, and knows those that are open."""

    noisy = False

    def __init__(self) -> None:
        self.guests: set[Questions] = set()
        self._closing = False

    def buildProtocol(self, _address: IAddress | None) -> Questions:
        """Take a connection in."""
        return Questions(self)

    def left(self, guest: Questions) -> None:
        """Forget a connection; after the last one the reactor may stop."""
        self.guests.discard(guest)
        self._stop_when_empty()

    def close(self, grace: float) -> None:
        """Let each connection end after what has come by now, within `grace` seconds; then stop the reactor."""
        self._closing = True
        for guest in [*self.guests]:
            guest.hang_up()
        reactor.callLater(grace, self._cut)
        self._stop_when_empty()

    def _stop_when_empty(self) -> None:
        if self._closing and not self.guests:
            reactor.stop()

    def _cut(self) -> None:
        log.warning("%d connections did not take their answers in time", len(self.guests))
        for guest in [*self.guests]:
            guest.cut()


@implementer(IReadDescriptor)
class Bell:
    """Makes the reactor wait for our signals, and ends what it serves when they say so."""

    def __init__(self, listener: socket.socket, signals: Signals, grace: float) -> None:
        listener.settimeout(0)
        self._listener = listener
        self._signals = signals
        self._grace = grace
        self._house = House()
        self._port = reactor.adoptStreamPort(listener.fileno(), listener.family, self._house)
        self._rung = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._signals.fileno()

    def logPrefix(self) -> str:
        """Twisted's name for us."""
        return "signals"

    def connectionLost(self, _reason: Failure) -> None:
        """The reactor has ended."""

    def doRead(self) -> None:
        """Look at what came."""
        if self._signals.stop_asked() and not self._rung:
            self._rung = True
            self._stop()

    def _stop(self) -> None:
        self._port.stopListening()
        # Those whose connection stands but was not accepted yet; closing would have the kernel reset them.
        with contextlib.suppress(OSError):  # nobody waits any more, or there are no descriptors left
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    reactor.adoptStreamConnection(connection.fileno(), connection.family, self._house)
        self._listener.close()
        self._house.close(self._grace)


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop."""
    logging.getLogger("twisted").setLevel(logging.WARNING)
    PythonLoggingObserver().start()  # type: ignore[no-untyped-call]  # twisted has not annotated it
    reactor.addReader(Bell(listener, signals, options.grace))
    reactor.callWhenRunning(ready)
    reactor.run(installSignalHandlers=False)


SERVER = Server("server_twisted", "Serve Lancelot with Twisted.", serve)

if __name__ == "__main__":
    sys.exit(main(SERVER))

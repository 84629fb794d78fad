"""Lancelot with asyncio, in three styles: streams, Protocol, BufferedProtocol; on asyncio's own loop or on uvloop.

Knows asyncio. A peer that does not take its answers is not read from. Under `protocol` and `streams` the size of a read is
asyncio's own, 256 KiB, for which memory is mapped and unmapped every time; `buffered` reads into one buffer for all.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from typing import Any

from implementations.lancelot.command_line import BACKLOG, Failure, Options, Ready, Server, explain, main
from implementations.lancelot.event_loop import LINGER, MANY, half_close
from implementations.lancelot.protocol import Conversation
from implementations.lancelot.signals import Signals

log = logging.getLogger("lancelot")

#: How many turns of the loop pass from its accepting a connection to `connection_made`, and one more.
TURNS = 4


class Guests:
    """The transports of the connections that are open."""

    def __init__(self) -> None:
        self._transports: set[asyncio.Transport] = set()
        self._nobody = asyncio.Event()
        self._nobody.set()
        self._hanging_up = False

    def add(self, transport: asyncio.Transport) -> None:
        """Take a connection in; one that comes after the others were told to end ends as they do."""
        self._transports.add(transport)
        self._nobody.clear()
        if self._hanging_up:
            _hang_up(transport)

    def remove(self, transport: asyncio.Transport) -> None:
        """Forget a connection."""
        self._transports.discard(transport)
        if not self._transports:
            self._nobody.set()

    async def leave(self, grace: float) -> None:
        """Let each connection end after what has come from it by now, within `grace` seconds."""
        self._hanging_up = True
        for transport in [*self._transports]:
            _hang_up(transport)
        try:
            async with asyncio.timeout(grace):
                await self._nobody.wait()
        except TimeoutError:
            log.warning("%d connections did not take their answers in time", len(self._transports))
            for transport in [*self._transports]:
                transport.abort()
            await self._nobody.wait()


def _hang_up(transport: asyncio.Transport) -> None:
    with contextlib.suppress(OSError):  # the peer was quicker
        half_close(transport.get_extra_info("socket").fileno(), socket.SHUT_RD)


class _Manners(asyncio.BaseProtocol):
    """What both kinds of protocols do alike."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        self._conversation = Conversation()
        self._ending = False
        self._transport: Any = None  # asyncio.Transport, from connection_made on

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self._guests.add(self._transport)

    def hear(self, octets: bytes) -> None:
        """Answer a segment."""
        answers = self._conversation.receive(octets)
        if answers:
            self._transport.write(answers)
        if self._conversation.over and not self._ending:
            self._ending = True
            self._transport.write_eof()
            self._give_up_later()

    def pause_writing(self) -> None:
        """Read nothing from a peer that does not take its answers."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._transport.resume_reading()

    def eof_received(self) -> bool:
        """Have the transport send what is left, and close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if exc is not None:
            log.debug("connection lost: %s", explain(exc))
        self._guests.remove(self._transport)

    def _give_up_later(self) -> None:
        asyncio.get_running_loop().call_later(LINGER, self._give_up)

    def _give_up(self) -> None:
        if self._transport.get_write_buffer_size():
            self._give_up_later()
        else:
            self._transport.abort()


class Questions(_Manners, asyncio.Protocol):
    """A Protocol: asyncio brings octets of its own."""

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.hear(data)


class BufferedQuestions(_Manners, asyncio.BufferedProtocol):
    """A BufferedProtocol: asyncio reads into our buffer, one for all connections, as a read is answered at once."""

    _buffer = memoryview(bytearray(MANY))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's interface
        """Where to read to."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Answer."""
        self.hear(bytes(self._buffer[:nbytes]))


class _Streams(asyncio.StreamReaderProtocol):
    """What `asyncio.start_server` makes for each connection; a guest at once, before its coroutine had its first turn."""

    def __init__(self, guests: Guests) -> None:
        self._guests = guests
        loop = asyncio.get_running_loop()
        super().__init__(asyncio.StreamReader(MANY, loop), self._attend, loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        accepted: Any = transport  # asyncio.Transport
        self._guests.add(accepted)
        super().connection_made(transport)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _converse(reader, writer)
        except OSError as error:
            log.debug("connection lost: %s", explain(error))
        finally:
            writer.close()
            with contextlib.suppress(OSError):  # told already
                await writer.wait_closed()
            transport: Any = writer.transport
            self._guests.remove(transport)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    conversation = Conversation()
    while octets := await reader.read(MANY):
        answers = conversation.receive(octets)
        if answers:
            writer.write(answers)
            await writer.drain()
        if conversation.over:
            writer.write_eof()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    while await reader.read(MANY):
                        pass
            return


STYLES: dict[str, Callable[[Guests], asyncio.BaseProtocol]] = {
    "streams": _Streams,
    "protocol": Questions,
    "buffered": BufferedQuestions,
}


async def _serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(Complaints())
    guests = Guests()
    make = STYLES[options.style]
    listener.settimeout(0)
    with listener.dup() as waiting:
        server = await loop.create_server(lambda: make(guests), sock=listener)
        listener.listen(
            BACKLOG
        )  # the kernel's; asyncio's own is how often it accepts, and complains, at a turn
        asked = asyncio.Event()
        loop.add_reader(signals.fileno(), lambda: asked.set() if signals.stop_asked() else None)
        ready()
        await asked.wait()
        # Once it is closed, the server drops without a word what it accepted in this turn (docs/findings/asyncio-close.md).
        loop.remove_reader(listener.fileno())
        await _some_turns()
        server.close()
        # Those whose connection stands but was not accepted yet; the loop would have let the kernel reset them.
        with contextlib.suppress(OSError):  # nobody waits any more, or there are no descriptors left
            while True:
                connection, _ = waiting.accept()
                connection.settimeout(0)
                await loop.connect_accepted_socket(lambda: make(guests), connection)
    await _some_turns()
    await guests.leave(options.grace)
    loop.remove_reader(signals.fileno())


async def _some_turns() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class Complaints:
    """Logs what asyncio complains of, the same words once a second: without descriptors it says so a hundred times."""

    def __init__(self) -> None:
        self._last = ("", 0.0)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log one line."""
        message, before = self._last
        if message == context["message"] and loop.time() < before + 1:
            return
        self._last = context["message"], loop.time()
        error = context.get("exception")
        log.warning("%s: %s", context["message"], explain(error) if isinstance(error, Exception) else error)


def serve(listener: socket.socket, signals: Signals, options: Options, ready: Ready) -> None:
    """Serve until asked to stop. Raises Failure when the loop that was asked for is not there."""
    with asyncio.Runner(loop_factory=_loop_factory(options.loop)) as runner:
        runner.run(_serve(listener, signals, options, ready))


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    try:
        import uvloop  # noqa: PLC0415 - the board has none
    except ImportError as error:
        raise Failure(f"--loop uvloop: {error} (--loop asyncio needs nothing installed)") from error
    return uvloop.new_event_loop


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give the command line what this architecture needs."""
    parser.add_argument(
        "--style",
        choices=STYLES,
        default="protocol",
        help="streams (coroutines), protocol (callbacks) or buffered (callbacks, one buffer) (default: %(default)s)",
    )
    parser.add_argument(
        "--loop",
        choices=("asyncio", "uvloop"),
        default="asyncio",
        help="whose event loop (default: %(default)s)",
    )


SERVER = Server("server_asyncio", "Serve Lancelot with asyncio.", serve, add_options)

if __name__ == "__main__":
    sys.exit(main(SERVER))

"""aiosmtpd as an SMTP server under test: `python -m implementations.smtp.aiosmtpd_server`.

Knows aiosmtpd and the common manners of the server commands. Decides who is a user, which recipients are
ours and where a message goes; every word of the protocol is aiosmtpd's own.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Callable

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from implementations.smtp.service import (
    Configuration,
    announce,
    deliver,
    read_configuration,
    terminate_at_end_of_input,
)


class MailDrop:
    """Handler: takes mail for our own domains only and stores each message."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds its hooks by this name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer RCPT; aiosmtpd leaves the envelope to a hook that answers."""
        if not self._configuration.is_local(address):
            return "550 Relaying denied"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd finds its hooks by this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Answer the end of DATA once the message is on the disk."""
        octets, sender = envelope.original_content, envelope.mail_from
        if octets is None or sender is None:
            raise RuntimeError("aiosmtpd called handle_DATA without a message")
        try:
            await asyncio.to_thread(
                deliver,
                self._configuration.deliver_to,
                "" if sender == "<>" else sender,  # aiosmtpd leaves the null reverse-path its brackets
                envelope.rcpt_tos,
                envelope.mail_options,
                octets,
            )
        except OSError:
            return "451 Message could not be stored"
        return "250 OK"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: LoginPassword
    ) -> AuthResult:
        """Decide AUTH PLAIN and AUTH LOGIN; `handled=False` lets aiosmtpd word the refusal."""
        return AuthResult(success=self._configuration.is_user(*data), handled=False, auth_data=data)


def _maker(
    configuration: Configuration, *, starttls: ssl.SSLContext | None, secure: bool
) -> Callable[[], SMTP]:
    handler = MailDrop(configuration)

    def make() -> SMTP:
        return SMTP(
            handler,
            hostname=configuration.hostname,
            data_size_limit=configuration.maximum_size,
            enable_SMTPUTF8=True,
            tls_context=starttls,
            # aiosmtpd knows only the TLS that STARTTLS began; where all is TLS the check has to be off
            # (https://github.com/aio-libs/aiosmtpd/issues/281).
            auth_require_tls=not secure,
            authenticator=handler.authenticate,
        )

    return make


async def _serve(configuration: Configuration) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    terminate_at_end_of_input()
    context = None
    if configuration.certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(configuration.certificate, configuration.key)
    # The library's Controller cannot tell which port the kernel chose; this is what it does inside.
    servers = [
        await loop.create_server(_maker(configuration, starttls=context, secure=False), configuration.host, 0)
    ]
    if context is not None:
        factory = _maker(configuration, starttls=None, secure=True)
        servers.append(await loop.create_server(factory, configuration.host, 0, ssl=context))
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    announce(ports[0], ports[1] if context is not None else None)
    await stop.wait()
    for server in servers:
        server.close()


def main() -> None:
    """Serve until SIGTERM or the end of standard input."""
    asyncio.run(_serve(read_configuration()))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end of input may still report itself


if __name__ == "__main__":
    main()

"""aiosmtplib as an SMTP client under test.

Knows aiosmtplib and the shapes of a report. Adds nothing to what aiosmtplib does, and mends nothing in it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Literal

import aiosmtplib

from implementations.smtp.outcome import Outcome, Report, Transaction, answered, done, failed, nobody, report


class AiosmtplibClient:
    """Sends through `aiosmtplib.SMTP`, with `sendmail` for each transaction."""

    def send(
        self,
        *,
        host: str,
        port: int,
        security: Literal["none", "starttls", "tls"],
        ca_file: str | None,
        local_name: str | None,
        username: str | None,
        password: str | None,
        timeout: float,
        transactions: list[Transaction],
    ) -> Report:
        """Run all `transactions` on one connection; `timeout` (seconds) holds for each reply waited for."""
        client = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            local_hostname=local_name,
            username=username,
            password=password,
            timeout=timeout,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=None if security == "none" else ssl.create_default_context(cafile=ca_file),
        )
        return asyncio.run(_session(client, transactions))


async def _session(client: aiosmtplib.SMTP, transactions: list[Transaction]) -> Report:
    outcomes: list[Outcome] = []
    try:
        async with client:
            outcomes += [await _transact(client, transaction) for transaction in transactions]
    except aiosmtplib.SMTPResponseException as error:
        return report(outcomes, answered(error.code, error.message))
    except (aiosmtplib.SMTPException, OSError) as error:  # ssl.SSLError is an OSError too
        return report(outcomes, failed(error))
    return report(outcomes)


async def _transact(client: aiosmtplib.SMTP, transaction: Transaction) -> Outcome:
    options = [*transaction["mail_options"]]
    if transaction["smtputf8"] and "SMTPUTF8" not in options:
        options.append("SMTPUTF8")
    try:
        refused, _ = await client.sendmail(
            transaction["mail_from"],
            transaction["recipients"],
            transaction["message"],
            mail_options=options,
            rcpt_options=transaction["rcpt_options"],
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        return nobody({one.recipient: (one.code, one.message) for one in error.recipients})
    except aiosmtplib.SMTPResponseException as error:
        return answered(error.code, error.message)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:  # ValueError: an unsafe address
        return failed(error)
    return done({address: (reply.code, reply.message) for address, reply in refused.items()})

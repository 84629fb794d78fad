"""The standard library's smtplib as an SMTP client under test.

Knows smtplib and the shapes of a report. Adds nothing to what smtplib does, and mends nothing in it.
"""

from __future__ import annotations

import smtplib
import ssl
from typing import Literal

from implementations.smtp.outcome import Outcome, Report, Transaction, answered, done, failed, nobody, report


class SmtplibClient:
    """Sends through `smtplib.SMTP` or `smtplib.SMTP_SSL`, with `sendmail` for each transaction."""

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
        """Run all `transactions` on one connection; `timeout` (seconds) holds for each wait on the socket."""
        outcomes: list[Outcome] = []
        context = ssl.create_default_context(cafile=ca_file)
        try:
            connection: smtplib.SMTP
            if security == "tls":
                connection = smtplib.SMTP_SSL(host, port, local_name, timeout=timeout, context=context)
            else:
                connection = smtplib.SMTP(host, port, local_name, timeout=timeout)
            with connection as session:
                if security == "starttls":
                    session.starttls(context=context)
                if username is not None:
                    session.login(username, password or "")
                outcomes.extend(_transact(session, transaction) for transaction in transactions)
        except smtplib.SMTPResponseException as error:
            return report(outcomes, answered(error.smtp_code, _text(error.smtp_error)))
        except OSError as error:  # smtplib.SMTPException and ssl.SSLError are OSErrors too
            return report(outcomes, failed(error))
        return report(outcomes)


def _transact(session: smtplib.SMTP, transaction: Transaction) -> Outcome:
    options = [*transaction["mail_options"]]
    if transaction["smtputf8"] and "SMTPUTF8" not in options:
        options.append("SMTPUTF8")
    try:
        refused = session.sendmail(
            transaction["mail_from"],
            transaction["recipients"],
            transaction["message"],
            mail_options=options,
            rcpt_options=transaction["rcpt_options"],
        )
    except smtplib.SMTPRecipientsRefused as error:
        return nobody(_refusals(error.recipients))
    except smtplib.SMTPResponseException as error:
        return answered(error.smtp_code, _text(error.smtp_error))
    except (OSError, ValueError) as error:  # ValueError: an address that smtplib will not put on the wire
        return failed(error)
    return done(_refusals(refused))


def _refusals(refused: dict[str, tuple[int, bytes]]) -> dict[str, tuple[int, str]]:
    return {address: (code, _text(text)) for address, (code, text) in refused.items()}


def _text(reply: bytes | str) -> str:
    return reply if isinstance(reply, str) else reply.decode("utf-8", "replace")

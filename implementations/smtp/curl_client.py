"""curl as an SMTP client under test: `python -m implementations.smtp.curl_client`, JSON lines in and out.

Knows curl's configuration file and what curl reports of a transfer. Adds nothing to what curl does: each
transaction is a transfer, all of one call in one process, and curl decides which connection to use.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from implementations.smtp.outcome import Outcome, Report, Transaction, answered, done, failed, report

# curl's exit statuses behind which stands a reply of the server: strange reply, access denied, upload failed,
# TLS refused, send error (MAIL, RCPT or DATA refused), login denied.
_REFUSALS = {8, 9, 25, 64, 55, 67}
_ARGV = ["curl", "--disable", "--config", "-"]  # --disable: no settings of the user's


class CurlClient:
    """Sends through the `curl` program."""

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
        """Run all `transactions` in one process; `timeout` (seconds) holds for each transfer as a whole."""
        # Without a name in the URL the program takes the uploaded file's for its own; the library, the machine's.
        own_name = quote(local_name or socket.gethostname())
        scheme = "smtps" if security == "tls" else "smtp"
        name = f"[{host}]" if ":" in host else host
        common: list[tuple[str, str | None]] = [
            ("url", f"{scheme}://{name}:{port}/{own_name}"),
            ("max-time", f"{timeout:g}"),
            ("write-out", "%{json}\n"),
            ("noproxy", "*"),  # a proxy named in the environment would stand between us and the server
            ("globoff", None),
            ("silent", None),
        ]
        if security == "starttls":
            common.append(("ssl-reqd", None))
        if ca_file is not None:
            common.append(("cacert", ca_file))
        if username is not None:
            common.append(("user", f"{username}:{password or ''}"))
        with tempfile.TemporaryDirectory() as directory:
            transfers = []
            for number, transaction in enumerate(filter(_possible, transactions)):
                message = Path(directory, f"{number}.eml")
                message.write_bytes(transaction["message"])
                options = [*common, ("mail-from", transaction["mail_from"]), ("upload-file", str(message))]
                options += [("mail-rcpt", recipient) for recipient in transaction["recipients"]]
                transfers.append("".join(_line(option, value) for option, value in options))
            outcomes = iter(_run("next\n".join(transfers)) if transfers else [])
        unable = failed(NotImplementedError("curl takes no parameters for MAIL and RCPT"))
        return report([next(outcomes) if _possible(one) else unable for one in transactions])


def _possible(transaction: Transaction) -> bool:
    return not transaction["mail_options"] and not transaction["rcpt_options"]


def _line(option: str, value: str | None) -> str:
    """Write a line of curl's configuration, in which a quoted value knows these escapes."""
    if value is None:
        return f"{option}\n"
    for character, escape in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(character, escape)
    return f'{option} = "{value}"\n'


def _run(configuration: str) -> list[Outcome]:
    """Run curl; the configuration goes through a pipe, so that no password shows in the list of processes."""
    finished = subprocess.run(_ARGV, input=configuration.encode(), capture_output=True, check=False)
    if not finished.stdout:
        raise RuntimeError(f"curl: {finished.stderr.decode(errors='replace').strip()}")
    return [_outcome(json.loads(line)) for line in finished.stdout.splitlines()]


def _outcome(transfer: dict[str, Any]) -> Outcome:  # curl's own object, of which we read three members
    status, code, text = transfer["exitcode"], transfer["response_code"], transfer["errormsg"]
    if status == 0:
        return done({})
    if status in _REFUSALS and code >= 400:
        return answered(code, text)
    return {"outcome": "failed", "cause": f"curl: ({status}) {text}"}


def main() -> None:
    """Answer each line of standard input, a call, with a line on standard output, its report."""
    client = CurlClient()
    for line in sys.stdin:
        request = json.loads(line)
        if request["call"] != "send":
            sys.exit(f"no such call: {request['call']}")
        arguments = request["arguments"]
        for transaction in arguments["transactions"]:
            transaction["message"] = base64.b64decode(transaction.pop("message_base64"))
        print(json.dumps(client.send(**arguments)), flush=True)


if __name__ == "__main__":
    main()

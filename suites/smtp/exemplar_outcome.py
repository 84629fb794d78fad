"""What the exemplar client tells its caller: one outcome a transaction, and the worst of them for all.

Knows the shapes of ``contract.Report``. Must not know the conversation.
"""

from __future__ import annotations

import re

from suites.smtp.contract import Report, TransactionOutcome
from suites.smtp.exemplar_talk import Reply


def refused(reply: Reply) -> TransactionOutcome:
    """The server's no."""
    return {"outcome": "refused", "code": reply.code, "text": reply.text}


def failed(error: Exception) -> TransactionOutcome:
    """What went wrong otherwise."""
    return {"outcome": "failed", "cause": re.sub(r"\s+", " ", str(error))}


def summary(outcomes: list[TransactionOutcome], trouble: TransactionOutcome | None) -> Report:
    """The worst of the session and its transactions stands for all."""
    parts = [*outcomes, *([trouble] if trouble is not None else [])]
    order = ("done", "refused", "failed")
    worst = max(
        parts, key=lambda part: order.index(part["outcome"]), default=TransactionOutcome(outcome="done")
    )
    report: Report = {"outcome": worst["outcome"], "transactions": outcomes}
    if "code" in worst:
        report["code"] = worst["code"]
    if "text" in worst:
        report["text"] = worst["text"]
    if "cause" in worst:
        report["cause"] = worst["cause"]
    return report

"""What an SMTP client adapter reports of one session: the shapes, and how the worst part names the whole.

Knows reply codes (RFC 5321, section 4.2) and nothing of any library, socket or judge.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

Word = Literal["done", "refused", "failed"]
_BY_SEVERITY: tuple[Word, ...] = ("done", "refused", "failed")
_REFUSALS = (4, 5)  # first digits


class Transaction(TypedDict):
    """One message to be sent. `message` is handed to the library octet by octet as it stands."""

    mail_from: str
    recipients: list[str]
    message: bytes
    smtputf8: bool
    mail_options: list[str]
    rcpt_options: list[str]


class Outcome(TypedDict):
    """How one transaction, or the session around it, ended.

    `code` and `text` are the peer's own words when it refused; `cause` says what went wrong otherwise.
    `refused_recipients` maps an address to [code, text]; a message accepted for the others is still done.
    """

    outcome: Word
    code: NotRequired[int]
    text: NotRequired[str]
    cause: NotRequired[str]
    refused_recipients: NotRequired[dict[str, tuple[int, str]]]


class Report(Outcome):
    """The whole session: the worst of the session itself and of its transactions, in the order tried.

    A transaction that the session never came to is not listed.
    """

    transactions: list[Outcome]


def done(refused_recipients: dict[str, tuple[int, str]]) -> Outcome:
    """Say that the peer took the message, for all recipients but the refused ones."""
    return {"outcome": "done", "refused_recipients": refused_recipients}


def answered(code: int, text: str) -> Outcome:
    """Say how a reply ended it.

    A 4yz or 5yz reply is the peer's refusal; anything else (a success where none was due, a line that
    is no reply at all, which libraries report as -1) is a failure of the session.
    """
    if code // 100 in _REFUSALS:
        return {"outcome": "refused", "code": int(code), "text": text}
    return {"outcome": "failed", "code": int(code), "text": text, "cause": f"unexpected reply: {code} {text}"}


def nobody(refused_recipients: dict[str, tuple[int, str]]) -> Outcome:
    """Say that every recipient was refused; the first refusal stands for all."""
    code, text = next(iter(refused_recipients.values()))
    return {**answered(code, text), "refused_recipients": refused_recipients}


def failed(error: BaseException | None) -> Outcome:
    """Say that the library raised `error`, which is no answer of the peer's."""
    return {"outcome": "failed", "cause": f"{type(error).__name__}: {error}"}


def report(transactions: list[Outcome], session: Outcome | None = None) -> Report:
    """Sum up; `session` is what ended the session early, or None when it ran its course."""
    parts = [*transactions, *([session] if session else [])]
    worst = max(parts, key=lambda part: _BY_SEVERITY.index(part["outcome"]), default=done({}))
    summary: Report = {"outcome": worst["outcome"], "transactions": transactions}
    if "code" in worst:
        summary["code"] = worst["code"]
    if "text" in worst:
        summary["text"] = worst["text"]
    if "cause" in worst:
        summary["cause"] = worst["cause"]
    return summary

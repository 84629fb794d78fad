"""The process in which a Python client under test lives: ``python -m lab.judge.host module:Class``.

Knows JSON lines and how to call a method. Must not know any protocol. A client that
hangs, crashes or corrupts its process takes this one with it and not the run.

One request a line on standard input: ``{"call": "send", "arguments": {…}}``; an
argument whose key ends in ``_base64`` reaches the method without the ending, as
octets. One answer a line on standard output. What the client itself prints goes to
standard error.
"""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import os
import sys
import traceback
from typing import IO

BASE64_SUFFIX = "_base64"


def decode(value: object) -> object:
    """The value with every ``…_base64`` text inside it turned into octets."""
    if isinstance(value, dict):
        return dict(_decode_item(key, item) for key, item in value.items())
    if isinstance(value, list):
        return [decode(item) for item in value]
    return value


def _decode_item(key: str, item: object) -> tuple[str, object]:
    if key.endswith(BASE64_SUFFIX) and isinstance(item, str):
        return key.removesuffix(BASE64_SUFFIX), base64.b64decode(item, validate=True)
    return key, decode(item)


def encode(value: object) -> object:
    """The value with octets turned into ``…_base64`` texts, so that it can travel as JSON."""
    if isinstance(value, dict):
        return dict(_encode_item(key, item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def _encode_item(key: str, item: object) -> tuple[str, object]:
    if isinstance(item, (bytes, bytearray)):
        return f"{key}{BASE64_SUFFIX}", base64.b64encode(item).decode("ascii")
    return key, encode(item)


def _answer(instance: object, line: str) -> object:
    request = json.loads(line)
    method = getattr(instance, request["call"])
    try:
        arguments: dict[str, object] = dict(
            _decode_item(key, item) for key, item in request["arguments"].items()
        )
        return encode(method(**arguments))
    except Exception as escaped:  # noqa: BLE001 - whatever escapes the client is the finding this process reports
        cause = "".join(traceback.format_exception_only(escaped)).strip()
        return {"outcome": "escaped", "cause": cause, "traceback": traceback.format_exc()}


def serve(entry: str, requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    module_name, _, class_name = entry.partition(":")
    instance = getattr(importlib.import_module(module_name), class_name)()
    for line in requests:
        answers.write(json.dumps(_answer(instance, line)) + "\n")
        answers.flush()


def run(entry: str) -> None:
    """Be the process of the client ``module:Class`` until there are no more requests."""
    # answers keep the real standard output to themselves: a client's print must not break a line
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        serve(entry, sys.stdin, answers)


def main() -> int:
    """Run the host for the entry named on the command line."""
    entries = sys.argv[1:]
    if len(entries) != 1 or entries[0].count(":") != 1:
        sys.stderr.write("usage: python -m lab.judge.host MODULE:CLASS\n")
        return 2
    run(entries[0])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

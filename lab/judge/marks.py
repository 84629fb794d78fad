"""The decorators that bind a case to clauses.

Knows names of marks. Must not know any clause.
"""

from __future__ import annotations

from typing import Literal

import pytest

from lab.judge.catalogue import Role


def clause(*ids: str) -> pytest.MarkDecorator:
    """The case decides these clauses of its protocol's ledger."""
    return pytest.mark.clause(*ids)


def needs(*features: str) -> pytest.MarkDecorator:
    """The case asks only implementations that declare all of these features; others are *unsupported*."""
    return pytest.mark.needs(*features)


def cuts(*names: str) -> pytest.MarkDecorator:
    """Runs the case with these segmentations only, instead of all (say why beside it)."""
    return pytest.mark.cuts(*names)


def role(name: Role) -> pytest.MarkDecorator:
    """Whether the module's cases judge clients or servers; set as its ``pytestmark``."""
    return pytest.mark.role(name)


def peer_kind(kind: Literal["reference", "scripted", "embedded", "driver"]) -> pytest.MarkDecorator:
    """What stands at the other end in this case."""
    return pytest.mark.peer_kind(kind)


def control(when: Literal["opening", "closing"]) -> pytest.MarkDecorator:
    """The test shows, before or after all cases, that the oracle works; it gives no verdict."""
    return pytest.mark.control(when)

"""Binds the floors: the judge's plugin, the stack's fixtures. Nothing else."""

from __future__ import annotations

pytest_plugins = ["lab.judge.plugin", "lab.judge.fixtures"]

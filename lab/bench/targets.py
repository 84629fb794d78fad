"""The targets by name. Each is a module with a function `target(root)` that returns it.

Knows their names. Must not know how any of them measures, and imports only the one that is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
from enum import StrEnum
from pathlib import Path
from typing import Final

from lab.bench.target import Target
from lab.errors import LabError


class TargetName(StrEnum):
    """Where to measure."""

    NATIVE = "native"
    ERLE = "erle"
    SYSTEM = "system"


MODULES: Final = {
    TargetName.NATIVE: "lab.bench.machine",
    TargetName.ERLE: "lab.bench.board",
    TargetName.SYSTEM: "lab.bench.system",
}


def find_target(name: TargetName, root: Path) -> Target:
    """The target of that name, for the checkout at `root`.

    Raises:
        LabError: this checkout does not have it.
    """
    module = MODULES[name]
    if importlib.util.find_spec(module) is None:
        raise LabError(f"the target {name} is not in this checkout", "./erle bench --target native")
    target: Target = importlib.import_module(module).target(root)
    return target

"""Builds a C source for the board. A program that runs in the container `bench`.

Knows the cross compiler. Must not know what is built, nor what becomes of it.

    python3 -m lab.bench.emulated.crossing TASK

TASK is JSON: `source`, a path in the checkout. Prints one line, {"program": OCTETS}, in base64.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path

from lab.bench.emulated.counting import CHECKOUT, cross
from lab.bench.emulated.serving import Trouble


def main() -> int:
    """Do the task."""
    print(json.dumps({"pid": os.getpid()}), flush=True)
    try:
        program = cross(CHECKOUT / json.loads(sys.argv[1])["source"], Path("/work"))
    except Trouble as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    print(json.dumps({"program": base64.b64encode(program.read_bytes()).decode("ascii")}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`python -m lab`, and the entry point of an installed `erle`. Knows nothing but where the command line is."""

from __future__ import annotations

import sys

from lab.cli.app import main

if __name__ == "__main__":
    sys.exit(main())

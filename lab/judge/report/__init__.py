"""Reports of one run: knows how verdicts are counted and shown (HTML, Markdown, JUnit, badges).

It must not know how a verdict is reached or any protocol's rules. All it shows comes from `results/<run>/`; all of that is
treated as hostile, for much of it came over the wire.
"""

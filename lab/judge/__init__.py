"""The judge: clauses, the catalogue, verdicts, results on disk, comparison of runs, the reports.

Knows how a case becomes a verdict. Must not know containers, or any protocol's rules.
"""

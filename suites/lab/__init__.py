"""The lab's own tests and benchmarks.

Knows every part of the lab and may start real engines and real processes. Must not know a protocol's rules (those
have suites of their own) nor depend on any implementation under test.
"""

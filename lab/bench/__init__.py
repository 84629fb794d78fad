"""Measuring servers: the load, the meters, the statistics, and what they say on a page.

Knows processes, clocks and sockets. Must not know any protocol or implementation: what is asked, what is to be answered and
which servers there are stands in `suites/<protocol>/bench.toml`.
"""

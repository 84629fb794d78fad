"""Programs and adapters that speak the protocols.

Knows protocols, the standard library and the libraries it adapts. Must not know the lab, the suites, pytest
or Docker: any file here can be read and copied alone.
"""

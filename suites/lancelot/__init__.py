"""The rules of the Lancelot protocol (docs/lancelot.md): clauses, cases, properties, mutants.

Knows the protocol and the lab. Must not know any implementation.
"""

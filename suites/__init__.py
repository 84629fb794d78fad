"""One folder per protocol: its ledger of clauses, its cases, its model and its mutants.

This floor knows the rules of the protocols and uses the lab's instruments. It sees an implementation only through
the contract of its protocol, and must not import one by name.
"""

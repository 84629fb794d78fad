"""The wire: endpoints, the tap, transcripts, the raw driver, scripted peers, segments and faults, the test CA.

Knows sockets, TLS and octets. Must not know containers, verdicts or any protocol's rules.
"""

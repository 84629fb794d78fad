"""SMTP: clients and servers under test, and the book's programs (simple, debug, ehlo, tls, login).

Knows the standard library and the mail libraries it adapts. Must not know who judges it, nor by which case.
"""

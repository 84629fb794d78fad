"""SMTP: the rules of RFC 5321 and its extensions, as clauses, cases, a model and mutants.

Knows the protocol. Sees implementations only through ``contract``; must not know any by name.
"""

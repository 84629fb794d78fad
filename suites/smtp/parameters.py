"""Parameters of cases that stand in several modules: which port, which mechanism, which way to TLS.

Knows the words of features. Judges nothing.
"""

from __future__ import annotations

import pytest

from lab.judge.marks import needs
from suites.smtp.contract import Security

#: The ports on which a session comes to be inside TLS, each with what a server has to declare.
SECURE_PORTS = [
    pytest.param("plain", id="starttls", marks=needs("starttls")),
    pytest.param("tls", id="implicit", marks=needs("implicit-tls")),
]
#: The SASL mechanisms that the driver speaks.
MECHANISMS = [
    pytest.param("PLAIN", id="plain", marks=needs("auth-plain")),
    pytest.param("LOGIN", id="login", marks=needs("auth-login")),
    pytest.param("CRAM-MD5", id="cram-md5", marks=needs("auth-cram-md5")),
]
#: The ways in which a client is told to use TLS.
WAYS: list[Security] = ["starttls", "tls"]
both_ways = pytest.mark.parametrize("security", WAYS)

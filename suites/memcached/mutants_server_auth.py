"""Mutants of the exemplar server: what is wrong where it asks for user name and password."""

from __future__ import annotations

from lab.judge.mutant import Breeder
from suites.memcached.exemplar_auth import Guard

breaks = Breeder("server")


@breaks("memcached-authentication-failure-is-client-error")
class AnyPassword(Guard):
    """Any name and password are taken."""

    def accepts(self, _data: bytes) -> bool:
        return True


@breaks("memcached-authentication-stored-is-success")
class NoPassword(Guard):
    """No name and password are taken."""

    def accepts(self, _data: bytes) -> bool:
        return False


@breaks("memcached-authentication-nothing-before")
class OpenDoor(Guard):
    """Commands that come before the password are carried out."""

    def refuse_line(self, line: bytes) -> None:
        self.send(self._inner.feed(line + b"\r\n"))

"""Measurement under emulation: what runs in the container `bench`, and in the guest that is booted there.

`container` is the host's side. The other modules run inside, with nothing but the standard library of Debian's Python: they
are started as programs, get their task as JSON and print what came of it, one JSON line at a time. None knows a protocol.
"""

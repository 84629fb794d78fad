"""Instruments of the laboratory: containers, sockets, verdicts, reports and the command line.

This floor knows Docker, sockets and verdicts. It must not know a protocol's rules (they live in `suites`), nor any
implementation by name (they live in `implementations` and reach the lab through their catalogue), and imports neither.
"""

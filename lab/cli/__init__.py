"""The command line: `erle`.

Knows how commands are named, parsed and ended. Must not hold what a command does beyond arguments and output; that is
the business of the other packages of `lab`. A module here offers `register(app)`, and imports what is heavy (Docker,
pytest, numpy) inside its commands, so that `erle --help` stays quick.
"""

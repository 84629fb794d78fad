"""The flags of a meta command: read, checked, and those of the answer put into words.

Protocol, "Meta Commands"; what is refused and in which words is memcached 1.6.18's. Knows words. Must not know the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from implementations.memcached import base64_keys
from implementations.memcached.numbers import client_flags, signed32, unsigned64

BAD_FORMAT = b"CLIENT_ERROR bad command line format\r\n"
OPAQUE_TOO_LONG = b"CLIENT_ERROR opaque token too long\r\n"
_BAD_TOKEN = b"CLIENT_ERROR bad token in command line format\r\n"
_OPAQUE_MAX = 32
_HIGHEST = 127
#: Flags without a meaning to the server, or with one that only the answer shows.
_PLAIN = frozenset(b"OPLkstcf")
#: Flags for which an item is marked as fetched only when all of them are worked off.
_BEFORE = frozenset(b"lhNTR")


class Refused(Exception):
    """The line breaks the protocol; `answer` is the error line."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass(slots=True)
class Flags:
    """What the flags of a line ask for; times as they were sent, None where there was none."""

    words: Sequence[bytes]
    key: bytes
    binary: bool = False
    vivify: int | None = None
    ttl: int | None = None
    recache: int | None = None
    value: bool = False
    no_bump: bool = False
    quiet: bool = False
    invalidate: bool = False
    client_flags: int = 0
    cas: int | None = None
    mode: bytes = b""
    initial: int = 0
    delta: int = 1

    @property
    def asks_before(self) -> bool:
        """Whether one asks how the item was before this command fetched it, or changes how long it lives."""
        return any(word[0] in _BEFORE for word in self.words)

    def echoes(self) -> bytes:
        """The opaque and the key as an answer repeats them.

        Raises:
            Refused: the opaque is longer than one may be.
        """
        return b"".join(
            self.echo(word, self.key, binary=self.binary) for word in self.words if word[:1] in {b"O", b"k"}
        )

    @staticmethod
    def echo(word: bytes, key: bytes, *, binary: bool) -> bytes:
        """One of them; a key in base64 says so.

        Raises:
            Refused: it is an opaque that is longer than one may be.
        """
        if word[:1] == b"O":
            if len(word) > _OPAQUE_MAX:
                raise Refused(OPAQUE_TOO_LONG)
            return b" " + word
        return b" k%b b" % base64_keys.encode(key) if binary else b" k" + key


def read(key: bytes, words: Sequence[bytes]) -> Flags:
    """Read all flags.

    Raises:
        Refused: one is unknown, comes twice, or has a token that is none. Where several have, the last one is told of.
    """
    flags = Flags(words, key)
    seen: set[int] = set()
    wrong: bytes | None = None
    told = BAD_FORMAT
    for word in words:
        letter = word[0]
        if letter >= _HIGHEST or letter in seen:
            raise Refused(b"CLIENT_ERROR duplicate flag\r\n")
        seen.add(letter)
        if letter in _PLAIN:
            continue
        problem = _take(flags, word)
        if problem is not None:
            told = problem or told
            wrong = told
    if wrong is not None:
        raise Refused(wrong)
    return flags


def _take(flags: Flags, word: bytes) -> bytes | None:  # noqa: C901, PLR0912 - one line for each letter of the table
    """Note one flag; gives the error line where its token is wrong, b"" for one without words of its own."""
    token = word[1:]
    problem: bytes = _BAD_TOKEN
    number: int | None = 0
    match word[:1]:
        case b"b":
            key = base64_keys.decode(flags.key)
            flags.key, flags.binary = key or b"", True
            return None if key else b"CLIENT_ERROR error decoding key\r\n"
        case b"N":
            number = flags.vivify = signed32(token)
        case b"T":
            number = flags.ttl = signed32(token)
        case b"R":
            number = flags.recache = signed32(token)
        case b"C":
            number = flags.cas = unsigned64(token)
        case b"F":
            problem, number = b"", client_flags(token)
            flags.client_flags = number or 0
        case b"J":
            problem, number = b"CLIENT_ERROR invalid numeric initial value\r\n", unsigned64(token)
            flags.initial = number or 0
        case b"D":
            problem, number = b"CLIENT_ERROR invalid numeric delta value\r\n", unsigned64(token)
            flags.delta = number or 0
        case b"M":
            if len(token) != 1:
                return b"CLIENT_ERROR incorrect length for M token\r\n"
            flags.mode = token
        case b"v":
            flags.value = True
        case b"u":
            flags.no_bump = True
        case b"q":
            flags.quiet = True
        case b"I":
            flags.invalidate = True
        case b"l" | b"h":
            pass
        case _:
            raise Refused(b"CLIENT_ERROR invalid flag\r\n")
    return problem if number is None else None

"""The exemplar server's flags of meta commands: what stands on a line behind the key, and what is echoed of it.

Knows the section Meta Commands, and what memcached 1.6 answers where it leaves it open. Must not know what a command does.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Final

from suites.memcached import exemplar_numbers as numbers
from suites.memcached.exemplar_framing import BAD_FORMAT
from suites.memcached.exemplar_text import TextSession

#: Words of a line, the command's name among them.
WORD_LIMIT: Final = 19
#: Section Meta Get: the token of ``O``, with its letter.
OPAQUE_LIMIT: Final = 32
BAD_TOKEN: Final = b"CLIENT_ERROR bad token in command line format"
OPAQUE_TOO_LONG: Final = b"CLIENT_ERROR opaque token too long"
KNOWN: Final = frozenset(b"bNTRlOPLkstcfvhuqFCMJDI")
ALPHABET: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


class MetaError(Exception):
    """A line that is refused; its text is the answer."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self.answer = answer


@dataclass
class Meta:
    """A meta command's key and flags.

    Attributes:
        words: the flags with their tokens, in the order of the line.
        letters: the flags without.
        expires: for ``T``, ``N`` and ``R``, by their letters.
    """

    key: bytes
    words: list[bytes]
    letters: frozenset[str]
    binary: bool = False
    expires: dict[str, int] = field(default_factory=dict)
    flags: int = 0
    cas: int | None = None
    mode: bytes = b""
    initial: int = 0
    delta: int = 1

    @property
    def quiet(self) -> bool:
        """Whether the usual answer is not wanted."""
        return "q" in self.letters


def decode_key(text: bytes) -> bytes:
    """A key that came in base64; octets outside its alphabet are passed over. Empty where it is none."""
    kept = bytes(octet for octet in text if octet in ALPHABET)
    if not kept or len(kept) % 4:
        return b""
    decoded = b""
    for start in range(0, len(kept), 4):
        block = kept[start : start + 4]
        padding = block.count(b"=")
        if padding > 2:
            return b""
        decoded += base64.b64decode(block.replace(b"=", b"A"))[: 3 - padding]
        if padding:
            break
    return decoded


class MetaFlags(TextSession):
    """The part of a session that understands meta lines."""

    def check_meta_line(self, name: bytes, words: list[bytes]) -> None:
        """What holds for every meta command before its flags are looked at.

        Raises:
            MetaError: the key or the line is too long.
        """
        if not self.key_fits(words[1]):
            raise MetaError(BAD_FORMAT)
        if len(words) > WORD_LIMIT:
            raise MetaError(b"CLIENT_ERROR options flags %btoo long" % (b"are " if name == b"mg" else b""))

    def meta_of(self, key: bytes, words: list[bytes]) -> Meta:
        """Key and flags of a line.

        Raises:
            MetaError: a flag is unknown, said twice, or its token is bad.
        """
        meta = Meta(key, words, frozenset(chr(word[0]) for word in words))
        seen: set[int] = set()
        trouble: bytes | None = None
        for word in words:
            letter = word[0]
            if letter >= 127 or letter in seen:
                raise MetaError(self.duplicate_flag())
            seen.add(letter)
            if letter not in KNOWN:
                raise MetaError(b"CLIENT_ERROR invalid flag")
            # the last one tells
            trouble = self.take_flag(meta, chr(letter), word[1:], trouble) or trouble
        if trouble is not None:
            raise MetaError(trouble)
        return meta

    def duplicate_flag(self) -> bytes:
        """The answer to a flag that is said twice."""
        return b"CLIENT_ERROR duplicate flag"

    # a flag a branch
    def take_flag(  # noqa: PLR0911
        self, meta: Meta, letter: str, token: bytes, trouble: bytes | None
    ) -> bytes | None:
        """Take one flag; what is wrong with it, if anything is."""
        number: int | None
        match letter:
            case "b":
                meta.key, meta.binary = self.key_of_base64(meta.key), True
                return None if meta.key else b"CLIENT_ERROR error decoding key"
            case "N" | "T" | "R":
                number = numbers.signed(token)
                meta.expires[letter] = self.store.expiry(number or 0)
                return BAD_TOKEN if number is None else None
            case "F":
                number = numbers.flags(token)
                meta.flags = number or 0
                return (trouble or BAD_FORMAT) if number is None else None
            case "C":
                meta.cas = numbers.unsigned(token)
                return BAD_TOKEN if meta.cas is None else None
            case "M":
                meta.mode = token
                return b"CLIENT_ERROR incorrect length for M token" if len(token) != 1 else None
            case "J":
                number = numbers.unsigned(token)
                meta.initial = number or 0
                return b"CLIENT_ERROR invalid numeric initial value" if number is None else None
            case "D":
                number = numbers.unsigned(token)
                meta.delta = number or 0
                return b"CLIENT_ERROR invalid numeric delta value" if number is None else None
        return None

    def key_of_base64(self, key: bytes) -> bytes:
        """The key that the flag ``b`` makes of what stands on the line."""
        return decode_key(key)

    def key_flag(self, key: bytes, *, binary: bool) -> bytes:
        """The flag ``k`` of an answer, with ``b`` where the key is in base64."""
        return b" k%b b" % base64.b64encode(key) if binary else b" k" + key

    def opaque(self, word: bytes) -> bytes:
        """The flag ``O`` of an answer.

        Raises:
            MetaError: its token is too long.
        """
        if len(word) > OPAQUE_LIMIT:
            raise MetaError(OPAQUE_TOO_LONG)
        return b" " + word

    def echoed(self, meta: Meta) -> bytes:
        """The flags of an answer for which no item is needed.

        Raises:
            MetaError: an opaque token is too long.
        """
        answer = b""
        for word in meta.words:
            if word[:1] == b"O":
                answer += self.opaque(word)
            elif word[:1] == b"k":
                answer += self.key_flag(meta.key, binary=meta.binary)
        return answer

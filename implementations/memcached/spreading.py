"""Four ways to choose a server for a key, and what can be said of them.

Knows keys and numbers of servers. Must not know any socket.

`hash` is here to show why it must not be used: since Python 3.3 the hash of a text begins with a random number of each process
(unless the environment variable PYTHONHASHSEED sets it), so that another process, or the same program started anew, looks for
a key on another server.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Ketama: each server has this many points on the circle, four from each digest.
POINTS = 160
LETTERS = 26
_HASHES = "import json, sys; json.dump([hash(word) for word in json.load(sys.stdin)], sys.stdout)"

#: Gives the number of the server for a word.
Choice = Callable[[str], int]


def by_first_letter(servers: Sequence[str]) -> Choice:
    """The alphabet cut into equal parts; what begins with no letter goes to the first."""

    def choose(word: str) -> int:
        letter = ord(word[0].lower()) - ord("a")
        return letter * len(servers) // LETTERS if 0 <= letter < LETTERS else 0

    return choose


def by_hash(servers: Sequence[str]) -> Choice:
    """Python's own hash, which is another in each process."""
    return lambda word: hash(word) % len(servers)


def by_md5(servers: Sequence[str]) -> Choice:
    """MD5, the remainder of which names the server."""
    return lambda word: int.from_bytes(_digest(word), "big") % len(servers)


def by_ketama(servers: Sequence[str]) -> Choice:
    """Consistent hashing: the server whose point on the circle follows that of the key."""
    circle = sorted(
        (int.from_bytes(digest[start : start + 4], "little"), number)
        for number, server in enumerate(servers)
        for digest in (_digest(f"{server}-{index}") for index in range(POINTS // 4))
        for start in range(0, 16, 4)
    )
    places = [place for place, _ in circle]

    def choose(word: str) -> int:
        place = int.from_bytes(_digest(word)[:4], "little")
        return circle[bisect.bisect_left(places, place) % len(circle)][1]

    return choose


def _digest(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


WAYS: dict[str, Callable[[Sequence[str]], Choice]] = {
    "first letter": by_first_letter,
    "hash": by_hash,
    "md5": by_md5,
    "ketama": by_ketama,
}


@dataclass(frozen=True)
class Spread:
    """How one way spreads the words.

    Attributes:
        counts: words on each server.
        moved: the share of words for which another server is chosen once there is one more.
        lost: the share of words that another process looks for on another server.
    """

    counts: tuple[int, ...]
    moved: float
    lost: float

    @property
    def imbalance(self) -> float:
        """What the fullest server has, as a multiple of an equal share."""
        return max(self.counts) * len(self.counts) / sum(self.counts)


def spread(way: str, words: Sequence[str], servers: Sequence[str], *, added: str) -> Spread:
    """Spread words over servers, and look what one more server changes."""
    choices = [WAYS[way](servers)(word) for word in words]
    choose_later = WAYS[way]([*servers, added])
    moved = sum(choose_later(word) != choice for word, choice in zip(words, choices, strict=True))
    counted = Counter(choices)
    lost = _lost_by_hash(words, choices, len(servers)) if way == "hash" else 0.0
    return Spread(tuple(counted[number] for number in range(len(servers))), moved / len(words), lost)


def _lost_by_hash(words: Sequence[str], choices: Sequence[int], count: int) -> float:
    """The share of words that a new process of Python chooses another server for."""
    ran = subprocess.run(
        [sys.executable, "-c", _HASHES], input=json.dumps(words), capture_output=True, text=True, check=True
    )
    others: list[int] = [int(number) % count for number in json.loads(ran.stdout)]
    lost = sum(mine != other for mine, other in zip(choices, others, strict=True))
    return lost / len(words)

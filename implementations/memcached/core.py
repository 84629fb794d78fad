"""A conversation with memcached: octets in, octets out, however they are cut.

Knows lines, data blocks and their ends; hands each command to its module. Must not know sockets: whoever has one calls
`receive` with what came, sends what that gives, and, when all is sent and `more` is true, goes on with `resume`.

The memory of a conversation is bounded. A block is kept as it arrives, never ahead of that; one that is too large is dropped
as it arrives. A line ends within 2 KiB, but for `get` and `gets` with many keys. Answers are made up to `ANSWER_MAX` octets
or one item at a time; what else was asked waits as it came.
"""

from __future__ import annotations

from collections.abc import Iterator

from implementations.memcached import meta_commands, text_commands
from implementations.memcached.effects import Block, Close, Effect, Parts, Swallow
from implementations.memcached.slabs import item_size
from implementations.memcached.storage import KEY_MAX, Cache, Item

#: Octets without the end of a line after which memcached gives a peer up.
LINE_MAX = 2048
#: Octets of a line with a great many keys.
KEYS_LINE_MAX = 1 << 20
#: Octets of answers after which the peer has to take them first.
ANSWER_MAX = 256 << 10
#: Octets that are split into lines at once.
BATCH_MAX = 16 << 10
#: Octets below which a piece that waits is lengthened by the next.
PIECE_MIN = 4 << 10
_LEADING_SPACES = 100
_NUMBER_MAX = 9
_SET_WORDS = 5


class Conversation:
    """One peer's side of the protocol."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        #: What came and waits: for the end of a line, or for answers to be taken.
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._block: Block | None = None
        self._to_swallow = 0
        self._afterwards = b""
        self._parts: Iterator[bytes] | None = None
        #: Whether nothing is under way, so that what comes next begins a command.
        self.idle = True
        #: Whether `resume` is to be called once all answers are sent.
        self.more = False
        #: Whether the conversation ends when all answers are sent.
        self.closing = False

    @property
    def wanted(self) -> int:
        """Octets that are known to come still: the rest of a data block."""
        if self._block is not None:
            return self._block.length - self._waiting_size
        return self._to_swallow

    def receive(self, octets: bytes) -> bytes:
        """Take what has come, and give the answers to it."""
        cache = self._cache
        if self.idle:
            answer = cache.hot.get(octets)
            if answer is not None:
                cache.hot_hits += 1
                return answer
            if len(octets) <= BATCH_MAX:
                return self._batch(octets)
        elif self.closing:
            return b""
        elif self._block is not None and not self.more:
            if self._waiting_size + len(octets) < self._block.length:
                self._keep(octets)
                return b""
        elif self._waiting and not self.more and b"\n" not in octets:
            return self._lengthen(octets)
        self._keep(octets)
        return self._go_on([]) if not self.more else b""

    def resume(self) -> bytes:
        """Go on where the answers had become too many."""
        self.more = False
        return self._go_on([])

    def _batch(self, octets: bytes) -> bytes:
        """Answer commands that came whole, most of all get and set, with as little work as can be.

        Whatever is out of the ordinary, and what follows it, is left to `_go_on`.
        """
        cache = self._cache
        hot, items = cache.hot.get, cache.items.get
        lines = octets.splitlines(keepends=True)
        last = len(lines) - 1
        answers: list[bytes] = []
        add = answers.append
        hits = size = number = 0
        while number <= last:
            line = lines[number]
            answer = hot(line)
            if answer is not None:
                add(answer)
                hits += 1
                number += 1
                continue
            if line[:4] == b"get ":
                key = line[4:-2]
                item = items(key)
                if item is None or item.expires or line[-2:] != b"\r\n" or b" " in key or b"\0" in key:
                    break
                cache.counters.cmd_get += 1
                cache.counters.get_hits += 1
                cache.bump(key, item)
                add(item.reply)
                number += 1
                size += len(item.reply)
                if size > ANSWER_MAX:
                    break
                continue
            if line[:4] != b"set " or number == last or line[-2:] != b"\r\n":
                break
            words = line.split(b" ")
            if len(words) != _SET_WORDS:
                break
            _, key, flags, expiration, length = words
            length = length[:-2]
            block = lines[number + 1]
            if (
                not (flags.isdigit() and expiration.isdigit() and length.isdigit())
                or len(flags) > _NUMBER_MAX
                or len(expiration) > _NUMBER_MAX
                or int(length) + 2 != len(block)
                or block[-2:] != b"\r\n"
                or not 0 < len(key) <= KEY_MAX
                or b"\0" in key
                or item_size(key, 1, len(block)) > cache.limits.item
            ):
                break
            cache.counters.cmd_set += 1
            expires = 0 if expiration == b"0" else cache.deadline(int(expiration))
            cache.link(key, Item(key, block[:-2], int(flags), expires))
            add(b"STORED\r\n")
            number += 2
        cache.hot_hits += hits
        if number <= last:
            self._waiting.append(b"".join(lines[number:]))
            return self._go_on(answers)
        return b"".join(answers)

    def _go_on(self, answers: list[bytes]) -> bytes:  # noqa: C901 - the states of a conversation, one after the other
        """Do what waits, as far as it has come whole and the answers do not become too many; add to these answers."""
        data = b"".join(self._waiting)
        self._waiting.clear()
        size = len(data)
        at = 0
        room = ANSWER_MAX - sum(map(len, answers))
        while not self.closing:
            if self._parts is not None:
                room = self._take_parts(answers, room)
            if room <= 0:
                self.more = True
                break
            if self._to_swallow:
                dropped = min(self._to_swallow, size - at)
                self._to_swallow -= dropped
                at += dropped
                if self._to_swallow:
                    break
                answer, self._afterwards = self._afterwards, b""
            elif self._block is not None:
                end = at + self._block.length
                if end > size:
                    break
                answer = self._block.finish(data[at:end])
                self._block = None
                at = end
            else:
                end = data.find(b"\n", at)
                if end < 0:
                    break
                answer = self._begin(data[at:end])
                at = end + 1
            if answer:
                answers.append(answer)
                room -= len(answer)
        rest = data[at:] if at else data
        if rest and not self.closing:
            self._waiting.append(rest)
        self._waiting_size = len(rest)
        self.idle = not (
            self._waiting_size or self._block or self._to_swallow or self.more or self.closing or self._parts
        )
        if not (self._block or self.more or self.closing) and self._waiting_size > LINE_MAX:
            answers.append(self._too_long())
        return b"".join(answers)

    def _take_parts(self, answers: list[bytes], room: int) -> int:
        if self._parts is None:
            return room
        for answer in self._parts:
            answers.append(answer)
            room -= len(answer)
            if room <= 0:
                return room
        self._parts = None
        return room

    def _begin(self, line: bytes) -> bytes:
        """Do what a line asks for, without the LF at its end; what is left to come is noted."""
        # A line of a CR alone keeps it, as memcached has it.
        if len(line) > 1 and line[-1:] == b"\r":
            line = line[:-1]
        words = [word for word in line.partition(b"\0")[0].split(b" ") if word]
        effect: Effect
        if words and len(words[0]) == 2 and words[0][:1] == b"m":
            effect = meta_commands.perform(self._cache, words)
        else:
            effect = text_commands.perform(self._cache, words)
        match effect:
            case bytes():
                return effect
            case Block():
                self._block = effect
            case Swallow():
                self._to_swallow = effect.length
                self._afterwards = effect.answer
            case Parts():
                self._parts = effect.answers
            case Close():
                self.closing = True
        return b""

    def _keep(self, octets: bytes) -> None:
        """Have octets wait; small pieces are put together, so that they cost little more than they are."""
        if self._waiting and len(self._waiting[-1]) < PIECE_MIN:
            self._waiting[-1] += octets
        else:
            self._waiting.append(octets)
        self._waiting_size += len(octets)

    def _lengthen(self, octets: bytes) -> bytes:
        """Keep more of a line whose end has not come."""
        self._keep(octets)
        return self._too_long() if self._waiting_size > LINE_MAX else b""

    def _too_long(self) -> bytes:
        """See whether a line that does not end may go on; otherwise the conversation ends, perhaps with an answer."""
        start = self._waiting[0]
        command = start.lstrip(b" ")
        if len(start) - len(command) > _LEADING_SPACES or not command.startswith((b"get ", b"gets ")):
            answer = b""
        elif self._waiting_size > KEYS_LINE_MAX:
            answer = b"SERVER_ERROR out of memory reading request\r\n"
        else:
            return b""
        self.closing = True
        self.idle = False
        self._waiting.clear()
        return answer

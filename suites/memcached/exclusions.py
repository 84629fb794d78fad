"""What is not said to servers that are compared, because memcached itself answers it otherwise, or each time otherwise.

Knows what the differential search leaves out, with the reason, and octets that show the difference. Must not know how
servers are asked. An entry that is needed no more fails `test_differential.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Exclusion:
    """One thing left out.

    Attributes:
        name: what is left out, in a word.
        reason: why it cannot be compared.
        shown_by: octets that memcached and the model answer otherwise when they come at once; each ``{k}`` is the same new key,
            ``{b}`` that key in base64. ``None`` where memcached's answer depends on what its memory held before.
    """

    name: str
    reason: str
    shown_by: bytes | None


EXCLUSIONS: Final = (
    Exclusion(
        "arithmetic-in-one-go",
        "An mg whose answer is not sent yet holds the item, and then a shorter number is not padded: arithmetic comes behind "
        "an mn, which has the answers sent.",
        b"set {k} 0 0 2\r\n10\r\nmg {k} v\r\ndecr {k} 1\r\nget {k}\r\n",
    ),
    Exclusion(
        "long-key-in-one-go",
        "A retrieval with a key that is too long throws away the answers that are not sent yet: it comes behind an mn.",
        b"version\r\nget " + b"x" * 251 + b"\r\n",
    ),
    Exclusion(
        "long-gat",
        "A line of gat or gats of more than 2048 octets closes the connection where a read ends inside it, which is chance; those of "
        "get and gets alone may go on.",
        # more than memcached reads at once
        b"gats 0" + b" {k}" * 1500 + b"\r\n",
    ),
    Exclusion(
        "flush-with-delay-after-flush",
        "A flush_all with a delay brings back what a flush_all before it had invalidated.",
        b"set {k} 0 0 1\r\nx\r\nflush_all\r\nflush_all 100000\r\nget {k}\r\n",
    ),
    Exclusion(
        "flush-in-a-second",
        "A delay of one second is over at once.",
        b"set {k} 0 0 1\r\nx\r\nflush_all 1\r\nget {k}\r\n",
    ),
    Exclusion(
        "ma-with-new-time",
        "When ma makes a number longer, the time of T is given to the old item and lost.",
        b"set {k} 0 0 1\r\n9\r\nma {k} T100000\r\nmg {k} t\r\n",
    ),
    Exclusion(
        "append-to-base64-key",
        "An item that was appended to no longer knows that its key came in base64.",
        b"ms {b} 1 b\r\nx\r\nms {b} 1 b MA\r\ny\r\nmg {b} b k\r\n",
    ),
    Exclusion(
        "vivified-base64-key",
        "An item that mg has made does not know that its key came in base64.",
        b"mg {b} b N0 k\r\n",
    ),
    Exclusion(
        "number-under-base64-key",
        "A number that has grown longer no longer knows that its key came in base64.",
        b"ms {b} 1 b\r\n9\r\nma {b} b\r\nmg {b} b k\r\n",
    ),
    Exclusion(
        "time-left-of-what-is-gone",
        "The time left of an item that has just been given one in the past is counted from the start of the server.",
        b"set {k} 0 0 1\r\nx\r\nmg {k} T-1 t\r\n",
    ),
    Exclusion(
        "flags-beyond-32-bits",
        "Of flags with more than 32 bits the upper ones are lost, where refusing them is what the document has in mind.",
        b"set {k} 4294967296 0 1\r\nx\r\n",
    ),
    Exclusion(
        "me",
        "me tells of slab classes and of sizes inside memcached.",
        b"set {k} 0 0 1\r\nx\r\nme {k}\r\n",
    ),
    Exclusion(
        "stats",
        "stats tells of the process and its threads.",
        b"stats\r\n",
    ),
    Exclusion(
        "http",
        "A line of no command that ends in a word beginning with HTTP/ closes the connection, and throws away the answers that "
        "are not sent yet.",
        b"version\r\nGET / HTTP/1.1\r\n",
    ),
    Exclusion(
        "moving-pages",
        "When memcached moves memory between its slab classes, the items in it are given new unique values: moving is switched off "
        "meanwhile.",
        None,
    ),
    Exclusion(
        "moving-items",
        "While a fetched item waits for the thread that moves it between the segments of the LRU, a shorter number is not padded: "
        "there are no segments meanwhile.",
        None,
    ),
    Exclusion(
        "arithmetic-on-blanks",
        "Where data are white space alone, memcached reads the number in the memory behind them.",
        None,
    ),
    Exclusion(
        "minus-behind-a-large-number",
        "A stored number of 2^63 or more is refused where a minus stands in the memory behind it, up to the next NUL: "
        "arithmetic on such a number is left out.",
        # what is deleted leaves its memory to the next item of the same size
        b"set {k} 0 0 23\r\n" + b"-" * 23 + b"\r\ndelete {k}\r\n"
        b"set {k} 0 0 20\r\n18446744073709551614\r\nincr {k} 1\r\n",
    ),
)

#: Clocks of two servers do not tick together: ``t`` and ``l`` of meta answers may differ by so many seconds, and by as many
#: more as the longest answer took.
SECONDS_APART: Final = 2

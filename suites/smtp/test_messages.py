"""The messages that cases send are what they claim to be. Judges no implementation."""

from __future__ import annotations

from suites.smtp.message import sized_message, stuff, unstuff


def test_a_sized_message_has_its_size() -> None:
    """The size is met whatever is left for the last line."""
    sizes = range(1000, 1300)

    made = {size: sized_message(size, line=b"x" * 100) for size in sizes}

    assert {size: len(octets) for size, octets in made.items()} == {size: size for size in sizes}
    assert all(octets.endswith(b"\r\n") for octets in made.values())


def test_stuffing_is_undone_by_unstuffing() -> None:
    """What is stuffed and unstuffed is what it was, and dots are doubled only where a line begins."""
    content = b".\r\n..a\r\nb.\r\n"

    stuffed = stuff(content)

    assert stuffed == b"..\r\n...a\r\nb.\r\n.\r\n"
    assert unstuff(stuffed.removesuffix(b".\r\n")) == content

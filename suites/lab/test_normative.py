"""Knows what the reader of specifications must get right on invented texts; knows no real specification."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from lab.judge import normative

DEFINITION = 'The key words "MUST", "SHOULD NOT", and "MAY" are to be read as usual.'
PAGED = """\



Network Working Group                                         A. Author
Request for Comments: 99999                                October 2008


                              A Protocol

Table of Contents

   1.  Introduction . . . . . . . . . . . . . . . . . . . . . . . . .  2
     1.1.  A Title that Breaks and
           MUST NOT Count . . . . . . . . . . . . . . . . . . . . . .  2

Author                      Standards Track                     [Page 1]
\f
RFC 99999                       Protocol                    October 2008


1.  Introduction

   The key words "MUST", "MUST NOT", and "SHOULD" are to be read as
   usual.  Peers MUST agree.  They should not quarrel, e.g., MUST they
   greet.

1.1.  Sizes

   A sentence begun here MUST go on, and it
   goes on over the end of its page; a high-



Author                      Standards Track                     [Page 2]
\f
RFC 99999                       Protocol                    October 2008


   order bit SHOULD be clear.  A dot is sent as "." (MUST be doubled).
   It MAY be late.

   o  One item MUST stand alone
   o  Another item is RECOMMENDED.  It is OPTIONAL

   1.  A list number does not open section 1 and SHALL count in 1.1.

2.  Second

   Nothing is REQUIRED here, and there SHOULD NOT be more.

Appendix A.  More

   Peers SHOULD read the appendix.

Author's Address

   A street that MUST NOT count
"""


def listed(sentences: Sequence[normative.NormativeSentence]) -> list[tuple[str, int, str]]:
    """Section, ordinal and level of each sentence."""
    return [(sentence.section, sentence.ordinal, sentence.level) for sentence in sentences]


def test_paged_text_gives_sentences_by_section() -> None:
    """Headers, footers, contents, definitions and addresses are not counted; page breaks cut no sentence."""
    sentences = normative.normative_sentences(PAGED)
    assert {sentence.spec for sentence in sentences} == {"RFC 99999"}
    assert listed(sentences) == [
        ("1", 1, "MUST"),
        ("1", 2, "MUST"),
        ("1.1", 1, "MUST"),
        ("1.1", 2, "MUST"),
        ("1.1", 3, "MUST"),
        ("1.1", 4, "SHOULD"),
        ("1.1", 5, "MUST"),
        ("2", 1, "MUST"),
        ("A", 1, "SHOULD"),
    ]
    assert sentences[2].text.endswith("over the end of its page; a high-order bit SHOULD be clear.")
    assert sentences[3].text == 'A dot is sent as "." (MUST be doubled).'


def test_permissions_are_counted_apart() -> None:
    """MAY and OPTIONAL have ordinals of their own and move no ordinal of a requirement."""
    permissions = [sentence for sentence in normative.all_sentences(PAGED) if sentence.level == "MAY"]
    assert listed(permissions) == [("1.1", 1, "MAY"), ("1.1", 2, "MAY")]
    assert normative.count_by_section(normative.all_sentences(PAGED)) == {"1": 2, "1.1": 5, "2": 1, "A": 1}


def test_text_without_pages_and_with_plain_contents() -> None:
    """The format since RFC 8650 has no pages, and its contents look like headings."""
    text = textwrap.dedent(
        f"""\
        Internet Engineering Task Force (IETF)
        Request for Comments: 99998

        Table of Contents

           1.  Introduction
             1.1.  Purpose MUST NOT Count
           2.  Rules

        1.  Introduction

           {DEFINITION}

        1.1.  Purpose

           *  A client MUST NOT wait for ever.

        2.  Rules

           A server SHOULD answer.
        """
    )
    assert listed(normative.normative_sentences(text)) == [("1.1", 1, "MUST"), ("2", 1, "SHOULD")]


def test_indented_headings_open_sections_and_list_items_do_not() -> None:
    """RFC 1123 indents its headings: the exact successor opens a section, any other number is text."""
    text = textwrap.dedent(
        f"""\
        RFC: 99997

        1.  GENERAL

           {DEFINITION}

           1.1  First

              A host MUST listen.

              1.3  This number skips one and MUST stay text.

           1.2  Second

              A host SHOULD answer.
        """
    )
    assert listed(normative.normative_sentences(text)) == [
        ("1.1", 1, "MUST"),
        ("1.1", 2, "MUST"),
        ("1.2", 1, "SHOULD"),
    ]


def test_a_text_that_never_defines_the_key_words_is_read_in_any_case() -> None:
    """Older texts write their requirements in small letters."""
    text = "Request for Comments: 99996\n\n1. Rules\n\n   A server must answer.  It may sing.\n"
    assert normative.key_words(text) == "any case"
    assert listed(normative.all_sentences(text)) == [("1", 1, "MUST"), ("1", 1, "MAY")]
    assert normative.normative_sentences(text + f"\n   {DEFINITION}\n") == []


@pytest.mark.parametrize(
    ("paragraph", "count"),
    [
        ("One ends. Two ends.", 2),
        ("One (in brackets.) Two follows.", 2),
        ("Not here, e.g., nor etc. There it goes on.", 1),
        ('A line with "." (a dot) is one.', 1),
        ("1. A list number belongs to its item.", 1),
        ("Section 4.1.2 is named in RFC 1652 [22]. 8BITMIME follows.", 2),
        ("No end mark", 1),
        ("", 0),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(paragraph: str, count: int) -> None:
    """Abbreviations, quoted dots and numbers do not end a sentence."""
    assert len(normative.split_sentences(paragraph)) == count


class Row(NamedTuple):
    """A claim on sentences."""

    spec: str
    section: str
    sentences: list[int]


def test_missing_sentences_names_each_fault() -> None:
    """A sentence in no clause, one beyond the count, and a section that has none are each one line."""
    counts = {"RFC 99999": {"1": 2, "1.1": 3}}
    rows = [Row("RFC 99999", "1", [1, 2]), Row("RFC 99999", "1.1", [1]), Row("RFC 99999", "1.1", [3])]
    assert normative.missing_sentences([*rows, Row("RFC 99999", "1.1", [2])], counts) == []
    assert normative.missing_sentences([*rows, Row("RFC 99999", "9", [])], counts) == [
        "RFC 99999, section 1.1: sentence 2 of 3 is in no clause"
    ]
    beyond = [Row("RFC 99999", "1.1", [1, 2, 3, 4]), Row("RFC 7", "2", [1])]
    assert normative.missing_sentences(beyond, counts) == [
        "RFC 99999, section 1: sentence 1 of 2 is in no clause",
        "RFC 99999, section 1: sentence 2 of 2 is in no clause",
        "RFC 99999, section 1.1: sentence 4 is claimed, but the section has 3",
        "RFC 7, section 2: sentence 1 is claimed, but the section has 0",
    ]


def test_counts_survive_the_way_through_toml(tmp_path: Path) -> None:
    """What is written is read back; another shape is refused with the file's name."""
    path = tmp_path / "normative.toml"
    counts = {"RFC 99999": normative.count_by_section(normative.normative_sentences(PAGED))}
    path.write_text(normative.counts_as_toml(counts), encoding="utf-8")
    assert normative.load_counts(path) == counts
    for text, message in [
        ("a =", "normative.toml: "),
        ("a = 1", "must hold section"),
        ('[a]\n"1" = true', "'a'"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            normative.load_counts(path)


def test_command_counts_and_names_an_unreadable_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--count` prints TOML; a text without a number is one line on standard error and status 2."""
    text, other = tmp_path / "a.txt", tmp_path / "b.txt"
    text.write_text(PAGED, encoding="utf-8")
    other.write_text("A shopping list", encoding="utf-8")
    assert normative.main(["--count", str(text)]) == 0
    assert '["RFC 99999"]\n"1" = 2\n"1.1" = 5\n"2" = 1\n"A" = 1\n' in capsys.readouterr().out
    assert normative.main(["--section", "2", str(text)]) == 0
    assert capsys.readouterr().out.startswith("RFC 99999 2 (1) MUST: Nothing")
    assert normative.main([str(other)]) == 2
    assert capsys.readouterr().err == f"{other}: no 'Request for Comments: NUMBER' on the first page\n"

"""The HTML report in a browser: search, keyboard, reading without scripts, phone and desktop, light and dark.

Knows what a reader does. Everything is opened from files; the browser can reach nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.judge.report.html import write_html
from lab.judge.runs import read_run
from suites.lab.browser import MISSING, Browser, programs
from suites.lab.synthetic_runs import write_run
from suites.lab.test_report_html import write_hostile

pytestmark = pytest.mark.skipif(programs() is None, reason=MISSING)

# The contrast of each text with what lies behind it, by the formula of WCAG 2.2 (relative luminance, contrast ratio).
CONTRAST = """
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const behind = element => {
  for (let one = element; one; one = one.parentElement) {
    const found = numbers(getComputedStyle(one).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return numbers(getComputedStyle(document.body).backgroundColor);
};
const poor = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest("option")) continue;
  const [light, dark] = [numbers(getComputedStyle(element).color), behind(element)].map(luminance).sort((a, b) => b - a);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < 4.5) poor.push(`${element.tagName}.${element.className} ${ratio.toFixed(2)} ${element.textContent.slice(0, 40)}`);
}
return poor;
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small report."""
    base = tmp_path_factory.mktemp("report")
    write_html(read_run(write_run(base / "results")), base / "html")
    return base / "html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests of this module."""
    with Browser() as opened:
        opened.emulate(1280, 900)
        yield opened


def some_pages(report: Path) -> list[Path]:
    """One page of each kind; those of a failing verdict where there is a choice."""
    folders = ("clauses", "cases", "implementations", "transcripts")
    telling = [
        next(path for path in sorted((report / folder).iterdir()) if "chip v-fail" in path.read_text("utf-8"))
        for folder in folders
    ]
    return [report / "index.html", report / "matrix" / "smtp-client.html", *telling]


def test_search_finds_and_leads_there(browser: Browser, report: Path) -> None:
    """`/` goes to the search; words narrow it; arrows and Enter open what was found, as text and not as markup."""
    browser.go(report / "index.html")
    browser.press("/")
    assert browser.run("return document.activeElement.id") == "q"
    browser.press("dot client doubled")
    browser.wait(
        lambda: browser.run("return document.querySelectorAll('#found li').length"), "search results"
    )
    wanted = browser.run("return document.querySelector('#found a .name').textContent")
    assert "found" in browser.text("#found .count")
    browser.press("down")
    assert browser.run("return document.activeElement.closest('#found') !== null")
    browser.press("enter")
    browser.wait(
        lambda: browser.run("return document.querySelector('h1') && !document.title.startsWith('Run')"),
        "the page",
    )
    assert str(wanted).rpartition(" ")[2] in str(browser.run("return document.body.textContent"))
    assert browser.complaints() == []


def test_search_tells_what_it_does_not_find_and_closes(browser: Browser, report: Path) -> None:
    """Nothing found is said; Escape closes the list and stays in the field."""
    browser.go(report / "clauses" / "rfc5321-4.1.1-client-greeting-is-refused-0.html")
    browser.press("/", "zzzz")
    browser.wait(lambda: browser.text("#found .count") == "Nothing found", "the count")
    browser.press("escape")
    assert browser.run("return document.getElementById('found').hidden") is True
    assert browser.run("return document.activeElement.id") == "q"


def test_search_finds_the_reason_of_a_failure(browser: Browser, report: Path) -> None:
    """What went wrong can be searched for, and leads to the implementation on the case's page."""
    browser.go(report / "index.html")
    browser.press("/", "one dot was lost")
    browser.wait(
        lambda: browser.run("return document.querySelectorAll('#found li').length"), "search results"
    )
    assert "/cases/" in str(browser.run("return document.querySelector('#found a').href"))
    assert "#smtp-" in str(browser.run("return document.querySelector('#found a').href"))


def test_the_keyboard_reaches_everything(browser: Browser, report: Path) -> None:
    """Tab starts at the skip link, which becomes visible and leads past the head of the page; focus can be seen."""
    browser.go(report / "index.html")
    browser.press("tab")
    assert browser.run("return document.activeElement.className") == "skip"
    assert float(str(browser.run("return document.activeElement.getBoundingClientRect().left"))) >= 0
    browser.press("enter")
    browser.wait(
        lambda: browser.run("return document.activeElement.id === 'main'"), "the focus in the content"
    )
    browser.press("tab")
    assert browser.run("return document.activeElement.closest('main') !== null")
    assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    # Whatever can be clicked, scrolled or filled in is a stop.
    stops = browser.run(
        "return [...document.querySelectorAll('main a, main summary, main [role=region]')].every(e => e.tabIndex >= 0)"
    )
    assert stops is True


def test_the_filter_narrows_the_matrix(browser: Browser, report: Path) -> None:
    """Rows can be narrowed to a verdict and to words; the count is told; empty groups go."""
    browser.go(report / "matrix" / "smtp-client.html")
    shown = "return [...document.querySelectorAll('#clauses tbody tr:not(.group)')].filter(r => r.checkVisibility()).length"
    every = int(str(browser.run(shown)))
    browser.run(
        "const e = document.getElementById('filter-verdict'); e.value = 'fail'; e.dispatchEvent(new Event('change'));"
    )
    failing = int(str(browser.run(shown)))
    assert 0 < failing < every
    assert browser.text("#filter-count") == f"{failing} of {every} clauses"
    assert (
        browser.run("return [...document.querySelectorAll('tr:not([hidden]) td.v-fail')].length >= 1") is True
    )
    browser.run("document.getElementById('filter-text').focus()")
    browser.press("no such clause")
    browser.wait(lambda: browser.text("#filter-count").startswith("0 of"), "the filter")
    assert browser.run("return [...document.querySelectorAll('#clauses tbody')].every(b => b.hidden)") is True


def test_without_scripts_everything_reads(report: Path) -> None:
    """With JavaScript switched off the matrix, a clause and a transcript are there, and no dead control is shown."""
    with Browser(scripts=False) as plain:
        plain.emulate(1280, 900)
        plain.go(report / "index.html")
        matrix = plain.text("table.matrix")
        assert "aiosmtplib" in matrix
        assert {"✗", "fail", "✓", "pass"} <= set(matrix.split())
        assert "of 1" in plain.text("table.matrix tfoot")
        assert plain.text(".search") == ""
        plain.go(report / "matrix" / "smtp-client.html")
        assert "✗ fail" in plain.text("#clauses")
        assert plain.text(".filter") == ""
        plain.go(next(iter(sorted((report / "transcripts").iterdir()))))
        assert "EHLO client.lab.example" in plain.text("table.talk")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_its_window_or_too_faint(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    """At phone and desktop width, light and dark: no sideways scrolling of the page, and a contrast of 4.5 or more."""
    browser.emulate(width, 844, scheme)
    backgrounds = set()
    for page in some_pages(report):
        browser.go(page)
        assert browser.run("return document.documentElement.scrollWidth") == width, page
        assert browser.run(CONTRAST) == [], page
        backgrounds.add(browser.run("return getComputedStyle(document.body).backgroundColor"))
        assert browser.complaints() == [], page
    browser.emulate(1280, 900)
    assert backgrounds == {"rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 28)"}


def test_a_phone_sees_who_speaks(browser: Browser, report: Path) -> None:
    """Where the two sides stand below each other, each turn says whose it is, and the table stays a table."""
    browser.emulate(390, 844)
    browser.go(next(iter(sorted((report / "transcripts").iterdir()))))
    label = (
        "return getComputedStyle(document.querySelector('.from-server td:nth-child(3)'), '::before').content"
    )
    assert browser.run(label) == '"server"'
    assert (
        browser.run(
            "return document.querySelectorAll('.talk[role=table] [role=row] [role=cell]').length > 10"
        )
        is True
    )
    browser.emulate(1280, 900)


def test_an_attack_from_the_wire_stays_text(browser: Browser, tmp_path: Path) -> None:
    """Nothing runs, nothing is loaded, and search shows the attack as the text that it is."""
    folder = write_hostile(tmp_path)
    attacked = [path for path in sorted(folder.rglob("*.html")) if "window.hacked" in path.read_text("utf-8")]
    assert len(attacked) >= 5
    for page in attacked:
        browser.go(page)
        assert browser.run("return window.hacked === undefined && document.images.length === 0") is True, page
        assert browser.complaints() == [], page
        browser.press("/", "hacked")
        browser.wait(
            lambda: browser.run("return document.querySelectorAll('#found li').length"), "search results"
        )
        assert browser.run("return document.querySelectorAll('#found script, #found img').length") == 0
        assert browser.run("return window.hacked === undefined") is True, page
        assert all(name.startswith(folder.as_uri()) for name in browser.requested()), page


def test_the_policy_of_a_page_stops_what_escaping_might_miss(
    browser: Browser, report: Path, tmp_path: Path
) -> None:
    """Even markup that got through could run no inline script and load nothing from elsewhere."""
    text = (report / "index.html").read_text("utf-8")
    attack = "<script>window.hacked = 1</script><img src='http://127.0.0.1:9/x' onerror='window.hacked = 2'>"
    page = tmp_path / "attacked.html"
    page.write_text(text.replace("<h1>", attack + "<h1>", 1), "utf-8")
    browser.go(page)
    assert browser.run("return window.hacked === undefined") is True
    assert any("Content Security Policy" in line for line in browser.complaints())

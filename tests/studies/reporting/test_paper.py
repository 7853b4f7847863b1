"""The page on paper: all unfolded, within the sheet, and nothing that only a screen can do."""

from __future__ import annotations

import re
import subprocess

import pytest

from studies.reporting.test_browser import CHROMIUM, page, pytestmark, tried

__all__ = ["page", "pytestmark"]

# A sheet of A4 less the page's margins, at 96 dots per inch.
WIDTH = 703
LAID_OUT = """
addEventListener("load", async () => {
  const found = {};
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const all = selector => [...document.querySelectorAll(selector)];
  const seen = selector => all(selector).filter(own => own.checkVisibility());
  const html = own => own.outerHTML.slice(0, 90);
  try {
    // As a reader leaves it who has looked closer.
    document.querySelector("#every").click();
    document.querySelector("button[data-chart]").click();
    document.querySelectorAll("button[data-enlarge]").forEach(own => own.click());
    // Pictures, for volumes want a graphics card.
    all("button[data-browse]").at(-1).click();
    await wait(1500);
    document.querySelector("#every").click();
    dispatchEvent(new Event("beforeprint"));
    await wait(100);
    found.drawn = document.querySelectorAll(".chart svg").length;
    found.width = document.documentElement.clientWidth;
    found.beyond = seen("main *, header *").filter(own =>
      own.getBoundingClientRect().right > found.width + 0.5).map(html);
    found.figures = all("figure img").map(own =>
      own.checkVisibility() ? own.getBoundingClientRect().height : 0);
    found.hidden = all("h2, h3, table, figcaption, .settings li, .headline").filter(own =>
      !own.checkVisibility({contentVisibilityProperty: true})).map(html);
    found.screen = seen("button, nav, .chart, .browser, .hint").map(html);
    found.colours = ["body", "section", ".note", "tbody th"].map(own =>
      getComputedStyle(document.querySelector(own)).backgroundColor);
    found.shortened = seen(".scroll").filter(own => own.scrollHeight > own.clientHeight + 1).length;
    dispatchEvent(new Event("afterprint"));
    found.after = all("details").map(own => own.open);
  } catch (error) { found.error = String(error); }
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
});
"""


@pytest.fixture(scope="module")
def laid_out(page):
    """What `LAID_OUT` finds, in a copy that has the look of paper on a screen that is dark."""
    return tried(
        page, f"--window-size={WIDTH},1000", "--hide-scrollbars",
        "--blink-settings=preferredColorScheme=0", scripts=[LAID_OUT], media="all",
    )  # fmt: skip


def test_nothing_lies_beyond_the_sheet(laid_out):
    assert laid_out["width"] == WIDTH
    assert laid_out["beyond"] == []
    assert laid_out["shortened"] == 0


def test_paper_has_all_that_is_folded_and_every_figure_as_a_picture(laid_out):
    assert laid_out["hidden"] == []
    assert len(laid_out["figures"]) > 10
    assert min(laid_out["figures"]) > 50
    # Less than the height of a sheet, with a caption: none is cut.
    assert max(laid_out["figures"]) < 20 / 2.54 * 96 + 1
    assert not any(laid_out["after"])


def test_paper_has_nothing_to_press_and_is_white(laid_out):
    assert laid_out["drawn"] == 1
    assert laid_out["screen"] == []
    for colour in laid_out["colours"]:
        red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
        assert min(red, green, blue) > 220


def test_it_prints_on_numbered_pages(page):
    file = page.with_name("printed.pdf")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
        f"--user-data-dir={page.parent / 'profile'}", f"--print-to-pdf={file}", page.as_uri(),
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=240, check=True)
    pages = re.findall(rb"/Type /Page\b", file.read_bytes())
    # Of two short leaves, with eighteen figures.
    assert 10 < len(pages) < 40

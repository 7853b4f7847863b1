"""The page in a browser: no error, no barrier, and every button does what it says.

``axe.min.js`` beside this file is Deque's axe-core, unchanged (Mozilla Public License 2.0).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import io
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.reporting.page import write_report
from rarelens.studies.settings.results import Report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
FORMULA = '=lesion, "left"'
TRIED = """
addEventListener("load", async () => {
  const found = {saved: [], copied: []};
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  Object.defineProperty(navigator, "clipboard",
    {value: {writeText: async text => { found.copied.push(text); }}});
  const click = HTMLAnchorElement.prototype.click;
  HTMLAnchorElement.prototype.click = function () {
    if (this.download) found.saved.push([this.download, this.href]); else click.call(this);
  };
  try {
    const leaf = document.querySelector("details.leaf");
    found.before = leaf.open;
    document.querySelector('.contents a[href="#' + leaf.parentElement.id + '"]').click();
    await wait(100);
    found.after = leaf.open;
    document.querySelector("#every").click();
    found.folds = [...document.querySelectorAll("details.leaf")].map(fold => fold.open);
    leaf.querySelector('tbody th a[href^="#"]').click();
    await wait(100);
    found.origin = leaf.querySelector(".back").open;
    leaf.querySelector(".back li button[data-copy]").click();
    const picture = leaf.querySelector("figure");
    picture.querySelector("button[data-enlarge]").click();
    found.enlarged = getComputedStyle(picture.querySelector("img")).maxWidth;
    leaf.querySelector("figure").querySelectorAll("button[data-save]").forEach(own => own.click());
    await wait(500);
    for (const own of found.saved) own[1] = await (await fetch(own[1])).text();
    for (const own of found.saved) own[1] = own[1].slice(0, 60);
    document.querySelectorAll("details").forEach(fold => { fold.open = true; });
    // A figure to explore: its marks, and what they say.
    const charted = document.querySelectorAll("button[data-chart]");
    for (const button of charted) button.click();
    for (let i = 0; i < 100 && document.querySelectorAll(".chart svg").length < charted.length; i++)
      await wait(100);
    await wait(300);
    found.charts = [...charted].map(button => {
      const place = button.closest("figure");
      const label = place.querySelector("button[data-save]").dataset.save;
      const marks = [...place.querySelectorAll('.chart [role="graphics-symbol"][aria-label]')];
      const picture = place.querySelector("img");
      return [label, marks.map(mark => mark.getAttribute("aria-label")), picture.checkVisibility()];
    });
    found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const checked = await axe.run(document);
    found.violations = checked.violations.map(
      own => [own.id, own.help, own.nodes.map(node => node.html.slice(0, 200)).slice(0, 3)]);
    found.passes = checked.passes.length;
  } catch (error) { found.error = String(error); }
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
});
"""

CURRENT = """
addEventListener("load", async () => {
  const current = () => document.querySelector(".contents [aria-current=true]")?.hash;
  const first = current();
  const last = [...document.querySelectorAll('.contents a[href^="#"]')].pop();
  document.getElementById(last.hash.slice(1)).scrollIntoView();
  dispatchEvent(new Event("scroll"));
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify({first, last: current() === last.hash});
  document.body.append(result);
});
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def page(build, classification, tmp_path_factory):
    """Both studies on one page, a class of which a spreadsheet would compute."""
    root = tmp_path_factory.mktemp("browser")
    study = build(root, rare=(FORMULA,))
    for part in ("analyses", "metrics"):
        shutil.copytree(classification.root / part, root / part, dirs_exist_ok=True)
    (root / "report").mkdir()
    studies = {"segmentation": study.cells, "classification": classification.cells}
    datasets = [study.cells[0].dataset]
    settings = Report(dpi=40, cases="all")
    folders = (root / "analyses", root / "metrics", study.browse)
    write_report(root / "report", studies, *folders, datasets, settings)
    return root / "report/index.html"


def browsed(file: Path, *options: str) -> tuple[str, list[str]]:
    """The page as the browser leaves it, and what stands in its console."""
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0",
        f"--user-data-dir={file.parent / 'profile'}", "--virtual-time-budget=60000",
        "--run-all-compositor-stages-before-draw", *options,
        file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def tried(
    page: Path, *options: str, scripts: Sequence[str] = (AXE, TRIED), media: str = "print"
) -> dict:
    """What the last of ``scripts`` finds, in a copy whose policy also lets it run.

    The copy may read what is saved; what the page keeps for paper holds for ``media``.
    """
    text, added = page.read_text("utf-8").replace("@media print", f"@media {media}"), ""
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
        added += f"<script>{script}</script>"
    text = text.replace("default-src 'none'", "default-src 'none'; connect-src blob: data:", 1)
    copy = page.with_name("tried.html")
    copy.write_text(text.replace("</body>", f"{added}</body>"), "utf-8")
    shown, console = browsed(copy, *options)
    assert console == []
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', shown)[1]))
    assert "error" not in found, found["error"]
    return found


def test_the_page_runs_its_own_script_without_an_error(page):
    shown, console = browsed(page, "--window-size=1440,2000")
    assert console == []
    assert '<html lang="en" class="js">' in shown


@pytest.fixture(scope="module", params=[
    ["--window-size=1440,1000"],
    ["--window-size=500,900", "--blink-settings=preferredColorScheme=0"],
], ids=["desktop", "phone-dark"])  # fmt: skip
def found(page, request):
    """What `TRIED` finds on a screen."""
    return tried(page, *request.param)


def test_the_contents_say_where_the_reader_is(page):
    assert tried(page, "--window-size=1440,2000", scripts=[CURRENT]) == {
        "first": "#answer", "last": True,
    }  # fmt: skip


def test_no_barrier_and_every_button_does_what_it_says(found):
    assert (found["before"], found["after"]) == (False, True)
    assert found["folds"] == [True, True]
    assert found["origin"]
    assert found["enlarged"] == "none"
    assert found["copied"] == [
        "dvc repro studies/segmentation/dvc.yaml:analyse@brain-unet-cross_entropy-0.5-0"
    ]
    saved = dict(found["saved"])
    assert set(saved) == {f"brain-unet-0.5-shift.{kind}" for kind in ("csv", "png", "svg")}
    assert saved["brain-unet-0.5-shift.csv"].startswith("method,class,measure,mean,ci_low,ci_high")
    assert saved["brain-unet-0.5-shift.png"][1:4] == "PNG"
    assert saved["brain-unet-0.5-shift.svg"].startswith("<?xml")
    # The page itself never scrolls sideways; its tables and figures do.
    assert found["wide"] <= 0
    assert found["passes"] > 20
    assert found["violations"] == []


def test_marks_of_explored_figures_tell_the_numbers_of_their_tables(page, found):
    charts = {name.removesuffix(".png"): (marks, seen) for name, marks, seen in found["charts"]}
    assert set(charts) == {
        *("brain-unet-0.5-shift", "brain-unet-0.5-margins"),
        *("slices-light_cnn-1-question", "slices-light_cnn-1-prevalence"),
    }
    assert not any(seen for _, seen in charts.values())
    # The table's names, and not as a spreadsheet is given them.
    assert any(f"class: {FORMULA};" in mark for mark in charts["brain-unet-0.5-shift"][0])
    text = page.read_text("utf-8")
    packed = dict(re.findall(r'data-save="([^"]*)\.csv" data-packed="([^"]*)"', text))
    for name, column in (
        ("brain-unet-0.5-shift", "mean"),
        ("brain-unet-0.5-margins", "density"),
        ("slices-light_cnn-1-question", "value"),
        ("slices-light_cnn-1-prevalence", "mean"),
    ):
        table = pd.read_csv(io.BytesIO(gzip.decompress(base64.b64decode(packed[name]))))
        said = np.array([number(part) for mark in charts[name][0] for part in mark.split(";")])
        for value in table[column].dropna():
            assert np.isclose(said, value, rtol=1e-3, atol=1e-4).any(), value


def number(text: str) -> float:
    """The number that a part of a label ends in; NaN where it ends in a word."""
    try:
        return float(text.rpartition(": ")[2].replace("−", "-"))
    except ValueError:
        return float("nan")

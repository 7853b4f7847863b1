"""The page in a browser: no error, no barrier, and every button does what it says.

``axe.min.js`` beside this file is Deque's axe-core, unchanged (Mozilla Public License 2.0).
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rarelens.studies.reporting.page import write_report
from rarelens.studies.settings.results import Report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = (Path(__file__).parent / "axe.min.js").read_text("utf-8")
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
    leaf.querySelector("figure button[data-packed]").click();
    leaf.querySelector("figure button[data-save]:not([data-packed])").click();
    await wait(500);
    for (const own of found.saved) own[1] = await (await fetch(own[1])).text();
    for (const own of found.saved) own[1] = own[1].slice(0, 60);
    document.querySelectorAll("details").forEach(fold => { fold.open = true; });
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

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def page(study, classification, tmp_path_factory):
    """Both studies on one page."""
    root = tmp_path_factory.mktemp("browser")
    for one in (study, classification):
        for part in ("analyses", "metrics"):
            shutil.copytree(one.root / part, root / part, dirs_exist_ok=True)
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
        f"--user-data-dir={file.parent / 'profile'}", "--virtual-time-budget=60000", *options,
        file.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def tried(page: Path, *options: str) -> dict:
    """What `TRIED` finds, in a copy that may run it."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    copy = page.with_name("tried.html")
    scripts = f"<script>{AXE}</script><script>{TRIED}</script></body>"
    copy.write_text(text.replace("</body>", scripts), "utf-8")
    shown, console = browsed(copy, *options)
    assert console == []
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', shown)[1]))
    assert "error" not in found, found["error"]
    return found


def test_the_page_runs_its_own_script_without_an_error(page):
    shown, console = browsed(page, "--window-size=1440,2000")
    assert console == []
    assert '<html lang="en" class="js">' in shown
    assert re.search(r'<a href="#answer" aria-current="true">', shown)


@pytest.mark.parametrize("options", [
    ["--window-size=1440,1000"],
    ["--window-size=500,900", "--blink-settings=preferredColorScheme=0"],
], ids=["desktop", "phone-dark"])  # fmt: skip
def test_no_barrier_and_every_button_does_what_it_says(page, options):
    found = tried(page, *options)
    assert (found["before"], found["after"]) == (False, True)
    assert found["folds"] == [True, True]
    assert found["origin"]
    assert found["enlarged"] == "none"
    assert found["copied"] == [
        "dvc repro studies/segmentation/dvc.yaml:analyse@brain-unet-cross_entropy-0.5-0"
    ]
    names, contents = zip(*sorted(found["saved"]), strict=True)
    assert names == ("brain-unet-0.5-shift.csv", "brain-unet-0.5-shift.png")
    assert contents[0].startswith("method,class,measure,mean,ci_low,ci_high")
    assert contents[1][1:4] == "PNG"
    # The page itself never scrolls sideways; its tables and figures do.
    assert found["wide"] <= 0
    assert found["passes"] > 20
    assert found["violations"] == []

"""The case browser in a browser: volumes and images are drawn, and keys and lists change them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from hashlib import sha256

import numpy as np
import pytest

from studies.reporting.test_browser import AXE, CHROMIUM, FORMULA, browsed, page  # noqa: F401

# WebGL without a graphics card; time that passes in the page while it waits for the drawing.
DRAWN = [
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--virtual-time-budget=300000"
]  # fmt: skip
TRIED = """
addEventListener("load", async () => {
  const found = {};
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const until = async ready => { for (let i = 0; i < 2000 && !ready(); i++) await wait(50); };
  const change = (select, value) => {
    select.value = value;
    select.dispatchEvent(new Event("change"));
  };
  const key = (canvas, key) =>
    canvas.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  const label = canvas => canvas.getAttribute("aria-label");
  // How many pixels of a canvas are near each of some colours, and how many have any colour.
  const counted = (canvas, ...colours) => {
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d");
    context.drawImage(canvas, 0, 0);
    const {data} = context.getImageData(0, 0, copy.width, copy.height);
    const counts = [...colours.map(() => 0), 0];
    for (let i = 0; i < data.length; i += 4) {
      const own = data.slice(i, i + 3);
      if (Math.max(...own) - Math.min(...own) < 25) continue;
      counts[colours.length] += 1;
      // Half of what lies beneath shines through.
      const hue = rgb => rgb.map(value => value - Math.min(...rgb));
      const far = colours.map(colour => {
        const [one, other] = [hue([...own]), hue(colour)].map(
          rgb => rgb.map(value => value / Math.max(...rgb)));
        return Math.hypot(...one.map((value, place) => value - other[place]));
      });
      const least = Math.min(...far);
      if (least < 0.35) counts[far.indexOf(least)] += 1;
    }
    return counts;
  };
  try {
    // Drawings are kept, so that they can be read.
    const context = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, options) {
      const kept = kind === "webgl2" ? {...options, preserveDrawingBuffer: true} : options;
      return context.call(this, kind, kept);
    };
    document.querySelectorAll("details.leaf").forEach(fold => { fold.open = true; });
    const [volumes, images] = document.querySelectorAll(".cases");
    const open = block => block.querySelector("button[data-browse]").click();
    [volumes, images].forEach(open);
    await until(() => /Under the cross/.test(volumes.textContent));
    const [subject, layer, plane, method] = volumes.querySelectorAll("select");
    const canvases = [...volumes.querySelectorAll("canvas")];
    const slider = volumes.querySelector("input");
    found.options = [subject, layer, plane, method].map(own => own.options.length);
    found.names = [...subject.options].map(own => own.text);
    found.labels = canvases.map(label);
    found.said = volumes.querySelector("p[role=status]").textContent;
    const AGREEMENT = [[0, 158, 115], [204, 121, 167], [240, 180, 0]];
    found.truth = counted(canvases[0], [86, 180, 233]);
    found.agreement = counted(canvases[1], ...AGREEMENT);
    found.slice = [slider.value, slider.max];
    key(canvases[1], "ArrowUp");
    found.up = slider.value;
    change(plane, 2);
    found.sagittal = [slider.value, slider.max];
    change(plane, 0);
    key(canvases[1], "ArrowDown");
    change(method, 2);
    found.method = label(canvases[1]);
    found.other = counted(canvases[1], ...AGREEMENT);
    key(canvases[1], "ArrowLeft");
    found.nothing = [label(canvases[1]), counted(canvases[1])];
    change(layer, 2);
    found.margin = counted(canvases[1], [230, 130, 20], [90, 60, 150]);
    change(subject, 2);
    await until(() => label(canvases[0]).startsWith("best"));
    found.dice = volumes.querySelector(".head .tag").textContent;

    const image = images.querySelector("canvas");
    const of = images.querySelectorAll("select")[1];
    await until(() => label(image));
    found.seen = [[of.value, label(image), counted(image, [0, 208, 160])]];
    for (const name of ["ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowLeft"]) {
      const before = label(image);
      key(image, name);
      await until(() => label(image) !== before);
      found.seen.push([of.value, label(image), counted(image, [0, 208, 160])]);
    }
    found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const checked = await axe.run(document);
    found.violations = checked.violations.map(
      own => [own.id, own.nodes.map(node => node.html.slice(0, 200)).slice(0, 3)]);
    [volumes, images].forEach(open);
    await wait(100);
    found.closed = [...document.querySelectorAll(".browser")].map(
      own => own.hidden && !own.children.length);
  } catch (error) { found.error = String(error.stack || error); }
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


def tried(page, *options):  # noqa: F811
    """What `TRIED` finds, in a copy whose policy lets that run beside what the page lets run."""
    digests = [b64encode(sha256(own.encode()).digest()).decode() for own in (AXE, TRIED)]
    allowed = "".join(f"'sha256-{digest}' " for digest in digests)
    text = page.read_text("utf-8").replace("script-src ", f"script-src {allowed}", 1)
    copy = page.with_name("cases.html")
    scripts = f"<script>{AXE}</script><script>{TRIED}</script></body>"
    copy.write_text(text.replace("</body>", scripts), "utf-8")
    shown, console = browsed(copy, *options)
    # To read what was drawn is slow, which is the test's own doing.
    assert [line for line in console if "GPU stall due to ReadPixels" not in line] == []
    found = json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', shown)[1]))
    assert "error" not in found, found["error"]
    return found


@pytest.mark.parametrize("options", [
    ["--window-size=1440,1000"],
    ["--window-size=500,900", "--blink-settings=preferredColorScheme=0"],
], ids=["desktop", "phone-dark"])  # fmt: skip
def test_the_cases_are_drawn_and_looked_through(page, study, options):  # noqa: F811
    found = tried(page, *DRAWN, *options)
    assert found["options"] == [3, 4, 3, 3]
    assert found["names"] == ["worst: Dice 0.20", "median: Dice 0.50", "best: Dice 0.80"]
    agree = "agreement with the truth"
    assert found["labels"] == [
        f"worst subject: {own}" for own in ("truth", f"cross entropy, {agree}", f"focal, {agree}")
    ]
    assert re.fullmatch(
        "Under the cross: truth {0}; cross entropy says {0}, margin .*; "
        "focal says {0}, margin .*".format(re.escape(FORMULA)), found["said"]
    )  # fmt: skip
    # The slice with most of the lesion; what is drawn is as large as what is stored.
    folder = study.browse / "segmentation/brain/unet/0.5"
    with np.load(folder / "worst.npz") as arrays:
        truth = arrays["truth"] > 0
        said = dict(zip(("other", "", "agreement"), arrays["prediction"] > 0, strict=True))
    voxels = truth.sum((0, 1))
    z = int(voxels.argmax())
    assert found["slice"] == [str(z), str(truth.shape[2] - 1)]
    pixels = found["truth"][0] / voxels[z]
    for name in ("agreement", "other"):
        own = said[name]
        parts = [truth & own, truth & ~own, ~truth & own]
        *drawn, coloured = found[name]
        expected = np.array([part[..., z].sum() for part in parts]) * pixels
        np.testing.assert_allclose(drawn, expected, rtol=0.1, atol=3 * pixels)
        assert coloured == pytest.approx(sum(drawn), rel=0.05)
    assert min(found["agreement"][:2]) > 10 * pixels
    assert found["other"][2] > 10 * pixels
    assert found["up"] == str(z + 1)
    assert found["sagittal"][1] == str(truth.shape[0] - 1)
    assert found["method"] == f"worst subject: asymmetric large margin, {agree}"
    assert found["nothing"] == ["worst subject: asymmetric large margin, nothing", [0]]
    # Of the margin map either side of 0.
    assert min(found["margin"][:2]) > 10 * pixels
    assert found["dice"] == "Dice 1.00"

    methods, labels, drawn = zip(*found["seen"], strict=True)
    assert methods == ("0", "1", "2", "2", "1", "0")
    assert [own.split(".")[0] for own in labels] == ["Image 1 of 2"] * 3 + ["Image 2 of 2"] * 3
    assert "% of the heat lies inside the finding" in labels[1]
    box, heat = np.array(drawn).T
    assert (box > 1000).all()
    # Without saliency there is no colour but the box's.
    assert (heat[[0, 5]] == box[[0, 5]]).all()
    assert (heat[1:5] > 5 * box[1:5]).all()

    assert found["wide"] <= 0
    assert found["violations"] == []
    assert found["closed"] == [True, True]

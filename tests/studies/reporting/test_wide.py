"""Twenty methods on a page: it stays within bounds, and explored figures keep legend and plot."""

from __future__ import annotations

import shutil

import pytest

from rarelens.studies.reporting.page import write_report
from rarelens.studies.settings.results import Report
from studies.reporting.classification_study import build_classification
from studies.reporting.test_browser import pytestmark, tried

__all__ = ["pytestmark"]

METHODS = ("base", *(f"method_of_many_words_{number}" for number in range(1, 20)))
RARE = tuple(f"left structure of a long name {number}" for number in range(1, 9))
EXPLORED = """
addEventListener("load", async () => {
  const found = {charts: {}};
  const wait = milliseconds => new Promise(done => setTimeout(done, milliseconds));
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  try {
    all("details.leaf").forEach(fold => { fold.open = true; });
    await wait(100);
    found.height = document.documentElement.scrollHeight;
    found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const buttons = all("button[data-chart]");
    buttons.forEach(own => own.click());
    for (let i = 0; i < 200 && all(".chart svg").length < buttons.length; i++) await wait(100);
    await wait(300);
    const box = own => { const {x, y, right, bottom} = own.getBoundingClientRect();
      return [x, y, right, bottom]; };
    for (const button of buttons) {
      const figure = button.closest("figure"), svg = figure.querySelector(".chart svg");
      const symbols = all(".role-legend-symbol path", svg);
      const marks = () => all('.mark-symbol.role-mark [role="graphics-symbol"][opacity]', svg);
      const bright = () => marks().filter(own => Number(own.getAttribute("opacity")) === 1).length;
      const own = {
        svg: box(svg), legends: all(".role-legend", svg).map(box),
        // The outermost group is the frame of the whole, with its legends.
        plots: all(".mark-symbol.role-mark", svg).filter(one => one.childElementCount).map(box),
        texts: all(".role-legend-label text", svg).map(box),
        looks: symbols.map(one => [one.getAttribute("fill"), one.getAttribute("d")].join()),
        before: [bright(), marks().length],
      };
      if (button.dataset.chart.includes('"picked"')) {
        for (const kind of ["mousedown", "mouseup", "click"])
          symbols[0].dispatchEvent(new MouseEvent(kind, {bubbles: true, view: window}));
        await wait(300);
        own.after = bright();
      }
      found.charts[figure.querySelector("button[data-save]").dataset.save] = own;
    }
  } catch (error) { found.error = String(error); }
  const result = document.createElement("pre");
  result.id = "found";
  result.textContent = JSON.stringify(found);
  document.body.append(result);
});
"""


@pytest.fixture(scope="module")
def found(build, tmp_path_factory):
    """What `EXPLORED` finds on a page of both studies with 20 methods each."""
    root = tmp_path_factory.mktemp("wide")
    study = build(root, METHODS, (0,), rare=RARE, subjects=3)
    other = build_classification(root / "classification", METHODS, (0,), panels=1)
    for part in ("analyses", "metrics"):
        shutil.copytree(other.root / part, root / part, dirs_exist_ok=True)
    (root / "report").mkdir()
    studies = {"segmentation": study.cells, "classification": other.cells}
    folders = (root / "analyses", root / "metrics", study.browse)
    write_report(root / "report", studies, *folders, [], Report(dpi=20, classes=4))
    return tried(root / "report/index.html", "--window-size=1440,1000", scripts=[EXPLORED])


def test_the_page_stays_within_bounds(found):
    assert found["wide"] <= 0
    assert found["height"] < 30_000
    assert set(found["charts"]) == {
        *("brain-unet-0.5-shift.png", "brain-unet-0.5-margins.png"),
        *("slices-light_cnn-1-question.png", "slices-light_cnn-1-prevalence.png"),
    }


def test_legends_of_explored_figures_lie_beside_the_plots_and_within_the_figure(found):
    for name, own in found["charts"].items():
        left, top, right, bottom = own["svg"]
        assert own["legends"], name
        for box in (*own["legends"], *own["plots"]):
            assert left - 1 <= box[0] < box[2] <= right + 1, name
            assert top - 1 <= box[1] < box[3] <= bottom + 1, name
        assert max(box[3] for box in own["legends"]) <= min(box[1] for box in own["plots"]), name
        # No text lies on another.
        for place, one in enumerate(own["texts"]):
            for other in own["texts"][place + 1 :]:
                apart = one[2] <= other[0] or other[2] <= one[0]
                assert apart or one[3] <= other[1] + 1 or other[3] <= one[1] + 1, name


def test_twenty_methods_have_twenty_looks_in_the_legend(found):
    looks = found["charts"]["slices-light_cnn-1-prevalence.png"]["looks"]
    assert len(looks) == len(set(looks)) == len(METHODS)


def test_a_click_into_the_legend_keeps_its_mark_in_sight(found):
    own = found["charts"]["slices-light_cnn-1-prevalence.png"]
    bright, marks = own["before"]
    assert bright == marks > len(METHODS)
    assert own["after"] * len(METHODS) == marks
    shift = found["charts"]["brain-unet-0.5-shift.png"]
    # Four rare classes and the background.
    assert shift["before"] == [5 * len(METHODS)] * 2
    assert shift["after"] == len(METHODS)

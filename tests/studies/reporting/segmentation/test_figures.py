"""Figures: what they show, and that their bytes are their own."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.reporting import style
from rarelens.studies.reporting.number_text import signed
from rarelens.studies.reporting.page import write_report
from rarelens.studies.reporting.segmentation.figures import (
    forest,
    gap,
    lesions,
    margins,
    panel,
    write_figures,
)
from rarelens.studies.reporting.segmentation.results import _drawn, read_results
from rarelens.studies.settings.results import Report


@pytest.fixture(scope="module")
def results(study):
    found = read_results(study.cells, study.analyses, study.metrics.parent, most=6)
    assert len(found) == 1
    return found[0]


def test_every_figure_is_written_with_the_same_bytes_twice(results, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = write_figures(results, tmp_path / "a", dpi=50)
    second = write_figures(results, tmp_path / "b", dpi=50)
    names = [drawn.name for drawn in first]
    assert names == [
        *["shift", "margins", "gap", "joint-1", "lesions-1"],
        *["overlap", "panel-1", "curves"],
    ]
    for one, other in zip(first, second, strict=True):
        assert one.file.read_bytes() == other.file.read_bytes()
        assert one.file.read_bytes().startswith(b"\x89PNG")
        assert b"Software" not in one.file.read_bytes()


def test_densities_integrate_to_one_and_keep_the_mean(results):
    table = margins.densities(results)
    histograms = margins._histograms(results)
    for (class_, method, side), rows in table.groupby(["class", "method", "side"]):
        width = np.diff(rows["margin"]).min()
        assert rows["density"].sum() * width == pytest.approx(1)
        exact = margins._mean(results, histograms[class_, method, side])
        assert np.average(rows["margin"], weights=rows["density"]) == pytest.approx(
            exact, abs=width
        )


def test_a_column_a_method_and_a_row_a_class(results):
    with style.styled():
        figure = margins.draw(results)
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes]
    expected = ["cross entropy", "focal", "asymmetric large margin"]
    assert [title for title in titles if title] == expected
    assert len(figure.axes) == 2 * 3
    limits = {axis.get_xlim() for axis in figure.axes}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low < 0 < high


def test_rare_class_is_drawn_shifted_and_background_is_not(results):
    histograms = margins._histograms(results)

    def shift(class_):
        means = [
            margins._mean(results, histograms[class_, "cross_entropy", side])
            for side in ("train", "test")
        ]
        return means[1] - means[0]

    assert shift(1) < -4
    assert abs(shift(0)) < 0.2


def test_counts_are_pooled_over_seeds(results, study):
    own = [cell for cell in study.cells if cell.method == "focal"]
    tables = [pd.read_parquet(c.folder(str(study.analyses)) / "margins.parquet") for c in own]
    pooled = results.margins[results.margins["method"] == "focal"]
    assert pooled["count"].sum() == sum(table["count"].sum() for table in tables)
    assert not pooled.duplicated(["side", "class", "bin"]).any()


def test_baseline_comes_first_and_subjects_have_numbers_only(results):
    assert results.methods[0] == results.baseline == "cross_entropy"
    assert sorted(results.subjects["subject"].unique()) == list(range(1, 9))
    assert "case" not in results.subjects


def test_agreement_tells_correct_missed_and_false_alarm():
    truth = np.array([[1, 1, 0, 0, 2]])
    prediction = np.array([[1, 0, 1, 0, 1]])
    opaque = panel._agreement(truth, prediction)[0]
    assert np.allclose(opaque[0][:3], style_rgb(style.CORRECT))
    assert np.allclose(opaque[1][:3], style_rgb(style.MISSED))
    assert np.allclose(opaque[2][:3], style_rgb(style.FALSE_ALARM))
    assert opaque[3][3] == 0
    assert np.allclose(opaque[4][:3], style_rgb(style.MISSED))


def style_rgb(colour):
    return [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]


@pytest.mark.parametrize("corner", [(0, 0), (59, 69), (30, 5)])
def test_window_holds_the_structure_and_stays_inside(corner):
    mask = np.zeros((60, 70), bool)
    mask[corner] = True
    x, y = panel._window([mask, ~mask])
    assert 0 <= x.start <= corner[0] < x.stop <= 60
    assert 0 <= y.start <= corner[1] < y.stop <= 70
    assert x.stop - x.start == y.stop - y.start == panel.LEAST_WINDOW


def test_zero_has_no_sign():
    assert [signed(value, 2) for value in (-0.004, 0.0, 1.0, -2.5)] == [
        "0.00",
        "0.00",
        "+1.00",
        "−2.50",
    ]


def test_two_rare_classes_without_panels_and_validation(build, tmp_path):
    study = build(tmp_path, ("base", "other"), (0,), rare=("price $x$", "b_2"), panels=0)
    for cell in study.cells:
        file = cell.folder(str(study.analyses)) / "history.csv"
        pd.read_csv(file).assign(validation_dice=np.nan).to_csv(file, index=False)
    [results] = read_results(study.cells, study.analyses, study.metrics.parent, most=6)
    drawn = write_figures(results, tmp_path, dpi=40)
    assert [figure.name for figure in drawn] == [
        *("shift", "margins", "gap", "joint-1", "joint-2"),
        *("lesions-1", "lesions-2", "overlap", "curves"),
    ]


def test_missing_files_are_all_named(study, tmp_path):
    gone = [Cell("segmentation", "brain", "unet", method, "0.5", 0) for method in ("gone", "half")]
    (gone[1].folder(str(tmp_path))).mkdir(parents=True)
    (gone[1].folder(str(tmp_path)) / "analysis.json").write_text("{}")
    with pytest.raises(RarelensError) as raised:
        read_results(gone, tmp_path, study.metrics.parent, most=6)
    assert len(raised.value.problems) == 1 + 5
    assert "brain/unet/gone/0.5/0: the folder is missing" in str(raised.value)
    assert "brain/unet/half/0.5/0: history.csv is missing" in str(raised.value)


def test_methods_that_were_not_compared_are_told(build, tmp_path):
    study = build(tmp_path, ("base", "other"), (0,), panels=0)
    table = pd.read_csv(study.metrics)
    table[table["method"] == "base"].to_csv(study.metrics, index=False)
    with pytest.raises(RarelensError, match=r"metrics: other of brain.* run stage compare again"):
        read_results(study.cells, study.analyses, study.metrics.parent, most=6)


def test_the_gap_is_the_mean_over_seeds_of_either_side(results):
    axes = gap.draw(results).axes
    lesion, background = axes[0], axes[3]
    steps = np.arange(50, 1001, 50)
    for axis, slope in ((lesion, 0.5), (background, 1.0)):
        means = [line.get_ydata() for line in axis.lines if line.get_linewidth() == 1.8]
        np.testing.assert_allclose(means, [steps / 500, slope * steps / 500])
    old = replace(results, history=results.history.drop(columns="margin_train_0"))
    assert gap.followed(results)
    assert not gap.followed(old)


def test_lesions_by_size_are_means_of_subjects_and_test_intervals_are_the_comparison_s(
    results, study
):
    own = [cell for cell in study.cells if cell.method == "focal"]
    expected = []
    for cell in own:
        table = pd.read_parquet(cell.folder(str(study.analyses)) / "lesions.parquet")
        edge = np.quantile(table.loc[table["side"] == "test", "volume"], 0.25)
        small = table[(table["side"] == "train") & (table["volume"] <= edge)]
        expected.append(small.groupby("case")["margin"].mean().mean())
    axes = lesions.draw(results, 1).axes
    train, test = axes[3 + 1].lines[:2]  # The second row, the second method.
    assert train.get_ydata()[0] == pytest.approx(np.mean(expected))
    for place in (0, 3):
        compared = results.entry("focal", f"lesion_margin_q{place + 1}", "lesion")["mean"]
        assert test.get_ydata()[place] == pytest.approx(compared, rel=1e-4)  # metrics.csv rounds


def test_of_many_classes_the_rarest_and_the_most_shifted_are_drawn():
    rare = tuple(range(1, 11))
    names = ["background", *(f"c{class_}" for class_ in rare)]
    common = {
        "baseline": "base",
        "classes": names,
        "metrics": pd.DataFrame(
            {
                "method": "base",
                "measure": "shift_mean",
                "class": names,
                "mean": [-9.0, *(-1.0 if class_ in (2, 9) else 0.1 for class_ in rare)],
            }
        ),
    }
    counts = pd.DataFrame(
        {"method": "base", "side": "train", "class": rare, "count": [10 * c for c in rare]}
    )
    assert _drawn(rare, common, counts, most=4) == (1, 2, 3, 9)
    assert _drawn(rare, common, counts, most=10) == rare


def test_twenty_methods_look_different():
    colours = [style.method_look(place)[0].lower() for place in range(33)]
    assert len({*colours, style.MUTED.lower(), forest.RARE.lower()}) == 35
    assert len({style.shade(style.CLASSES, place) for place in range(18)}) == 18


def test_many_classes_and_methods_stay_readable(build, tmp_path):
    methods = ("cross_entropy", *(f"method_{number}" for number in range(1, 10)))
    study = build(tmp_path, methods, (0,), rare=tuple(f"structure {n}" for n in range(1, 12)))
    target = tmp_path / "report"
    target.mkdir()
    cells = {"segmentation": study.cells}
    write_report(
        target, cells, study.analyses, study.metrics.parent, study.browse, [], Report(dpi=20)
    )
    page = (target / "index.html").read_text()
    open_part, rest = page.split('<details class="more"><summary>')
    folded, rest = rest.split("</details>", 1)
    tables = "Table of methods for structure"
    assert open_part.count(tables) == 2
    assert folded.count(tables) == 11 - 2
    assert "9 more rare classes" in folded
    assert "All 11 rare classes together" in open_part
    pictures, folded = rest.split("</details>", 1)[0].split("<details><summary>")
    assert pictures.count('<img alt="Logits of structure') == 2
    assert folded.count("<img") == 2 * (len(style.CLASSES) - 2)
    # The fixture's methods differ the more from the baseline the later they stand.
    shown = ("cross entropy", *(f"method {number}" for number in range(3, 10)))
    (curves,) = re.findall(r'<img alt="Training curves: [^"]*methods ([^"]*)\."', page)
    assert curves.replace("_", " ").split(", ") == list(shown)
    words = "the baseline and the 7 of 9 other methods that differ most from it in logit shift"
    assert words in page
    heights = [Image.open(file).height / 20 for file in (target / "figures").glob("*.png")]
    assert len(heights) < 25
    assert max(heights) < 30  # inches
    columns = [*target.glob("figures/*-joint-*.png"), *target.glob("figures/*-margins.png")]
    assert max(Image.open(file).width / 20 for file in columns) <= style.WIDEST


def test_of_many_methods_the_forest_has_fewer_rows():
    def study(methods):
        results = SimpleNamespace(
            others=[f"method_{number}" for number in range(methods)], baseline="base",
            classes=("background", *"abcdefghijkl"), rare=range(1, 13),
            entry=lambda *_: pd.Series({"mean": 1.0}),
        )  # fmt: skip
        return [results]

    assert forest.lines(study(1))[1] == 0
    shown, left_out = forest.lines(study(19))
    assert (len(shown), left_out) == (8, 4)


def test_a_legend_is_no_wider_than_its_figure():
    figure, _ = style.grid(1, 1, height=2, width=8)
    names = ["left inferior lateral ventricle", *(f"right structure {n}" for n in range(12))]
    with style.styled():
        style.legend(figure, [style.key(name, color="k", marker="o") for name in names])
        figure.canvas.draw()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert box.y0 >= figure.axes[0].get_window_extent().y1

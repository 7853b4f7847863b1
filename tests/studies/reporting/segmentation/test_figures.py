"""Figures: what they show, and that their bytes are their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import read_metrics
from rarelens.studies.reporting import style
from rarelens.studies.reporting.segmentation.block import read_blocks
from rarelens.studies.reporting.segmentation.figures import margins, panel, write_figures


@pytest.fixture(scope="module")
def block(study):
    blocks = read_blocks(study.cells, study.analyses, read_metrics(study.metrics))
    assert len(blocks) == 1
    return blocks[0]


def test_every_figure_is_written_with_the_same_bytes_twice(block, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = write_figures(block, tmp_path / "a", dpi=50)
    second = write_figures(block, tmp_path / "b", dpi=50)
    kinds = [drawn.kind for drawn in first]
    assert kinds == ["shift", "margins", "joint", "overlap", "panel", "curves"]
    for one, other in zip(first, second, strict=True):
        assert one.file.read_bytes() == other.file.read_bytes()
        assert one.file.read_bytes().startswith(b"\x89PNG")
        assert b"Software" not in one.file.read_bytes()


def test_densities_integrate_to_one_and_keep_the_mean(block):
    table = margins.densities(block)
    for (class_, method, side), rows in table.groupby(["class", "method", "side"]):
        width = np.diff(rows["margin"]).min()
        assert rows["density"].sum() * width == pytest.approx(1)
        exact = margins._mean(block, class_, method, side)
        assert np.average(rows["margin"], weights=rows["density"]) == pytest.approx(
            exact, abs=width
        )


def test_a_column_a_method_and_a_row_a_class(block):
    with style.styled():
        figure = margins.draw(block)
    titles = [axis.get_title().replace("\n", " ") for axis in figure.axes]
    expected = ["cross entropy", "focal", "asymmetric large margin"]
    assert [title for title in titles if title] == expected
    assert len(figure.axes) == 2 * 3
    limits = {axis.get_xlim() for axis in figure.axes}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low < 0 < high


def test_rare_class_is_drawn_shifted_and_background_is_not(block):
    def shift(class_):
        means = [margins._mean(block, class_, "cross_entropy", side) for side in ("train", "test")]
        return means[1] - means[0]

    assert shift(1) < -4
    assert abs(shift(0)) < 0.2


def test_counts_are_pooled_over_seeds(block, study):
    own = [cell for cell in study.cells if cell.method == "focal"]
    tables = [pd.read_parquet(c.folder(str(study.analyses)) / "margins.parquet") for c in own]
    pooled = block.margins[block.margins["method"] == "focal"]
    assert pooled["count"].sum() == sum(table["count"].sum() for table in tables)
    assert not pooled.duplicated(["side", "class", "bin"]).any()


def test_baseline_comes_first_and_subjects_have_numbers_only(block):
    assert block.methods[0] == block.baseline == "cross_entropy"
    assert sorted(block.subjects["subject"].unique()) == list(range(1, 9))
    assert "case" not in block.subjects


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
    assert [style.signed(value, 2) for value in (-0.004, 0.0, 1.0, -2.5)] == [
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
    [block] = read_blocks(study.cells, study.analyses, read_metrics(study.metrics))
    drawn = write_figures(block, tmp_path, dpi=40)
    assert [figure.kind for figure in drawn] == [
        "shift", "margins", "joint", "joint", "overlap", "curves",
    ]  # fmt: skip


def test_missing_files_are_all_named(study):
    gone = [Cell("segmentation", "brain", "unet", "gone", "0.5", 0)]
    with pytest.raises(RarelensError) as raised:
        read_blocks(gone, study.analyses, read_metrics(study.metrics))
    assert len(raised.value.problems) == 2
    assert "brain/unet/gone/0.5/0/history.csv: no such file" in str(raised.value)

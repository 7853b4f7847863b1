"""Figures of the classification study: what they show."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.reporting import style
from rarelens.studies.reporting.classification.figures import cka, prevalence, question, units
from rarelens.studies.reporting.classification.results import read_results


@pytest.fixture(scope="module")
def results(classification):
    own = classification
    [only] = read_results(own.cells, own.analyses, own.metrics)
    return only


def test_pairs_that_perform_alike_come_first(results):
    found = results.pairs
    assert [pair.number for pair in found] == [1, 2, 3, 4, 5, 6]
    assert [pair.answer.performance for pair in found] == [
        "equivalent",
        *["undecided"] * 4,
        "different",
    ]
    assert (found[0].method_a, found[0].method_b) == ("bce", "focal")
    assert (found[0].answer.inside, found[0].answer.hidden) == (True, True)


def test_every_pair_is_drawn_with_the_better_method_first(results):
    with style.styled():
        figure = question.draw(results)
    axis = figure.axes[0]
    points = [line.get_xdata()[0] for line in axis.lines if line.get_marker() in {"o", "D"}]
    expected = results.pair_rows.loc[results.pair_rows["quantity"] == "auroc", "difference"].abs()
    assert sorted(points) == pytest.approx(sorted(expected))


def test_similarity_is_symmetric(results):
    grid = cka.similarity(results.methods, results.pairs, "late")
    off = ~np.eye(len(grid), dtype=bool)
    assert np.array_equal(grid[off], grid.T[off])
    row = results.pairs[0].row("cka", "late")
    assert grid[0, 1] == row["value_a"]


def test_noise_floor_of_each_method_stands_on_the_diagonal(results):
    grid = cka.similarity(results.methods, results.pairs, "late")
    assert np.diag(grid) == pytest.approx([0.85, 0.83, 0.81, 0.79])
    only = cka.similarity(results.methods, results.pairs[:1], "late")
    assert np.diag(only)[:2] == pytest.approx([0.84, 0.84])
    assert np.isnan(np.diag(only)[2:]).all()


def test_prevalence_has_a_line_a_method_and_no_marker_where_undefined(results):
    with style.styled():
        figure = prevalence.draw(results)
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    drawn = lines["weighted bce"].get_ydata()
    assert np.isfinite(drawn).tolist() == [False] + [True] * 7
    assert drawn[-1] > drawn[1]
    assert "never in test (undefined)" in [text.get_text() for text in figure.axes[0].texts]


def test_the_second_unit_shown_is_of_another_finding():
    examples = tuple({"class": c, "unit": u} for c, u in ((3, 1), (3, 2), (0, 7)))
    assert [unit["unit"] for unit in units.choose(examples)] == [1, 7]
    assert [unit["unit"] for unit in units.choose(examples[:2])] == [1, 2]
    assert units.choose(()) == []


def test_reliability_pools_seeds_by_their_images(results, classification):
    folders = [c.folder(str(classification.analyses)) for c in classification.cells[:3]]
    tables = [pd.read_parquet(folder / "reliability.parquet") for folder in folders]
    own = [t[(t["class"] == 1) & ~t["calibrated"] & (t["bin"] == 2)].iloc[0] for t in tables]
    pooled = results.reliability
    pooled = pooled[(pooled["method"] == "bce") & (pooled["class"] == 1) & (pooled["bin"] == 2)]
    row = pooled[~pooled["calibrated"]].iloc[0]
    assert row["count"] == 75
    assert row["observed"] == pytest.approx(np.mean([r["observed"] for r in own]))


@pytest.mark.parametrize("places", [[0.0, 0.01, 0.02, 1.0], [0.0, 1.0, 2.0], [0.3], []])
def test_spread_keeps_order_and_gaps(places):
    moved = style.spread(places, 0.2)
    assert all(b - a >= 0.2 - 1e-6 for a, b in pairwise(moved))
    assert np.mean(moved or [0]) == pytest.approx(np.mean(places or [0]))
    if len(places) == 3:
        assert moved == places

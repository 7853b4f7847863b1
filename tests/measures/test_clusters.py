"""Draws of whole groups."""

from __future__ import annotations

import numpy as np
import pytest

from rarelens.measures import clusters as cluster_bootstrap
from rarelens.measures.clusters import Clusters, completed, percentiles

GROUPS = ["b", "a", "b", "c", "a", "b"]


@pytest.fixture
def clusters():
    return Clusters.draw(GROUPS, 50, [3, 1])


def test_images_of_a_group_are_drawn_together(clusters):
    (weights,) = clusters.by_image(np.arange(6))
    for members in ([0, 2, 5], [1, 4]):
        assert (weights[:, members] == weights[:, members[:1]]).all()
    assert (weights[0] == 1).all()
    assert (clusters.weights.sum(axis=1) == 3).all()


def test_sums_are_those_of_the_drawn_images(clusters):
    values = np.arange(12.0).reshape(6, 2)
    rows = np.array([5, 1, 3])
    (weights,) = clusters.by_image(rows)
    np.testing.assert_allclose(clusters.sums(values[rows], rows), weights @ values[rows])


def test_weights_in_chunks_are_those_at_once(clusters, monkeypatch):
    (whole,) = clusters.by_image(np.arange(6))
    monkeypatch.setattr(cluster_bootstrap, "CHUNK", 20)
    parts = list(clusters.by_image(np.arange(6)))
    assert len(parts) == 17
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_interval_of_clustered_images_is_wider_than_that_of_single_ones():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=30), 10)[:, None]
    widths = []
    for groups in (np.repeat(np.arange(30), 10), np.arange(300)):
        drawn = Clusters.draw(groups, 800, [0])
        means = drawn.sums(values) / drawn.sums(np.ones((300, 1)))
        low, high = percentiles(means[1:], 0.95)
        widths.append(float(high[0] - low[0]))
    expected = 2 * 1.96 * values.std() / np.sqrt(30)
    assert widths[0] == pytest.approx(expected, rel=0.12)
    assert widths[0] > 2.5 * widths[1]


def test_percentiles_leave_undefined_draws_out():
    draws = np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    low, high = percentiles(draws, 0.5)
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan([low[1], high[1]]).all()


def test_draws_without_a_class_take_its_value_in_the_sample():
    values = np.array([[0.2, 0.9, np.nan], [np.nan, 0.8, np.nan], [0.4, np.nan, np.nan]])
    expected = [[0.2, 0.9, np.nan], [0.2, 0.8, np.nan], [0.4, 0.9, np.nan]]
    np.testing.assert_array_equal(completed(values), expected)

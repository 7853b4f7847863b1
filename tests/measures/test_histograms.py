from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from rarelens.measures.histograms import (
    Moments,
    bin_of,
    count_bins,
    count_each,
    pooled_standard_deviation,
    quantile_from_histogram,
    wasserstein_from_histograms,
)

WIDTH = 0.05


def histogram(values: np.ndarray, bins: np.ndarray) -> np.ndarray:
    found, counts = np.unique(bin_of(values, WIDTH), return_counts=True)
    dense = np.zeros(len(bins))
    dense[np.searchsorted(bins, found)] = counts
    return dense


def two_samples(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    first = np.append(rng.normal(2, 1, 500), [-40.0])
    second = rng.gamma(2, 2, 333) - 3
    bins = np.unique(bin_of(np.concatenate([first, second]), WIDTH))
    return first, second, bins


def test_a_bin_holds_its_lower_edge_and_not_its_upper() -> None:
    assert bin_of([-0.5, -0.25, -0.1, 0.0, 0.2499, 0.25], 0.25).tolist() == [-2, -1, -1, 0, 0, 1]
    assert bin_of(np.float32([1.0]), 0.25).dtype == np.int32


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e12])
def test_a_value_without_a_bin_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not finite, or too large"):
        bin_of([0.0, value], WIDTH)


@pytest.mark.parametrize("spread", [20, 2_000_000_000])
def test_counting_against_unique(spread: int) -> None:
    values = np.random.default_rng(0).integers(-spread, spread, (2, 500)).astype(np.int32)
    values = np.concatenate([values, values[:, :100]], axis=1)
    distinct, counts = count_bins(values)
    expected, expected_counts = np.unique(values, axis=1, return_counts=True)
    np.testing.assert_array_equal(distinct, expected)
    np.testing.assert_array_equal(counts, expected_counts)
    assert (distinct.dtype, counts.dtype) == (np.int32, np.int64)


@pytest.mark.parametrize("far", [0, 2**31 - 50, -(2**31)])
def test_each_row_is_counted_as_alone(far: int) -> None:
    values = np.random.default_rng(1).integers(-9, 9, (4, 50)).astype(np.int32)
    values[2] += 40
    values[3, 7] = far
    row, distinct, counts = count_each(values)
    assert (distinct.dtype, counts.dtype) == (np.int32, np.int64)
    for number, own in enumerate(values):
        expected, expected_counts = np.unique(own, return_counts=True)
        np.testing.assert_array_equal(distinct[row == number], expected)
        np.testing.assert_array_equal(counts[row == number], expected_counts)


@pytest.mark.parametrize("q", [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_quantile_is_within_a_bin_of_the_raw_values(q: float, seed: int) -> None:
    first, second, bins = two_samples(seed)
    counts = np.stack([histogram(first, bins), histogram(second, bins)])
    exact = [np.quantile(values, q, method="inverted_cdf") for values in (first, second)]
    found = quantile_from_histogram(bins, counts, q, WIDTH)
    assert np.abs(found - exact).max() <= WIDTH + 1e-12


def test_quantile_by_hand() -> None:
    # Two values in [0, 1), six in [4, 5): the median is a third of the way through the latter.
    assert quantile_from_histogram(np.array([0, 4]), [2, 6], 0.5, 1.0) == pytest.approx(4 + 2 / 6)


def test_quantile_of_nothing_is_nan() -> None:
    found = quantile_from_histogram(np.array([0, 4]), [[0, 0], [1, 0]], 0.5, 1.0)
    assert np.isnan(found[0])
    assert found[1] == 0.5
    assert np.isnan(quantile_from_histogram(np.array([], dtype=int), np.zeros((1, 0)), 0.5, 1.0))


@pytest.mark.parametrize("seed", range(5))
def test_wasserstein_equals_scipy_on_bins_and_is_near_it_on_raw_values(seed: int) -> None:
    first, second, bins = two_samples(seed)
    counts = histogram(first, bins), histogram(second, bins)
    found = wasserstein_from_histograms(bins, *counts, WIDTH)
    middles = (bins + 0.5) * WIDTH
    assert found == pytest.approx(wasserstein_distance(middles, middles, *counts), rel=1e-12)
    assert abs(found - wasserstein_distance(first, second)) <= WIDTH


def test_wasserstein_works_row_by_row_and_is_nan_for_an_empty_side() -> None:
    bins = np.array([0, 10])
    found = wasserstein_from_histograms(
        bins, [[1, 0], [1, 1], [0, 0]], [[0, 1], [1, 1], [1, 0]], 0.5
    )
    np.testing.assert_array_equal(found, [5.0, 0.0, np.nan])


def test_moments_give_mean_variance_and_negative_fraction_of_the_raw_values() -> None:
    first, second, _ = two_samples(0)
    sums = [Moments.of(values) for values in (first, second)]
    assert sums[0].mean == pytest.approx(first.mean())
    assert sums[0].negative_fraction == pytest.approx((first < 0).mean())
    n, m = len(first), len(second)
    expected = np.sqrt(((n - 1) * first.var(ddof=1) + (m - 1) * second.var(ddof=1)) / (n + m - 2))
    assert pooled_standard_deviation(*sums) == pytest.approx(expected)


def test_pooled_moments_are_those_of_repeated_subjects() -> None:
    first, second, _ = two_samples(1)
    each = [Moments.of(values) for values in (first, second)]
    stacked = Moments(*(np.stack(fields) for fields in zip(*each, strict=True)))
    pooled = stacked.pooled(np.array([[2.0, 1.0], [0.0, 3.0]]))
    expected = [np.concatenate([first, first, second]), np.tile(second, 3)]
    np.testing.assert_allclose(pooled.mean, [values.mean() for values in expected])
    variances = pooled.squared_deviations / pooled.number
    np.testing.assert_allclose(variances, [values.var() for values in expected])


def test_moments_of_nothing_are_nan_and_not_an_error() -> None:
    empty = Moments.of([])
    assert np.isnan(empty.mean)
    assert np.isnan(pooled_standard_deviation(empty, empty))

import numpy as np
import pytest

from rarelens.measures.dissection.quantiles import SAMPLE_VALUES, counted_quantiles, sorted_quantile

SHARES = (0.0, 0.3, 0.5, 0.995, 1.0)


@pytest.mark.parametrize("share", SHARES)
def test_sorted_equals_numpy(share):
    values = np.random.default_rng(0).standard_normal((3000, 12)).astype(np.float32)
    assert sorted_quantile(values, share) == np.quantile(values.astype(np.float64), share)


def test_sample_that_misleads_does_not_change_the_result():
    # Every column that the sample looks at is high, all others are low.
    values = np.zeros((3200, 64), np.float32)
    step = 3200 * 64 // SAMPLE_VALUES
    values[:, step // 2 :: step] = np.arange(3200)[:, None]
    assert sorted_quantile(values, 0.9) == np.quantile(values.astype(np.float64), 0.9)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_counted_has_no_rank_error(share, kind):
    values = np.random.default_rng(1).standard_normal((50, 4, 6, 7)).astype(kind)
    values[:, 0] = np.maximum(values[:, 0], 0)
    values[:, 1] *= 1e-4
    values[3:, 2] = -0.0
    values[:, 3] = -3.5
    found = counted_quantiles(lambda: [values[:7], values[7:]], 4, share)
    expected = np.quantile(values.astype(np.float64), share, axis=(0, 2, 3))
    np.testing.assert_array_equal(found, expected)


def test_counting_does_not_depend_on_chunks_or_order():
    values = np.random.default_rng(2).standard_normal((40, 3, 5)).astype(np.float32)
    whole = counted_quantiles(lambda: [values], 3, 0.97)
    parts = counted_quantiles(lambda: [values[30:], values[:1], values[1:30]], 3, 0.97)
    np.testing.assert_array_equal(whole, parts)

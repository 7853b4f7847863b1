from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from rarelens.components.regularisers._noise import gaussian

KEYS = torch.tensor([0, 1, 2, -1, 2**31 - 1, -(2**31), 123_456_789], dtype=torch.int32)


def mixed(bits: int) -> int:
    """In Python's integers."""
    for shift, factor in ((16, 0x604BAA5D), (15, 0x43D6CE97), (15, 1)):
        bits = ((bits ^ (bits >> shift)) * factor) & 0xFFFFFFFF
    return bits


@pytest.mark.parametrize("size", [8, 9])
def test_by_hand(size: int) -> None:
    found = gaussian(KEYS, size)
    half = math.ceil(size / 2)
    for key, row in zip(KEYS.tolist(), found, strict=True):
        uniform = [(mixed(mixed(i) ^ (key % 2**32)) >> 8) / 2**24 for i in range(2 * half)]
        radius = [math.sqrt(-2 * math.log(1 - u)) for u in uniform[:half]]
        angle = [2 * math.pi * u for u in uniform[half:]]
        pairs = list(zip(radius, angle, strict=True))
        expected = [r * math.cos(a) for r, a in pairs] + [r * math.sin(a) for r, a in pairs]
        np.testing.assert_allclose(row, expected[:size], rtol=1e-4, atol=1e-5)


def test_numbers_are_normal_and_independent() -> None:
    keys = torch.from_numpy(np.random.default_rng(0).integers(-(2**31), 2**31, 64, dtype=np.int32))
    found = gaussian(keys, 20_000).numpy().astype(np.float64)
    assert np.isfinite(found).all()
    # 64 uniform p, and then one of all of them.
    each = [stats.kstest(row, "norm").pvalue for row in found]
    assert stats.kstest(each, "uniform").pvalue > 1e-3
    assert stats.kstest(found.ravel(), "norm").pvalue > 1e-3
    # Between patches, neighbours, halves of the transform, and rows of a volume.
    deviation = 20_000**-0.5
    between = np.corrcoef(found)[np.triu_indices(64, 1)] / deviation
    assert stats.kstest(between, "norm").pvalue > 1e-3
    for lag in (1, 2, 64, 64**2, 10_000):
        own = [np.mean(row[lag:] * row[:-lag]) * (20_000 - lag) ** 0.5 for row in found]
        assert stats.kstest(own, "norm").pvalue > 1e-3
        squares = [
            np.mean((row[lag:] ** 2 - 1) * (row[:-lag] ** 2 - 1)) / 2 * (20_000 - lag) ** 0.5
            for row in found
        ]
        assert stats.kstest(squares, "norm").pvalue > 1e-3


def test_neighbouring_keys_are_as_independent_as_any() -> None:
    found = gaussian(torch.arange(64, dtype=torch.int32), 20_000).numpy()
    between = np.corrcoef(found)[np.triu_indices(64, 1)] * 20_000**0.5
    assert stats.kstest(between, "norm").pvalue > 1e-3
    assert stats.kstest(found.ravel(), "norm").pvalue > 1e-3


def test_a_row_is_a_function_of_its_key() -> None:
    every = gaussian(KEYS, 1001)
    assert every.dtype == torch.float32
    for i in range(len(KEYS)):
        assert torch.equal(gaussian(KEYS[i : i + 1], 1001)[0], every[i])
    assert len({row.numpy().tobytes() for row in every}) == len(KEYS)


def test_the_largest_number_is_finite() -> None:
    """A uniform number of 0 or of the largest below 1."""
    for bits in (0.0, 1 - 2.0**-24):
        assert math.isfinite(math.sqrt(-2 * math.log(1 - bits)))
    assert gaussian(KEYS, 2**20).abs().max() <= math.sqrt(2 * 24 * math.log(2)) + 1e-5

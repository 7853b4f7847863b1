"""Batches of features give the CKA of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.measures.linear_cka import LinearCKA
from rarelens.measures.similarity import debiased_linear_cka


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(3, 1, (30, 6)).astype(np.float32)
    return x, (x @ rng.normal(size=(6, 9)) + rng.normal(size=(30, 9))).astype(np.float32)


def test_batches_in_any_order_merged_or_not_are_one(
    features: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = features
    expected = debiased_linear_cka(x, y)
    parts = [LinearCKA() for _ in range(3)]
    for part, rows in zip(parts, np.array_split(np.random.default_rng(1).permutation(30), 3),
                          strict=True):  # fmt: skip
        part.update(torch.from_numpy(x[rows]), y[rows])
    assert parts[2].merge(parts[0]).merge(parts[1]).compute() == pytest.approx(expected)
    assert 0.2 < expected < 1


def test_feature_maps_count_with_their_spatial_means(
    features: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = features
    found = LinearCKA()
    offsets = np.random.default_rng(2).normal(size=(30, 6, 4, 4))
    offsets -= offsets.mean(axis=(2, 3), keepdims=True)
    found.update(x[..., None, None] + offsets, y)
    assert found.compute() == pytest.approx(debiased_linear_cka(x, y))


def test_too_few_images_are_nan() -> None:
    found = LinearCKA()
    assert np.isnan(found.compute())
    found.update(np.eye(3), np.eye(3))
    assert np.isnan(found.compute())


def test_nonsense_is_refused(features: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = features
    found = LinearCKA()
    found.update(x, y)
    for pair, sentence in [
        ((x, y[:5]), "30 images on one side and 5 on the other"),
        ((x[:, :5], y), "5 units, but 6 in earlier batches"),
        ((x[0], y[0]), "is expected"),
        ((x * np.nan, y), "not finite"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            found.update(*pair)
    assert found.compute() == pytest.approx(debiased_linear_cka(x, y))

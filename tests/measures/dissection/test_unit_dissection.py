"""Batches of activations and masks give the dissection of all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.measures.dissection import UnitDissection, dissect

SETTINGS = {"quantile": 0.05, "permutations": 30, "seed": 4}


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    activations = np.maximum(rng.standard_normal((12, 5, 4, 4)), 0).astype(np.float16)
    return activations, rng.random((12, 3, 9, 10)) < 0.2


def test_batches_in_any_order_merged_or_not_are_one(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = data
    patients = np.array([*"abbcccabcdea"])
    expected = dissect(activations, masks, groups=patients, **SETTINGS).table()
    first, second = UnitDissection(**SETTINGS), UnitDissection(**SETTINGS)
    for start in (9, 0, 3, 6):
        part = first if start in (0, 9) else second
        own = slice(start, start + 3)
        images = torch.from_numpy(activations[own]), torch.from_numpy(masks[own])
        part.update(*images, patients[own])
    assert second.merge(first).compute().table().equals(expected)


def test_wider_types_are_read_as_float32(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = data
    found = UnitDissection(quantile=0.05)
    found.update(torch.from_numpy(activations).bfloat16(), masks)
    rounded = torch.from_numpy(activations).bfloat16().float().numpy()
    np.testing.assert_array_equal(found.compute().iou, dissect(rounded, masks, 0.05).iou)


def test_nonsense_is_refused(data: tuple[np.ndarray, np.ndarray]) -> None:
    activations, masks = data
    with pytest.raises(TypeError, match="quantil"):
        UnitDissection(quantil=0.1)
    with pytest.raises(ValueError, match="call update first"):
        UnitDissection().compute()
    found = UnitDissection()
    found.update(activations, masks)
    with pytest.raises(ValueError, match="are expected"):
        found.update(activations[:3], masks)
    with pytest.raises(ValueError, match="differ from earlier"):
        found.update(activations, masks[..., :8])
    with pytest.raises(ValueError, match="patient of each image"):
        found.update(activations, masks, [*range(3)])
    with pytest.raises(ValueError, match="others have none"):
        found.update(activations, masks, [*range(12)])
    with pytest.raises(TypeError, match="groups"):
        UnitDissection(groups=[1, 2])
    other = UnitDissection()
    other.update(activations[:, :2], masks)
    with pytest.raises(ValueError, match="differ from earlier"):
        found.merge(other)
    with pytest.raises(ValueError, match="cannot merge: settings"):
        found.merge(UnitDissection(quantile=0.1))
    found.update(np.full_like(activations, np.inf), masks)
    with pytest.raises(ValueError, match="not a finite number"):
        found.compute()

"""Alignment per class: means of the pure functions' values, beside the controls."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rarelens.measures import alignment
from rarelens.measures.saliency_alignment import SaliencyAlignment

CLASSES = ["nodule", "mass", "nodule", "nodule", "mass"]


@pytest.fixture
def maps() -> np.ndarray:
    return np.random.default_rng(0).random((5, 4, 5)).astype(np.float32)


@pytest.fixture
def masks() -> np.ndarray:
    masks = np.random.default_rng(1).random((5, 16, 20)) < 0.3
    masks[3] = False
    return masks


def means(found: SaliencyAlignment) -> dict[tuple[str, str, str], float]:
    return {(row["class"], row["map"], row["measure"]): row["mean"] for row in found.compute()}


def test_means_against_a_loop_over_maps(maps: np.ndarray, masks: np.ndarray) -> None:
    found = SaliencyAlignment([0.5, 0.8])
    found.update(maps, masks, CLASSES)
    energy, overlap, hits = {}, {}, {}
    for label in ("nodule", "mass"):
        own = [n for n, name in enumerate(CLASSES) if name == label and masks[n].any()]
        stretched = []
        for number in own:
            one = torch.from_numpy(maps[number].astype(float))[None, None]
            large = F.interpolate(one, (16, 20), mode="bilinear")[0, 0].numpy()
            stretched.append((large - large.min()) / (large.max() - large.min()))
        pairs = list(zip(stretched, masks[own], strict=True))
        energy[label] = np.mean([heat[mask].sum() / heat.sum() for heat, mask in pairs])
        overlap[label] = np.mean(
            [((heat > 0.8) & mask).sum() / ((heat > 0.8) | mask).sum() for heat, mask in pairs]
        )
        hits[label] = np.mean([mask[heat == heat.max()].mean() for heat, mask in pairs])
    for label in ("nodule", "mass"):
        one = means(found)
        assert one[label, "saliency", "energy_inside"] == pytest.approx(energy[label])
        assert one[label, "saliency", "iou@0.8"] == pytest.approx(overlap[label])
        assert one[label, "saliency", "pointing_game"] == pytest.approx(hits[label])
        assert one[label, "uniform", "iobb"] == 1
    counts = {(row["class"], row["map"]): row["maps"] for row in found.compute()}
    assert set(counts) == set(product(["nodule", "mass"], ["saliency", "centre", "uniform"]))
    assert counts["nodule", "saliency"] == counts["mass", "uniform"] == 2


def test_centre_stands_beside(maps: np.ndarray, masks: np.ndarray) -> None:
    found = SaliencyAlignment()
    found.update(maps[:1], masks[:1], ["nodule"])
    expected = alignment.soft_iou(alignment.centre_prior((16, 20)), masks[0])
    assert means(found)["nodule", "centre", "soft_iou"] == pytest.approx(expected)


def test_batches_merging_and_torch_are_one_update(maps: np.ndarray, masks: np.ndarray) -> None:
    whole, first, second = (SaliencyAlignment() for _ in range(3))
    whole.update(maps, masks, CLASSES)
    first.update(torch.from_numpy(maps[:2]), torch.from_numpy(masks[:2]), CLASSES[:2])
    second.update(maps[2:4], masks[2:4], CLASSES[2:4])
    second.update(maps[4:], masks[4:], CLASSES[4:])
    assert means(second.merge(first)) == pytest.approx(means(whole))
    assert SaliencyAlignment().compute() == []


def test_nonsense_is_refused(maps: np.ndarray, masks: np.ndarray) -> None:
    found = SaliencyAlignment()
    with pytest.raises(ValueError, match="are not N of each"):
        found.update(maps, masks, CLASSES[:4])
    with pytest.raises(ValueError, match="are not N of each"):
        found.update(maps[0], masks[0], CLASSES)
    with pytest.raises(ValueError, match="not finite"):
        found.update(np.full_like(maps, np.nan), masks, CLASSES)
    with pytest.raises(ValueError, match="cannot merge: thresholds"):
        found.merge(SaliencyAlignment([0.7]))
    assert found.compute() == []

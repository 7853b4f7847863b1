from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.extraction.segmentation.units import extract_units

SIZE = (16, 16, 16)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.full = nn.Conv3d(2, 3, 3, padding=1)
        self.coarse = nn.Conv3d(3, 4, 3, stride=2, padding=1)
        self.logits = nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv3d(4, 3, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.logits(self.coarse(self.full(images)))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Net().eval()


@pytest.fixture
def extract(tiny, network, tmp_path) -> Callable[..., Path]:
    def run(name: str, **changes: Any) -> Path:
        target = tmp_path / name
        target.mkdir()
        arguments = {
            "cases": tiny.cases("test"),
            "rare_classes": [2],
            "layers": ["full", "coarse"],
            "patch_size": SIZE,
            "patches": 6,
            "seed": 0,
        }
        extract_units(network, tiny, target=target, **(arguments | changes))
        return target

    return run


def test_activations_and_masks_are_of_the_same_tiles(extract, tiny, network) -> None:
    target = extract("a", rare_classes=[2, 1])
    masks = np.load(target / "masks.npy")
    activations = {
        name: np.load(target / "activations" / f"{name}.npy") for name in ("full", "coarse")
    }
    assert masks.dtype == bool
    assert masks.shape == (6, 2, *SIZE)
    assert activations["full"].shape == (6, 3, *SIZE)
    assert activations["coarse"].shape == (6, 4, 8, 8, 8)
    assert activations["coarse"].dtype == np.float16
    sampler = PatchSampler(tiny, tiny.cases("test"), SIZE, 1, 0.5, 0)
    for tile in range(6):
        batch = sampler.batch(tile)
        np.testing.assert_array_equal(masks[tile, 0], batch.labels[0] == 2)
        np.testing.assert_array_equal(masks[tile, 1], batch.labels[0] == 1)
        with torch.no_grad():
            half = network.coarse(network.full(torch.from_numpy(batch.images)))
        np.testing.assert_allclose(activations["coarse"][tile], half[0], rtol=2e-3, atol=1e-3)


def test_tiles_are_of_the_named_cases_and_some_lie_on_a_structure(extract, tiny) -> None:
    target = extract("a", patches=12, rare_classes=[1, 2])
    tiles = pd.read_parquet(target / "tiles.parquet")
    assert set(tiles["case"]) == set(tiny.cases("test"))
    assert tiles["group"].tolist() == [tiny.groups[case] for case in tiles["case"]]
    assert tiles["tile"].tolist() == list(range(12))
    centred = tiles["centre"] > 0
    assert 2 <= centred.sum() <= 10
    masks = np.load(target / "masks.npy")
    for tile, centre in zip(tiles["tile"][centred], tiles["centre"][centred], strict=True):
        assert masks[tile, centre - 1].any()
    facts = json.loads((target / "units.json").read_text())
    assert facts == {
        "layers": ["full", "coarse"],
        "classes": [1, 2],
        "size": [16, 16, 16],
        "clipped_activations": {"full": 0, "coarse": 0},
    }


def test_the_same_bytes_twice_and_other_tiles_by_another_seed(extract) -> None:
    first, second, other = (
        extract(name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    for file in ("masks.npy", "tiles.parquet", "activations/full.npy", "units.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    assert (first / "masks.npy").read_bytes() != (other / "masks.npy").read_bytes()


def test_more_tiles_begin_with_the_same(extract) -> None:
    few, many = extract("a", patches=3), extract("b", patches=5)
    a, b = (np.load(folder / "activations" / "coarse.npy") for folder in (few, many))
    np.testing.assert_array_equal(a, b[:3])


def test_unknown_layers_are_refused_before_anything_is_written(extract, tmp_path) -> None:
    with pytest.raises(RarelensError, match=r"'coarser' is no layer .* full, coarse, logits"):
        extract("a", layers=["full", "coarser"])
    assert not list((tmp_path / "a").iterdir())


def test_a_network_that_sees_more_than_it_labels_is_refused(extract, network, monkeypatch) -> None:
    unpadded = {"context": 3, "training_patch": (4, 4, 4), "inference_patch": (4, 4, 4)}
    for name, value in unpadded.items():
        monkeypatch.setattr(network, name, value, raising=False)
    with pytest.raises(RarelensError, match="Net pads nothing"):
        extract("a")

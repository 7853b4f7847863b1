"""Augmentation of a batch: rarelens, all patches at once, and MONAI, one after the other.

The same changes of the same strengths (rotation, scaling, gamma, contrast, brightness, noise) of
batches of four patches, on one thread. MONAI's transforms of a dictionary in three ways: as they
are; without meta data (``set_track_meta(False)``); and lazily, which resamples in float32 where
they take float64. Rounds alternate; the best of each counts. Prints a Markdown table:
``python benchmarks/augmentation.py``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rarelens.components.regularisers.augmentation import Strength, augment

BATCH = 4
SHAPES = ((2, 64, 64, 64), (1, 48, 48, 16))
STRENGTH = Strength(rotation=15.0)


def monai_transforms(strength: Strength, lazy: bool = False) -> Any:
    """MONAI's transforms of a dictionary with one image and its label."""
    from monai.transforms import (
        Compose,
        RandAdjustContrastd,
        RandAffined,
        RandFlipd,
        RandGaussianNoised,
        RandScaleIntensityd,
        RandShiftIntensityd,
    )

    both = ("image", "label")
    gamma = (1 - strength.gamma, 1 + strength.gamma)
    turned = RandAffined(
        both,
        prob=1.0,
        rotate_range=[float(np.radians(strength.rotation))] * 3,
        scale_range=[strength.scaling] * 3,
        mode=("bilinear", "nearest"),
        padding_mode="border",
    )
    steps = [
        *(RandFlipd(both, prob=0.5, spatial_axis=axis) for axis in strength.flip_axes),
        turned,
        RandAdjustContrastd("image", prob=1.0, gamma=gamma, retain_stats=True),
        RandScaleIntensityd("image", prob=1.0, factors=strength.contrast),
        RandShiftIntensityd("image", prob=1.0, offsets=strength.brightness),
        RandGaussianNoised("image", prob=1.0, std=strength.noise),
    ]
    return Compose(steps, lazy=lazy)


def rarelens(images: Tensor, labels: Tensor, rng: np.random.Generator) -> None:
    """The whole batch."""
    augment(images, labels, STRENGTH, rng)


def monai(images: Tensor, labels: Tensor, transform: Any, tracked: bool) -> None:
    """One patch after the other, and a batch of them."""
    from monai.data import set_track_meta

    set_track_meta(tracked)
    pairs = zip(images, labels, strict=True)
    found = [transform({"image": x, "label": y[None].float()}) for x, y in pairs]
    torch.stack([torch.as_tensor(each["image"]) for each in found])
    torch.stack([torch.as_tensor(each["label"])[0].long() for each in found])


def ways(shape: tuple[int, ...]) -> dict[str, Callable[[], None]]:
    """Of such patches."""
    images = torch.randn(BATCH, *shape)
    labels = torch.randint(0, 3, (BATCH, *shape[1:]))
    plain, lazy = monai_transforms(STRENGTH), monai_transforms(STRENGTH, lazy=True)
    return {
        "rarelens": partial(rarelens, images, labels, np.random.default_rng(0)),
        "MONAI": partial(monai, images, labels, plain, True),
        "MONAI, no meta data": partial(monai, images, labels, plain, False),
        "MONAI, lazy": partial(monai, images, labels, lazy, True),
    }


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| patches | | ms a batch | of rarelens |\n|---|---|---|---|")
    for shape in SHAPES:
        own = ways(shape)
        taken: dict[str, list[float]] = {name: [] for name in own}
        for number in range(options.rounds + 1):
            for name, go in own.items():
                begun = time.perf_counter()
                go()
                if number:  # The first is for caches and imports.
                    taken[name].append(1000 * (time.perf_counter() - begun))
        best = {name: min(each) for name, each in taken.items()}
        patch = f"{BATCH} × {shape[0]} × {'×'.join(map(str, shape[1:]))}"
        for name, each in best.items():
            print(f"| {patch} | {name} | {each:.1f} | {each / best['rarelens']:.2f} |")


if __name__ == "__main__":
    main()

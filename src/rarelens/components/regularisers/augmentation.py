"""Spatial and intensity augmentation, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray

from rarelens.components._rare_classes import refuse_empty

__all__ = ["Augmentation", "Strength", "augment"]

Axes = tuple[Annotated[int, Ge(0), Le(2)], ...]


@dataclass(frozen=True)
class Strength:
    """How much a patch may change; each change is drawn evenly up to its largest.

    Attributes:
        rotation: degrees about each axis.
        scaling: relative change of size along each axis.
        flip_axes: spatial axes along which a patch is mirrored with probability 1/2.
        noise: standard deviation of Gaussian noise.
        brightness: added to the intensities.
        contrast: relative change of the intensities.
        gamma: relative change of the exponent of the intensities, scaled to [0, 1].
    """

    rotation: float = 15.0
    scaling: float = 0.15
    flip_axes: tuple[int, ...] = ()
    noise: float = 0.1
    brightness: float = 0.1
    contrast: float = 0.2
    gamma: float = 0.3

    def weakened(self, factor: float) -> Strength:
        """Every range times ``factor``, without mirroring."""
        names = ("rotation", "scaling", "noise", "brightness", "contrast", "gamma")
        return Strength(flip_axes=(), **{name: getattr(self, name) * factor for name in names})


class Augmentation:
    """Augments patches before they are used (asymmetric form: Li et al., TMI 2021).

    The symmetric form augments every patch. The asymmetric one augments those centred on a voxel
    of a rare class, and the others weakly or, by default, not at all. Intensities are taken to be
    standardised. Left and right differ in most anatomy, so nothing is mirrored by default.

    Args:
        rotation: largest rotation about each axis, degrees.
        scaling: largest relative change of size along each axis.
        flip_axes: axes to mirror, each with probability 1/2.
        noise: largest standard deviation of Gaussian noise.
        brightness: largest value added to the intensities.
        contrast: largest relative change of the intensities.
        gamma: largest relative change of the exponent of the intensities.
        weak: share of these strengths, mirroring apart, for the other patches.
        rare_classes: None for the symmetric form.
    """

    gradient_evaluations = 0

    def __init__(
        self,
        rotation: Annotated[float, Ge(0), Le(180)] = 15.0,
        scaling: Annotated[float, Ge(0), Lt(1)] = 0.15,
        flip_axes: Axes = (),
        noise: Annotated[float, Ge(0)] = 0.1,
        brightness: Annotated[float, Ge(0)] = 0.1,
        contrast: Annotated[float, Ge(0), Lt(1)] = 0.2,
        gamma: Annotated[float, Ge(0), Lt(1)] = 0.3,
        weak: Annotated[float, Ge(0), Le(1)] = 0.0,
        rare_classes: Sequence[int] | None = None,
    ) -> None:
        refuse_empty(rare_classes, "no patch would be augmented")
        self.strength = Strength(rotation, scaling, flip_axes, noise, brightness, contrast, gamma)
        self.weak = weak
        self.rare_classes = rare_classes

    def prepare(
        self,
        images: NDArray[np.float32],
        labels: NDArray[np.int64],
        centres: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Augmented copies of images (B, channels, *patch) and labels (B, *patch)."""
        if self.rare_classes is None:
            return augment(images, labels, self.strength, rng)
        chosen = np.isin(centres, list(self.rare_classes))
        images, labels = augment(images, labels, self.strength, rng, chosen)
        if self.weak > 0:
            images, labels = augment(
                images, labels, self.strength.weakened(self.weak), rng, ~chosen
            )
        return images, labels

    def facts(self, channels: int, patch: Sequence[int]) -> dict[str, float]:  # noqa: ARG002
        """Nothing beside the options."""
        return {}


def augment(
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    strength: Strength,
    rng: np.random.Generator,
    chosen: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Augment patches by MONAI's transforms.

    Every patch has random numbers of its own, whatever others are chosen. What comes in over the
    border repeats the border, in image and labels alike.

    Args:
        images: (B, channels, X, Y, Z).
        labels: class indices (B, X, Y, Z).
        strength: how much may change.
        rng: of the random numbers.
        chosen: (B,), the patches to augment; None for all.

    Returns:
        Copies of images and labels; patches that are not chosen are as they were.
    """
    images, labels = images.copy(), labels.copy()
    seeds = rng.integers(2**32, size=len(images))
    transform = _transform(strength)
    for i in range(len(images)) if chosen is None else np.flatnonzero(chosen):
        transform.set_random_state(seed=int(seeds[i]))
        # float64 holds every label exactly.
        result = transform({"image": images[i], "label": labels[i][None].astype(np.float64)})
        images[i] = np.asarray(result["image"])
        labels[i] = np.rint(np.asarray(result["label"])[0]).astype(np.int64)
    return images, labels


def _transform(strength: Strength) -> Any:
    """MONAI's transforms of a dictionary with one image and its label."""
    # Imported here, for MONAI takes seconds.
    from monai.transforms.compose import Compose
    from monai.transforms.intensity.dictionary import (
        RandAdjustContrastd,
        RandGaussianNoised,
        RandScaleIntensityd,
        RandShiftIntensityd,
    )
    from monai.transforms.spatial.dictionary import RandAffined, RandFlipd

    both = ("image", "label")
    steps: list[Any] = [RandFlipd(both, prob=0.5, spatial_axis=a) for a in strength.flip_axes]
    if strength.rotation or strength.scaling:
        steps.append(
            RandAffined(
                both,
                prob=1.0,
                rotate_range=[float(np.radians(strength.rotation))] * 3,
                scale_range=[strength.scaling] * 3,
                mode=("bilinear", "nearest"),
                padding_mode="border",
            )
        )
    if strength.gamma:
        gamma = (1 - strength.gamma, 1 + strength.gamma)
        steps.append(RandAdjustContrastd("image", prob=1.0, gamma=gamma, retain_stats=True))
    if strength.contrast:
        steps.append(RandScaleIntensityd("image", prob=1.0, factors=strength.contrast))
    if strength.brightness:
        steps.append(RandShiftIntensityd("image", prob=1.0, offsets=strength.brightness))
    if strength.noise:
        steps.append(RandGaussianNoised("image", prob=1.0, std=strength.noise))
    return Compose(steps)

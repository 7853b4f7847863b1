"""Spatial and intensity augmentation, symmetric and asymmetric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from annotated_types import Ge, Le, Lt
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

from rarelens.components._rare_classes import refuse_empty
from rarelens.components.regularisers._noise import gaussian

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
        images: Tensor,
        labels: Tensor,
        centres: NDArray[np.integer],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
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


@torch.no_grad()
def augment(
    images: Tensor,
    labels: Tensor,
    strength: Strength,
    rng: np.random.Generator,
    chosen: NDArray[np.bool_] | None = None,
) -> tuple[Tensor, Tensor]:
    """Augment the patches of a batch, all at once and on the device that they are on.

    Each patch is mirrored, then rotated and scaled about its middle, linearly interpolated, then
    its gamma, contrast and brightness are changed and noise is added: what MONAI's ``RandFlip``,
    ``RandAffine``, ``RandAdjustContrast`` (``retain_stats``), ``RandScaleIntensity``,
    ``RandShiftIntensity`` and ``RandGaussianNoise`` do one after the other to one patch. What comes
    in over the border repeats the border, in image and labels alike. Every patch has random numbers
    of its own, whatever others are chosen, and they are the same on every device.

    Args:
        images: (B, channels, X, Y, Z), float32.
        labels: class indices (B, X, Y, Z), of magnitudes below 2²⁴; ignored ones stay as they are.
        strength: how much may change.
        rng: of the random numbers.
        chosen: (B,), the patches to augment; None for all.

    Returns:
        Copies of images and labels; patches that are not chosen are as they were.
    """
    changes = drawn(strength, len(images), rng)
    images, labels = images.clone(), labels.clone()
    if chosen is None:
        return changed(images, labels, changes)
    rows = np.flatnonzero(chosen)
    if len(rows):
        at = torch.from_numpy(rows).to(images.device, non_blocking=True)
        own = Changes._make(each[rows] for each in changes)
        images[at], labels[at] = changed(images[at], labels[at], own)
    return images, labels


class Changes(NamedTuple):
    """What B patches undergo.

    Attributes:
        mirrored: (B, 3), along which axes.
        rotation: (B, 3), about each axis, in radians; the first axis's is the outermost.
        scaling: (B, 3), share of the image that is seen along each axis: above 1 it shrinks.
        gamma: (B,), exponent of the intensities, scaled to [0, 1]; mean and deviation stay.
        contrast: (B,), factor of the intensities, less 1.
        brightness: (B,), added to them.
        noise: (B,), standard deviation.
        keys: (B,), int32, of the noise.
    """

    mirrored: NDArray[np.bool_]
    rotation: NDArray[np.float64]
    scaling: NDArray[np.float64]
    gamma: NDArray[np.float64]
    contrast: NDArray[np.float64]
    brightness: NDArray[np.float64]
    noise: NDArray[np.float64]
    keys: NDArray[np.int32]


def drawn(strength: Strength, patches: int, rng: np.random.Generator) -> Changes:
    """Draw changes; as many numbers whatever is switched on."""
    coins = rng.random((patches, 3)) < 0.5
    even = rng.uniform(-1, 1, (patches, 9))
    return Changes(
        mirrored=coins & np.isin(range(3), strength.flip_axes),
        rotation=even[:, :3] * np.radians(strength.rotation),
        scaling=1 + even[:, 3:6] * strength.scaling,
        gamma=1 + even[:, 6] * strength.gamma,
        contrast=even[:, 7] * strength.contrast,
        brightness=even[:, 8] * strength.brightness,
        noise=rng.random(patches) * strength.noise,
        keys=rng.integers(-(2**31), 2**31, patches, dtype=np.int32),
    )


def changed(images: Tensor, labels: Tensor, changes: Changes) -> tuple[Tensor, Tensor]:
    """Images and labels with these changes; those given may be written into."""
    for axis in np.flatnonzero(changes.mirrored.any(0)).tolist():
        coins = torch.from_numpy(changes.mirrored[:, axis]).to(images.device, non_blocking=True)
        coins = coins.view(-1, 1, 1, 1)
        images = images.flip(axis + 2).where(coins[:, None], images)
        labels = labels.flip(axis + 1).where(coins, labels)
    if changes.rotation.any() or (changes.scaling != 1).any():
        grid = _grid(changes, images.shape[2:], images.device)
        images = _sampled(images, grid, "bilinear")
        labels = _sampled(labels[:, None].float(), grid, "nearest")[:, 0].to(labels.dtype)
    return _recoloured(images, changes), labels


def _sampled(values: Tensor, grid: Tensor, mode: str) -> Tensor:
    return grid_sample(values, grid, mode, padding_mode="border", align_corners=False)


def _grid(changes: Changes, shape: Sequence[int], device: torch.device) -> Tensor:
    """Where the value of each voxel comes from, as `grid_sample` takes it: (B, X, Y, Z, 3).

    By sums of products, and no product of matrices: bfloat16 and TensorFloat-32 round those.
    """
    sin, cos = np.sin(changes.rotation), np.cos(changes.rotation)
    matrix = np.eye(3)[None].repeat(len(sin), 0)
    for axis in range(3):
        turn = np.zeros_like(matrix)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[:, axis, axis] = 1
        turn[:, i, i] = turn[:, j, j] = cos[:, axis]
        turn[:, i, j], turn[:, j, i] = -sin[:, axis], sin[:, axis]
        matrix = matrix @ turn
    # From voxels off the middle to shares of the half sides; the last axis is the first there.
    matrix = (matrix * changes.scaling[:, None] * 2 / np.array(shape)[:, None])[:, ::-1]
    factors = torch.from_numpy(matrix.astype(np.float32)).to(device, non_blocking=True)
    x, y, z = (
        (torch.arange(side, device=device) - (side - 1) / 2)[:, None] * factors[:, None, :, axis]
        for axis, side in enumerate(shape)
    )
    return x[:, :, None, None] + y[:, None, :, None] + z[:, None, None]


def _recoloured(images: Tensor, changes: Changes) -> Tensor:
    """Images with other intensities; written into."""
    numbers = np.stack([changes.gamma, 1 + changes.contrast, changes.brightness, changes.noise])
    moved = torch.from_numpy(numbers.astype(np.float32)).to(images.device, non_blocking=True)
    gamma, factor, shift, deviation = moved[..., None]
    values = images.flatten(1)
    if (changes.gamma != 1).any():
        mean = values.mean(1, keepdim=True)
        before = _deviation(values - mean)
        low = values.amin(1, keepdim=True)
        width = values.amax(1, keepdim=True) - low
        values = values.sub_(low).div_(width + 1e-7).pow_(gamma)
        values = values.sub_(values.mean(1, keepdim=True))
        # The same mean and deviation as before, in one step with what follows.
        restored = before * width / (_deviation(values) * width + 1e-8)
        factor, shift = factor * restored, factor * mean + shift
    if (numbers[:3] != [[1], [1], [0]]).any():
        values = values.mul_(factor).add_(shift)
    if changes.noise.any():
        keys = torch.from_numpy(changes.keys).to(images.device, non_blocking=True)
        values = values.addcmul_(gaussian(keys, values.shape[1]), deviation)
    return values.view(images.shape)


def _deviation(centred: Tensor) -> Tensor:
    """Standard deviation of each row; `torch.std` takes ten times as long on a CPU."""
    return centred.square().sum(1, keepdim=True).div(centred.shape[1] - 1).sqrt()

"""nnU-Net trainers with asymmetric mixup and augmentation, and their symmetric controls.

Each has nnU-Net's own sum of cross-entropy and Dice, so that only what its name says differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from torch import Tensor, nn

from rarelens.components.objectives import CompoundLoss, CrossEntropyLoss, FocalDiceLoss
from rarelens.components.regularisers import mix_patches
from rarelens.nnunet.trainers import NOT_COUNTED, RareClasses

Targets = Tensor | list[Tensor]


class CrossEntropyAndDice(RareClasses):
    """nnU-Net's loss, but for the smoothing of Dice, with margins in the log."""

    def objective(self, rare: list[int] | None, ignore_index: int, batch: bool) -> nn.Module:  # noqa: ARG002
        """Cross-entropy and Dice loss, of every class alike."""
        dice = FocalDiceLoss(0.0, batch=batch, ignore_index=ignore_index)
        return CompoundLoss([CrossEntropyLoss(ignore_index), dice])


class nnUNetTrainerAsymmetricMixup(CrossEntropyAndDice):
    """A second pass each step, on the batch mixed with its reverse (Li et al., TMI 2021).

    α = 1, m = 0.2 as of `rarelens.components.regularisers.Mixup`; the gradients of the two passes
    are added, so that memory is that of one. A batch of one patch has no partner.
    """

    alpha, margin = 1.0, 0.2

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """A step on the loader's patches and on their mixtures; the loss of the former."""
        images = batch["data"].to(self.device, non_blocking=True)
        targets = batch["target"]
        if isinstance(targets, list):
            targets = [own.to(self.device, non_blocking=True) for own in targets]
        else:
            targets = targets.to(self.device, non_blocking=True)
        self.optimizer.zero_grad(set_to_none=True)
        value = self._backward(self.loss, images, targets)
        if len(images) > 1:
            # Without the recording: margins are those of real patches.
            self._backward(self.loss.loss, *self.mix(images, targets))
        if self.grad_scaler is not None:
            self.grad_scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)  # As nnU-Net.
        if self.grad_scaler is not None:
            self.grad_scaler.step(self.optimizer)
            self.grad_scaler.update()
        else:
            self.optimizer.step()
        return {"loss": value.cpu().numpy()}

    def mix(self, images: Tensor, targets: Targets) -> tuple[Tensor, Targets]:
        """Mixtures of images (B, channels, *spatial) and of targets at one or several resolutions.

        The rule of the labels is one of voxels, and resolutions are nearest neighbours: so it is
        applied at each, with the same weight.
        """
        several = isinstance(targets, list)
        seed = int(np.random.default_rng().integers(2**63))
        mixtures, found = images, []
        for place, own in enumerate(targets if several else [targets]):
            labels = own[:, 0].long()
            labels = labels.where(labels != self.ignore_index, NOT_COUNTED)
            mixed, target, _ = mix_patches(
                labels[:, None].float() if place else images,  # Of coarse targets there are none.
                labels,
                self.alpha,
                self.margin,
                self.rare_classes if self.asymmetric else None,
                np.random.default_rng(seed),
                classes=self.label_manager.num_segmentation_heads,
            )
            if not place:
                mixtures = mixed
            if self.asymmetric:
                target = target.where(target != NOT_COUNTED, self.ignore_index)[:, None]
            found.append(target)
        return mixtures, found if several else found[0]

    def _backward(self, loss: nn.Module, images: Tensor, targets: Targets) -> Tensor:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            value: Tensor = loss(self.network(images), targets)
        (value if self.grad_scaler is None else self.grad_scaler.scale(value)).backward()
        return value.detach()


class nnUNetTrainerSymmetricMixup(nnUNetTrainerAsymmetricMixup):
    """The same with soft labels of every class (Zhang et al., ICLR 2018)."""

    asymmetric = False


class ByContent:
    """``full`` transforms for a patch in whose centre is a voxel of a rare class, ``plain`` else.

    Args:
        full: called with a sample's ``image`` (channels, *spatial) and ``segmentation``.
        plain: as ``full``.
        rare: label values.
        size: of the centre, which is what the network is given.
    """

    def __init__(
        self,
        full: Callable[..., dict[str, Any]],
        plain: Callable[..., dict[str, Any]],
        rare: Sequence[int],
        size: Sequence[int],
    ) -> None:
        self.full, self.plain, self.rare, self.size = full, plain, torch.tensor(rare), size

    def __call__(self, **sample: Any) -> dict[str, Any]:
        """What the loader calls."""
        labels = sample["segmentation"][0]
        starts = [whole // 2 - own // 2 for whole, own in zip(labels.shape, self.size, strict=True)]
        centre = labels[tuple(slice(s, s + own) for s, own in zip(starts, self.size, strict=True))]
        return (self.full if torch.isin(centre, self.rare).any() else self.plain)(**sample)


class nnUNetTrainerAsymmetricAugmentation(CrossEntropyAndDice):
    """nnU-Net's augmentation for patches with rare voxels; others are cropped and mirrored.

    Mirrored all the same, for nnU-Net's prediction mirrors what it gives to the network.
    """

    def get_training_transforms(self, patch_size: Any, *args: Any, **settings: Any) -> Any:
        """nnU-Net's, by what a patch holds."""
        full = super().get_training_transforms(patch_size, *args, **settings)
        if not self.asymmetric:
            return full
        size = [int(n) for n in patch_size]
        return ByContent(full, without_chance(full), self.rare_classes, size)


class nnUNetTrainerSymmetricAugmentation(nnUNetTrainerAsymmetricAugmentation):
    """nnU-Net's augmentation for every patch: the control."""

    asymmetric = False


def without_chance(transforms: Any) -> Any:
    """nnU-Net's training transforms without rotation, scaling and changes of intensity."""
    kept = [own for own in transforms.transforms if not isinstance(own, RandomTransform)]
    return ComposeTransforms([_still(own) for own in kept])


def _still(transform: Any) -> Any:
    if not isinstance(transform, SpatialTransform):
        return transform
    own = copy(transform)  # Crops to the size of a patch, and no more.
    own.p_rotation = own.p_scaling = own.p_elastic_deform = 0
    return own

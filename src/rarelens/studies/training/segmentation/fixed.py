"""Margins through training, on patches that stay the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from rarelens.measures.histograms import Moments
from rarelens.measures.margins import voxel_margins
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset

# The sampler's stream that they are drawn by; no training takes so many steps.
RESERVED_STEP = 2**32 - 1


class FixedPatches:
    """Patches of one side (training or validation), each placed by a foreground voxel.

    They depend on the cases, the patch and the seed alone: not on the method, not on the step.

    Args:
        data: the prepared dataset.
        cases: of the side.
        patch_size: of the logits, in voxels.
        number: of patches.
        seed: of their draw.
        context: as for `PatchSampler`.
    """

    def __init__(
        self,
        data: PreparedDataset,
        cases: Sequence[str],
        patch_size: Sequence[int],
        number: int,
        seed: int,
        context: int,
    ) -> None:
        sampler = PatchSampler(data, cases, patch_size, number, 1.0, seed, context)
        batch = sampler.batch(RESERVED_STEP)
        middle = slice(context, -context or None)
        self.images = batch.images
        self.labels = batch.labels[:, middle, middle, middle]
        self.classes = len(data.classes)

    @torch.inference_mode()
    def margins(self, network: nn.Module, side: str, at_once: int) -> dict[str, float]:
        """Mean margin and share misclassified of each class c, in evaluation mode.

        The network's mode, its statistics and the random state are left as they were.

        Args:
            network: maps (B, channels, *patch with context) to (B, C, *patch).
            side: for the names.
            at_once: patches computed at once.

        Returns:
            ``margin_<side>_<c>`` in logits and ``misclassified_<side>_<c>`` in [0, 1]; NaN where
            the patches hold no voxel of c. Padding counts as background, as in training.
        """
        found: list[list[np.ndarray]] = [[] for _ in range(self.classes)]
        device = next(network.parameters()).device
        was_training = network.training
        network.eval()
        for start in range(0, len(self.images), at_once):
            part = slice(start, start + at_once)
            images = torch.from_numpy(self.images[part])
            logits = network(images.to(device, memory_format=torch.channels_last_3d))
            flat = logits.float().cpu().numpy().swapaxes(0, 1).reshape(self.classes, -1)
            labels = self.labels[part].ravel()
            for label, margins in enumerate(found):
                margins.append(voxel_margins(flat[:, labels == label], label))
        network.train(was_training)
        sums = [Moments.of(np.concatenate(margins)) for margins in found]
        return {f"margin_{side}_{c}": float(each.mean) for c, each in enumerate(sums)} | {
            f"misclassified_{side}_{c}": float(each.negative_fraction)
            for c, each in enumerate(sums)
        }

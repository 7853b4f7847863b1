"""Training patches, cut from memory-mapped arrays by way of a foreground index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarelens.studies.data.segmentation.prepared import PreparedDataset


@dataclass(frozen=True)
class Batch:
    """Patches of a batch.

    Attributes:
        images: (B, channels, *patch).
        labels: (B, *patch), in the type that they are kept in.
        centres: (B,), the class of the voxel that a patch was placed by, −1 where by none.
        cases: (B,), the cases they are of.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.unsignedinteger]
    centres: NDArray[np.int64]
    cases: tuple[str, ...]


class PatchSampler:
    """Draws a batch of patches as a pure function of the seed and the step.

    So a resumed training sees the same patches, and two methods with one seed see the same too.

    Args:
        data: the prepared dataset.
        cases: those to draw from, each equally likely.
        patch_size: voxels along each axis; a smaller volume is padded with 0 (background).
        batch_size: patches.
        foreground_share: share of patches centred on a foreground voxel, its class drawn first
            and evenly among those that the case has; the others lie anywhere in the volume.
        seed: of all draws.
        foreground_jitter: share of the patch, around its middle, within which that foreground
            voxel lies anywhere: at 0 in the middle, at 1 anywhere in the patch; nearer the edge
            of the volume it lies where the patch still fits.
        context: further voxels on each side, of images and labels alike, for a network that gives
            logits for the middle of what it is given.
    """

    def __init__(
        self,
        data: PreparedDataset,
        cases: Sequence[str],
        patch_size: Sequence[int],
        batch_size: int,
        foreground_share: float,
        seed: int,
        context: int = 0,
        foreground_jitter: float = 0.0,
    ) -> None:
        self.patch_size = tuple(patch_size)
        self.batch_size = batch_size
        self.foreground_share = foreground_share
        self.seed = seed
        self.context = context
        self.foreground_jitter = foreground_jitter
        self.cases = tuple(cases)
        self.channels = len(data.channels)
        self._images = [data.image(case) for case in cases]
        self._labels = [data.label(case) for case in cases]
        self._foreground = [data.foreground(case) for case in cases]
        # Where each class begins in the foreground index of its case.
        counts = [data.table["voxels"][case][1:] for case in cases]
        self._offsets = [np.concatenate([[0], np.cumsum(count)]) for count in counts]

    def batch(self, step: int) -> Batch:
        """The batch of this optimiser step."""
        rng = np.random.default_rng([self.seed, step])
        size = tuple(side + 2 * self.context for side in self.patch_size)
        images = np.empty((self.batch_size, self.channels, *size), np.float32)
        labels = np.empty((self.batch_size, *size), self._labels[0].dtype)
        centres = np.full(self.batch_size, -1, np.int64)
        chosen = rng.integers(len(self.cases), size=self.batch_size)
        # A share between two whole numbers of patches is met on average.
        forced = int(self.foreground_share * self.batch_size + rng.random())
        for i, k in enumerate(chosen):
            start, centres[i] = self._start(rng, k, forced=i < forced)
            cut, paste = _overlap(start - self.context, size, self._labels[k].shape)
            if labels[i][paste].size < labels[i].size:
                images[i], labels[i] = 0, 0
            images[i][(slice(None), *paste)] = self._images[k][(slice(None), *cut)]
            labels[i][paste] = self._labels[k][cut]
        return Batch(images, labels, centres, tuple(self.cases[k] for k in chosen))

    def _start(self, rng: np.random.Generator, k: int, *, forced: bool) -> tuple[NDArray[Any], int]:
        """Where a patch of case ``k`` starts, and the class that it is centred on, or −1."""
        shape, size = np.array(self._labels[k].shape), np.array(self.patch_size)
        room = shape - size
        free, centre = rng.integers(np.maximum(room, 0) + 1), -1
        offsets = self._offsets[k]
        present = np.flatnonzero(np.diff(offsets))
        if forced and len(present):
            which = rng.choice(present)
            centre = int(which) + 1
            flat = self._foreground[k][rng.integers(offsets[which], offsets[which + 1])]
            at = np.unravel_index(flat, shape) - self._place(rng, size)
            free = np.clip(at, 0, np.maximum(room, 0))
        # A volume smaller than the patch lies in its middle; of an odd rest the larger half follows
        # it, as in MONAI's sliding window, or the network meets other borders than it has learnt.
        start: NDArray[Any] = np.where(room < 0, -(-room // 2), free)
        return start, centre

    def _place(self, rng: np.random.Generator, size: NDArray[Any]) -> NDArray[Any]:
        """Where in its patch a forced voxel is to lie; nothing is drawn without jitter."""
        middle: NDArray[Any] = size // 2
        if not self.foreground_jitter:
            return middle
        width = np.maximum(np.rint(self.foreground_jitter * size).astype(int), 1)
        low = middle - width // 2
        place: NDArray[Any] = rng.integers(low, low + width)
        return place


def _overlap(
    start: NDArray[Any], size: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices of the volume, and of the patch, where the two overlap."""
    low = np.maximum(start, 0)
    high = np.minimum(start + size, shape)
    cut = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    paste = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
    return cut, paste

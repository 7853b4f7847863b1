"""Dense inference with a network that gives logits for the middle of what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Box = tuple[slice, ...]


@torch.inference_mode()
def segment_wise(
    network: nn.Module, image: NDArray[Any], tile: Sequence[int], batch: int
) -> NDArray[np.float32]:
    """Logits (C, X, Y, Z) of an image (channels, X, Y, Z), in evaluation mode and float32.

    The volume is laid out from its corner with tiles that do not overlap. Each is computed from
    the image with ``network.context`` more voxels on each side. Around the volume, and where the
    last tile reaches past it, there is 0, as in training: so the tiles keep their size and place,
    and every voxel gets its logits from one tile.

    Args:
        network: maps (B, channels, *tile + 2·context) to (B, C, *tile).
        image: prepared image.
        tile: voxels of logits along each axis.
        batch: tiles computed at once.
    """
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    shape, context = image.shape[1:], int(network.context)  # type: ignore[arg-type]
    corners = list(product(*map(range, [0] * len(shape), shape, tile)))
    padded = torch.from_numpy(_padded(image, tile, context))
    window = [side + 2 * context for side in tile]
    logits: NDArray[np.float32] | None = None
    for first in range(0, len(corners), batch):
        group = corners[first : first + batch]
        segments = torch.stack([padded[_box(corner, window)] for corner in group])
        results = network(segments.to(device)).float().cpu().numpy()
        if logits is None:
            logits = np.empty((results.shape[1], *shape), np.float32)
        for corner, result in zip(group, results, strict=True):
            part = logits[_box(corner, tile)]
            part[...] = result[_box((0,) * len(shape), part.shape[1:])]
    network.train(was_training)
    assert logits is not None
    return logits


def _padded(image: NDArray[Any], tile: Sequence[int], context: int) -> NDArray[np.float32]:
    """The image with 0 around it and up to the end of the last tile."""
    past = (-side % step for side, step in zip(image.shape[1:], tile, strict=True))
    margins = [(0, 0), *((context, context + excess) for excess in past)]
    return np.pad(np.asarray(image, np.float32), margins)


def _box(corner: Sequence[int], size: Sequence[int]) -> Box:
    """All channels of the voxels from ``corner`` on."""
    return (slice(None), *(slice(a, a + n) for a, n in zip(corner, size, strict=True)))

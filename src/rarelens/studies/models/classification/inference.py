"""What a classifier gives for many images, without gradients, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

BATCH = 64


@torch.no_grad()
def outputs(
    network: nn.Module,
    function: Callable[[Tensor], Tensor],
    images: Callable[[Any], NDArray[np.float32]],
    rows: Sequence[int] | NDArray[np.int64],
) -> NDArray[np.float32]:
    """``function`` of all images, in evaluation mode, (N, D).

    Args:
        network: what ``function`` is a part of; the images go to its device.
        function: of images (B, channels, H, W), to (B, D).
        images: gives prepared images (B, channels, H, W) by their rows.
        rows: of the images, at least one.
    """
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    results = []
    for first in range(0, len(rows), BATCH):
        some = torch.from_numpy(images(rows[first : first + BATCH]))
        inputs = some.to(device, memory_format=torch.channels_last)
        results.append(function(inputs).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(results)

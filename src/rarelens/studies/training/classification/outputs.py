"""What a network gives for many images, without gradients, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rarelens.studies.data.classification.prepared import PreparedImages

BATCH = 64


@torch.no_grad()
def outputs(
    network: nn.Module,
    function: Callable[[Tensor], Tensor],
    data: PreparedImages,
    rows: Sequence[int] | NDArray[np.int64],
) -> NDArray[np.float32]:
    """``function`` of the images in these rows, in evaluation mode, (N, D).

    Args:
        network: what ``function`` is a part of; the images go to its device.
        function: of images (B, channels, H, W), to (B, D).
        data: the prepared images.
        rows: of the images, at least one.
    """
    device, was_training = next(network.parameters()).device, network.training
    network.eval()
    results = []
    for first in range(0, len(rows), BATCH):
        images = torch.from_numpy(data.images(rows[first : first + BATCH]))
        inputs = images.to(device, memory_format=torch.channels_last)
        results.append(function(inputs).float().cpu().numpy())
    network.train(was_training)
    return np.concatenate(results)

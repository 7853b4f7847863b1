"""Dense logits of a whole volume, by MONAI's sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers.utils import sliding_window_inference
from numpy.typing import NDArray
from torch import nn

from rarelens.components.contracts import UnpaddedNetwork
from rarelens.components.networks._tiles import segment_wise
from rarelens.studies.models.segmentation.model import OVERLAP, WINDOW_BATCH


@torch.inference_mode()
def dense_logits(
    network: nn.Module,
    image: NDArray[Any],
    window: Sequence[int],
    overlap: float = OVERLAP,
    window_batch: int = WINDOW_BATCH,
) -> NDArray[np.float32]:
    """Logits (C, X, Y, Z) of an image (channels, X, Y, Z), in evaluation mode and float32.

    Windows are weighted by a Gaussian, for a network knows least at their border. A volume
    smaller than the window is padded with 0, as in training. A network without padding is laid out
    in tiles of its own ``inference_patch``, without overlap.

    Args:
        network: maps (B, channels, *window) to (B, C, *window).
        image: prepared image.
        window: voxels along each axis.
        overlap: share of a window that the next one covers again.
        window_batch: windows computed at once.
    """
    if isinstance(network, UnpaddedNetwork):
        return segment_wise(network, image, network.inference_patch, window_batch)
    parameter = next(network.parameters())
    was_training = network.training
    network.eval()
    logits = sliding_window_inference(
        torch.from_numpy(np.array(image, np.float32)).unsqueeze(0).to(parameter.device),
        roi_size=tuple(window),
        sw_batch_size=window_batch,
        predictor=network,
        overlap=overlap,
        mode="gaussian",
    )
    network.train(was_training)
    result: NDArray[np.float32] = logits[0].float().cpu().numpy()
    return result

"""Intensity normalisation, channel by channel: z-score for MR, clip and scale for CT."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.errors import RarelensError
from rarelens.studies.settings.segmentation.datasets import Clip, Intensity, ZScore


def normalise(image: NDArray[np.float32], intensity: tuple[Intensity, ...]) -> NDArray[np.float32]:
    """Normalise an image (C, X, Y, Z) by one setting for all channels, or one for each.

    Raises:
        RarelensError: if there are several settings, but not as many as channels.
    """
    settings = per_channel(intensity, len(image))
    return np.stack(
        [
            _zscore(channel) if isinstance(setting, ZScore) else _clip(channel, setting)
            for channel, setting in zip(image, settings, strict=True)
        ]
    )


def per_channel(intensity: tuple[Intensity, ...], channels: int) -> tuple[Intensity, ...]:
    """The setting of each channel.

    Raises:
        RarelensError: if there are several settings, but not as many as channels.
    """
    if len(intensity) == 1:
        return intensity * channels
    if len(intensity) != channels:
        raise RarelensError(
            f"preprocess.intensity: {len(intensity)} entries for images of {channels} channels; "
            "give one for all channels or one for each"
        )
    return intensity


def _zscore(channel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Zero mean and unit variance of the voxels that are not zero; the others stay 0."""
    result = np.zeros_like(channel)
    mask = channel != 0
    values = channel[mask].astype(np.float64)
    if values.size and values.min() < values.max():
        result[mask] = (values - values.mean()) / values.std()
    return result


def _clip(channel: NDArray[np.float32], setting: Clip) -> NDArray[np.float32]:
    """Clip to the bounds, then scale them to 0 and 1: volumes are padded with 0, as with air."""
    result = np.clip(channel, setting.lower, setting.upper).astype(np.float32)
    result -= setting.lower
    result /= setting.upper - setting.lower
    return result

"""Random changes of training images, the same for all methods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rarelens.studies.settings.classification.stages import TrainClassification

Images = NDArray[np.float32]


def augment(images: Images, settings: TrainClassification, rng: np.random.Generator) -> Images:
    """Mirror, shift, and change contrast and brightness, each image by itself.

    As many numbers are drawn whatever is switched on, so that one change does not alter the
    others.

    Args:
        images: normalised, (B, channels, H, W).
        settings: flips, the largest shift (share of the size) and the largest change of intensity:
            contrast is multiplied by 1 ± ``intensity``, and brightness changed by ± ``intensity``
            standard deviations.
        rng: drawn from.

    Returns:
        New images. What a shift uncovers is 0, the mean intensity.
    """
    flips = rng.random((len(images), 2)) < 0.5
    shifts = rng.uniform(-1, 1, (len(images), 2)) * settings.shift * images.shape[2:]
    scales = rng.uniform(-1, 1, (len(images), 2)).astype(np.float32) * settings.intensity
    flips &= (settings.flip_vertical, settings.flip_horizontal)
    result = np.zeros_like(images)
    whole = np.rint(shifts).astype(int)
    for target, image, (down, right), shift, (contrast, brightness) in zip(
        result, images, flips, whole, scales, strict=True
    ):
        mirrored = image[:, :: -1 if down else 1, :: -1 if right else 1]
        into, out_of = zip(*map(_overlap, shift, images.shape[2:]), strict=True)
        target[:, *into] = mirrored[:, *out_of] * (1 + contrast) + brightness
    return result


def _overlap(shift: int, size: int) -> tuple[slice, slice]:
    """Where the shifted pixels of an axis go, and where they come from."""
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))

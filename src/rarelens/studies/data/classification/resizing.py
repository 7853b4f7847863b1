"""From a picture's own pixels to the prepared ones: where they lie, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rarelens.studies.data.classification.collection import Box
from rarelens.studies.settings.classification.datasets import ImagePreprocess

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True, slots=True)
class Resizing:
    """Where a picture lies among the prepared pixels: prepared = source · scale + offset.

    Attributes:
        width: of the source, pixels.
        height: of the source, pixels.
        columns: of prepared pixels that it covers.
        rows: of prepared pixels that it covers.
        left: prepared pixels to its left (padding).
        top: prepared pixels above it (padding).
    """

    width: int
    height: int
    columns: int
    rows: int
    left: int
    top: int

    @property
    def scale_x(self) -> float:
        """Prepared pixels per source pixel, across."""
        return self.columns / self.width

    @property
    def scale_y(self) -> float:
        """Prepared pixels per source pixel, down."""
        return self.rows / self.height

    def box(self, box: Box, frame: tuple[int, int]) -> Box:
        """A box in the pixels of ``frame`` (width, height), in prepared pixels."""
        scale_x, scale_y = self.columns / frame[0], self.rows / frame[1]
        x, y, width, height = box
        return x * scale_x + self.left, y * scale_y + self.top, width * scale_x, height * scale_y


def plan_resizing(width: int, height: int, settings: ImagePreprocess) -> Resizing:
    """Place a picture: stretched to the prepared size, or centred within it and padded."""
    rows, columns = settings.image_size
    if settings.resize == "stretch":
        return Resizing(width, height, columns, rows, 0, 0)
    scale = min(rows / height, columns / width)
    fit_rows = min(rows, max(1, round(height * scale)))
    fit_columns = min(columns, max(1, round(width * scale)))
    left, top = (columns - fit_columns) // 2, (rows - fit_rows) // 2
    return Resizing(width, height, fit_columns, fit_rows, left, top)


def prepare_pixels(
    picture: NDArray[Any], resizing: Resizing, settings: ImagePreprocess
) -> NDArray[np.unsignedinteger[Any]]:
    """Bring a picture to the prepared size, channels and type; bilinear, antialiased.

    A picture of 32 bits has no full range worth the name: it is always taken from its smallest
    to its largest value. A constant picture taken so becomes 0.

    Args:
        picture: (H, W) or (H, W, 3); uint8, uint16 or float32.
        resizing: of the picture.
        settings: size, channels, intensity and type.

    Returns:
        (channels, H, W) of the prepared size, uint8 or uint16; 0 where it is padded.
    """
    planes = _planes(picture, settings.channels)
    low, high = 0.0, 0.0
    if picture.dtype.kind == "u" and settings.intensity == "full_range":
        high = float(np.iinfo(picture.dtype).max)
    else:
        low = float(min(plane.min() for plane in planes))
        high = float(max(plane.max() for plane in planes))
    prepared = np.zeros((len(planes), *settings.image_size), settings.dtype)
    top = np.iinfo(prepared.dtype).max
    across = slice(resizing.left, resizing.left + resizing.columns)
    down = slice(resizing.top, resizing.top + resizing.rows)
    for channel, plane in zip(prepared, planes, strict=True):
        share = (plane - np.float32(low)) / np.float32(high - low if high > low else 1)
        image = Image.fromarray(share.astype(np.float32))
        resized = image.resize((resizing.columns, resizing.rows), Image.Resampling.BILINEAR)
        channel[down, across] = np.rint(np.clip(np.asarray(resized), 0, 1) * top)
    return prepared


def _planes(picture: NDArray[Any], channels: str) -> list[NDArray[np.float32]]:
    values = picture.astype(np.float32)
    if values.ndim == 2:
        return [values] if channels == "grey" else [values] * 3
    if channels == "grey":
        return [values @ LUMA]
    return [np.ascontiguousarray(values[..., channel]) for channel in range(3)]

"""Boxes, polygons and run lengths: what is wrong with them, and their masks at prepared size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import PICTURE, refuse_larger
from rarelens.studies.data.classification.collection import Box, Region
from rarelens.studies.data.classification.resizing import Resizing

OVERHANG = 1.0
"""A box or polygon may reach so far out of its image, in pixels; it is clipped."""

HALF = 0.5 - 1e-6
"""A prepared pixel belongs to a mask that covers so much of it; a little less than half, for
rounding."""

Mask = NDArray[np.bool_]


def region_problem(region: Region, size: tuple[int, int]) -> str | None:
    """What is wrong with a region of an image of ``size`` (width, height): a sentence's end."""
    frame = region.frame or size
    if region.box is not None:
        problem = _box_problem(region.box, frame)
        if problem:
            return problem
    if isinstance(region.outline, dict):
        return _run_length_problem(region.outline, frame)
    if region.outline is not None:
        return _polygon_problem(region.outline, frame)
    return None


def resize_region(region: Region, size: tuple[int, int], resizing: Resizing) -> tuple[Box, Mask]:
    """The bounding box and the mask of a faultless region, among the prepared pixels.

    A pixel belongs to the mask if at least half of it lies in the region; where no pixel does,
    the one that has most of it.

    Args:
        region: of an image.
        size: (rows, columns) of prepared pixels.
        resizing: of the image.

    Returns:
        Box (x, y, width, height) and mask (rows, columns).
    """
    frame = region.frame or (resizing.width, resizing.height)
    box, inside = _within(region, frame)
    x, y, width, height = resizing.box(box, frame)
    if inside is None:
        across = _coverage(size[1], np.array([x, x + width]))
        down = _coverage(size[0], np.array([y, y + height]))
        covered = down @ across.T
    else:
        # Only the rows and columns that hold any of it, for speed.
        left, top = int(box[0]), int(box[1])
        inside = inside[top : top + int(box[3]), left : left + int(box[2])]
        across = _coverage(size[1], np.linspace(x, x + width, inside.shape[1] + 1))
        down = _coverage(size[0], np.linspace(y, y + height, inside.shape[0] + 1))
        covered = down @ inside.astype(np.float64) @ across.T
    mask: Mask = covered >= HALF
    if not mask.any():
        mask.flat[int(np.argmax(covered))] = True
    return (x, y, width, height), mask


def outline_area(outline: dict[str, Any]) -> int:
    """Pixels inside run lengths that are known to be faultless."""
    return int(coco_mask.area(_compressed(outline)))


def run_length_problem(outline: dict[str, Any]) -> str | None:
    """Say what is wrong with COCO run lengths, as the end of a sentence.

    Their sum is checked here, for pycocotools leaves what they do not cover undefined.
    """
    try:
        height, width = map(_whole, outline["size"])
        counts = outline["counts"]
        lengths = run_lengths(counts) if isinstance(counts, str) else list(map(_whole, counts))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        return "its run lengths are no COCO RLE (size and counts); write them anew"
    if min(height, width) < 1 or min(lengths, default=0) < 0 or sum(lengths) != height * width:
        return (
            f"its run lengths cover {sum(lengths)} pixels, not {width} × {height}; write them anew"
        )
    try:
        refuse_larger(height * width, PICTURE, "its mask")
    except RarelensError as error:
        return str(error)
    return None


def _whole(number: Any) -> int:
    if int(number) != number:
        raise ValueError(f"{number} is no whole number")
    return int(number)


def run_lengths(counts: str) -> list[int]:
    """Run lengths from COCO's compressed text.

    Each number is written in groups of 5 bits, the lowest first, 32 added while more follow and
    48 to make them readable; from the fourth number on as difference to the one before last
    (format: pycocotools, ``rleToString``).

    Raises:
        ValueError: if the text is no such numbers.
    """
    lengths: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"{character!r} in run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if shift > 60:
            raise ValueError("a run length without end")
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("run lengths end within a number")
    return lengths


def _box_problem(box: Box, frame: tuple[int, int]) -> str | None:
    x, y, width, height = box
    shown = "[" + ", ".join(f"{value:g}" for value in box) + "]"
    if not all(math.isfinite(value) for value in box):
        return f"box {shown} holds values that are no numbers; correct it"
    if width <= 0 or height <= 0:
        return f"box {shown} has no area; correct or remove it"
    low, right, bottom = min(x, y), x + width - frame[0], y + height - frame[1]
    clipped = _clipped(box, frame)
    if max(-low, right, bottom) > OVERHANG + 1e-6 or min(clipped[2:]) <= 0:
        whole = min(clipped[2:]) <= 0
        return (
            f"box {shown} lies {'wholly' if whole else 'partly'} outside the image of "
            f"{frame[0]} × {frame[1]} pixels; correct it"
        )
    return None


def _polygon_problem(polygons: Any, frame: tuple[int, int]) -> str | None:
    for polygon in polygons if isinstance(polygons, list | tuple) else [None]:
        points = _points(polygon)
        if points is None:
            return "its outline is no list of polygons [x0, y0, x1, y1, x2, y2, …]; correct it"
        low, high = points.min(axis=0), points.max(axis=0)
        if min(low) < -OVERHANG - 1e-6 or max(high - frame) > OVERHANG + 1e-6:
            return f"a polygon lies outside the image of {frame[0]} × {frame[1]} pixels; correct it"
        x, y = np.clip(points, 0, frame).T
        if abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) < 1e-9:
            return "a polygon has no area; correct or remove it"
    return None


def _run_length_problem(outline: dict[str, Any], frame: tuple[int, int]) -> str | None:
    problem = run_length_problem(outline)
    if problem:
        return problem
    height, width = outline["size"]
    if (width, height) != tuple(frame):
        return (
            f"its mask is of {width} × {height} pixels, the image of {frame[0]} × {frame[1]}; "
            "give both one size"
        )
    if not outline_area(outline):
        return "its mask is empty; correct or remove it"
    return None


def _points(polygon: Any) -> NDArray[np.float64] | None:
    """Corners (n, 2) of a polygon; None if it is none."""
    try:
        values = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    if values.ndim != 1 or len(values) < 6 or len(values) % 2 or not np.isfinite(values).all():
        return None
    return values.reshape(-1, 2)


def _within(region: Region, frame: tuple[int, int]) -> tuple[Box, Mask | None]:
    """Bounding box within the frame, and the mask (rows, columns) unless the box is the region."""
    if region.outline is None:
        assert region.box is not None
        return _clipped(region.box, frame), None
    if isinstance(region.outline, dict):
        found = _compressed(region.outline)
    else:
        corners = [np.clip(np.reshape(p, (-1, 2)), 0, frame) for p in region.outline]
        polygons = [points.ravel().tolist() for points in corners]
        found = coco_mask.merge(coco_mask.frPyObjects(polygons, frame[1], frame[0]))
        if not coco_mask.area(found):
            # Smaller than a pixel: its bounding box stands for it.
            points = np.concatenate(corners)
            (x, y), (width, height) = points.min(axis=0).tolist(), np.ptp(points, axis=0).tolist()
            return (x, y, width, height), None
    x, y, width, height = (float(value) for value in coco_mask.toBbox(found))
    return (x, y, width, height), coco_mask.decode(found).astype(bool)


def _compressed(outline: dict[str, Any]) -> Any:
    height, width = outline["size"]
    if isinstance(outline["counts"], str):
        return {"size": [height, width], "counts": outline["counts"].encode("ascii")}
    return coco_mask.frPyObjects({**outline, "size": [height, width]}, height, width)


def _clipped(box: Box, frame: tuple[int, int]) -> Box:
    x, y, width, height = box
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + width, frame[0]), min(y + height, frame[1])
    return left, top, right - left, bottom - top


def _coverage(pixels: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each prepared pixel (rows) that lies between neighbouring edges (columns)."""
    at = np.arange(pixels, dtype=np.float64)[:, None]
    shared: NDArray[np.float64] = np.minimum(at + 1, edges[1:]) - np.maximum(at, edges[:-1])
    return np.maximum(shared, 0.0)

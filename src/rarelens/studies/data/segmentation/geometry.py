"""Orientation, spacing and crop: from a case's own grid to the prepared one, and back.

Voxel centres are the points of a grid; its field of view reaches half a voxel further. All steps
keep to the case's own, possibly oblique, axes, so each is separable: a permutation, a flip, a
scaling and a shift along axes. The way back is therefore exact wherever no resampling took place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.special import softmax

from rarelens.studies.data.segmentation.collection import Affine, Labels, label_type

Shape = tuple[int, ...]
Box = tuple[slice, ...]
Volume = NDArray[np.float32]

SAME_GRID = 1e-3
"""Displacement, in voxels, below which two grids count as the same and nothing is resampled."""

_ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}


@dataclass(frozen=True)
class AxisMap:
    """Target voxel ``i`` along each axis lies at ``scale * i + offset`` of the source's voxels."""

    shape: Shape
    scale: tuple[float, ...]
    offset: tuple[float, ...]

    def index_only(self, source: Shape) -> bool:
        """Whether the target is the very grid of the source, of that shape."""
        ends = (
            max(abs(offset), abs(scale * (n - 1) + offset - (n - 1)))
            for n, scale, offset in zip(self.shape, self.scale, self.offset, strict=True)
        )
        return self.shape == source and max(ends) < SAME_GRID

    def apply(self, volume: Volume, interpolation: str) -> Volume:
        """Interpolate a volume (X, Y, Z); beyond its outermost centres it goes on unchanged."""
        if self.index_only(volume.shape):
            return volume
        result: Volume = affine_transform(
            volume,
            np.array(self.scale),  # a diagonal: scipy's separable, fast way
            np.array(self.offset),
            output_shape=self.shape,
            order=_ORDERS[interpolation],
            mode="nearest",
        )
        return result


def canonical(array: NDArray[Any], affine: Affine) -> tuple[NDArray[Any], Affine]:
    """Reorder and flip the last three axes to the closest RAS+ orientation.

    Args:
        array: (..., X, Y, Z).
        affine: (4, 4).
    """
    orientation = nib.io_orientation(affine)
    moved = nib.apply_orientation(np.moveaxis(array, (-3, -2, -1), (0, 1, 2)), orientation)
    shape = array.shape[-3:]
    return (
        np.moveaxis(moved, (0, 1, 2), (-3, -2, -1)),
        affine @ nib.orientations.inv_ornt_aff(orientation, shape),
    )


def foreground_box(image: NDArray[Any], margin: int) -> Box:
    """The box of voxels that are not zero in any channel, widened by ``margin`` voxels.

    Args:
        image: (C, X, Y, Z). An image that is zero throughout is its own box.
        margin: voxels on each side, as far as the image reaches.
    """
    mask = (image != 0).any(axis=0)
    if not mask.any():
        mask[...] = True

    def extent(axis: int) -> slice:
        others = tuple(other for other in range(3) if other != axis)
        inside = np.flatnonzero(mask.any(axis=others))
        return slice(max(0, int(inside[0]) - margin), int(inside[-1]) + 1 + margin)

    return tuple(map(extent, range(3)))


def crop_affine(affine: Affine, box: Box) -> Affine:
    """The affine of the part of a grid that lies in ``box``."""
    moved = affine.copy()
    moved[:3, 3] += affine[:3, :3] @ [side.start for side in box]
    return moved


def to_spacing(
    shape: Shape, affine: Affine, spacing: tuple[float, float, float]
) -> tuple[AxisMap, Affine]:
    """The grid of that spacing (mm) along the same axes, about the same centre.

    It has as many voxels as it takes to cover the field of view; a grid that has the spacing
    already stays as it is.

    Returns:
        The map from the new grid to the old, and the new grid's affine.
    """
    scale = np.array(spacing) / voxel_sizes(affine)
    old = np.array(shape)
    new = np.maximum(1, np.ceil(old / scale - SAME_GRID)).astype(int)
    offset = (old - 1) / 2 - scale * (new - 1) / 2
    axes = AxisMap(*(tuple(value.tolist()) for value in (new, scale, offset)))
    if axes.index_only(shape):
        return axes, affine
    moved = affine.copy()
    moved[:3, :3] *= scale
    moved[:3, 3] += affine[:3, :3] @ offset
    return axes, moved


def resample_labels(
    labels: Labels, axes: AxisMap, interpolation: Literal["nearest", "linear"]
) -> Labels:
    """Resample a label map: by the nearest voxel, or each class linearly and the largest taken."""
    if axes.index_only(labels.shape):
        return labels
    if interpolation == "nearest":
        return axes.apply(labels.astype(np.float32), "nearest").astype(labels.dtype)
    values = np.unique(labels)
    shares = (axes.apply((labels == value).astype(np.float32), "linear") for value in values)
    return values[_largest(shares)].astype(labels.dtype)


def restore_labels(
    logits: NDArray[Any], affine: Affine, source_shape: Shape, source_affine: Affine
) -> Labels:
    """Label map on a case's own grid from logits on its prepared grid.

    Each class's logits are interpolated linearly, then the largest decides (the first, if
    equal). Voxels outside the prepared field of view are background.

    Args:
        logits: (C, X, Y, Z).
        affine: (4, 4) of the prepared grid.
        source_shape: voxels along the case's own axes.
        source_affine: (4, 4) of the case's own grid.

    Raises:
        ValueError: if the two grids do not have the same axes, but for order and direction.
    """
    nowhere = np.zeros(source_shape, np.bool_)
    return restore_labels_and_logits(logits, affine, source_shape, source_affine, nowhere)[0]


def restore_labels_and_logits(
    logits: NDArray[Any],
    affine: Affine,
    source_shape: Shape,
    source_affine: Affine,
    at: NDArray[np.bool_],
) -> tuple[Labels, Volume]:
    """The label map of `restore_labels`, and the logits that decided it at some voxels.

    Args:
        logits: (C, X, Y, Z).
        affine: (4, 4) of the prepared grid.
        source_shape: voxels along the case's own axes.
        source_affine: (4, 4) of the case's own grid.
        at: mask of n voxels of the case's own grid.

    Returns:
        Labels, and logits (C, n), NaN outside the prepared field of view.
    """
    labels = np.zeros(source_shape, dtype=label_type(len(logits)))
    inside, volumes = _restored(logits, affine, source_shape, source_affine)
    chosen: list[Volume] = []

    def seen() -> Iterator[Volume]:
        for volume in volumes:
            chosen.append(volume[at[inside]])
            yield volume

    labels[inside] = _largest(seen())
    covered = np.zeros(source_shape, np.bool_)
    covered[inside] = True
    values = np.full((len(logits), int(at.sum())), np.nan, np.float32)
    values[:, covered[at]] = chosen
    return labels, values


def restore_probabilities(
    logits: NDArray[Any], affine: Affine, source_shape: Shape, source_affine: Affine
) -> NDArray[np.float32]:
    """Probabilities (C, *source_shape) on a case's own grid, summing to 1; see `restore_labels`.

    They are the softmax of the same interpolated logits, so that the largest is the label map's
    class (but where rounding makes two alike); outside the prepared field of view the background
    has all.
    """
    result = np.zeros((len(logits), *source_shape), np.float32)
    result[0] = 1
    inside, volumes = _restored(logits, affine, source_shape, source_affine)
    result[(slice(None), *inside)] = softmax(np.stack(list(volumes)), axis=0)
    return result


def _restored(
    logits: NDArray[Any], affine: Affine, source_shape: Shape, source_affine: Affine
) -> tuple[Box, Iterator[Volume]]:
    """The box of the own grid that lies in the prepared one, and each class's logits in it."""
    own = np.linalg.inv(affine) @ source_affine  # own voxel index -> prepared voxel index
    order = np.abs(own[:3, :3]).argmax(axis=0)  # the prepared axis of each own axis
    scale = own[order, range(3)]
    if sorted(order) != [0, 1, 2] or np.abs(own[:3, :3]).sum() - np.abs(scale).sum() > SAME_GRID:
        raise ValueError(f"grids with different axes:\n{affine}\n{source_affine}")
    flips = tuple(slice(None, None, 1 if step > 0 else -1) for step in scale)
    sizes = np.array(logits.shape[1:])[order]
    offset = np.where(scale > 0, own[order, 3], sizes - 1 - own[order, 3])
    inside, axes = _within(source_shape, sizes, np.abs(scale), offset)

    def interpolated(volume: NDArray[Any]) -> Volume:
        view = volume.transpose(order)[flips]
        if _whole(axes):
            return view[_shifted(axes)].astype(np.float32, copy=False)
        return axes.apply(view.astype(np.float32, copy=False), "linear")

    return inside, map(interpolated, logits)


def _within(
    shape: Shape, sizes: NDArray[Any], scale: NDArray[Any], offset: NDArray[Any]
) -> tuple[Box, AxisMap]:
    """The box of a grid that lies in another's field of view, and its map to the other."""
    # With a slack, lest rounding drop a voxel whose centre is on the edge.
    first = np.maximum(0, np.ceil((-0.5 - SAME_GRID - offset) / scale)).astype(int)
    last = np.minimum(
        np.array(shape) - 1, np.floor((sizes - 0.5 + SAME_GRID - offset) / scale)
    ).astype(int)
    extent = np.maximum(0, last - first + 1)
    box = tuple(slice(a, a + n) for a, n in zip(first.tolist(), extent.tolist(), strict=True))
    moved = offset + scale * first
    return box, AxisMap(*(tuple(value.tolist()) for value in (extent, scale, moved)))


def _whole(axes: AxisMap) -> bool:
    """Whether every target voxel is a source voxel."""
    shape, scale, offset = (np.array(value) for value in (axes.shape, axes.scale, axes.offset))
    drift = np.abs(scale - 1) * shape + np.abs(offset - offset.round())
    return bool((drift < SAME_GRID).all())


def _shifted(axes: AxisMap) -> Box:
    starts = [round(offset) for offset in axes.offset]
    return tuple(slice(start, start + n) for start, n in zip(starts, axes.shape, strict=True))


def _largest(volumes: Iterable[Volume]) -> NDArray[np.uint16]:
    """Index of the largest volume at each voxel, the first if equal; one in memory at a time."""
    remaining = iter(volumes)
    best = np.array(next(remaining))
    index = np.zeros(best.shape, dtype=np.uint16)
    for number, volume in enumerate(remaining, start=1):
        np.copyto(index, number, where=volume > best)
        np.maximum(best, volume, out=best)
    return index

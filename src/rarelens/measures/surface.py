"""Distances between the surfaces of two masks, in mm, by MONAI.

The surface of a mask is its voxels with a face outside it or on the edge of the volume.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class SurfaceMeasures(NamedTuple):
    """``hd95`` and ``assd`` in mm, ``surface_dice`` in [0, 1]."""

    hd95: float
    assd: float
    surface_dice: float


def surface_measures(
    predicted: Mask, truth: Mask, spacing: tuple[float, ...], tolerance: float
) -> SurfaceMeasures:
    """Compare two masks' surfaces; neither may be empty.

    ``hd95`` is the larger of the two directed 95th percentiles, ``assd`` the mean over the
    surface voxels of both, ``surface_dice`` the share of them that lie within ``tolerance`` of
    the other surface (Nikolov et al., JMIR 2021, with voxels counted rather than areas).

    Args:
        predicted: (X, Y, Z); for speed, cropped to what the two masks cover.
        truth: (X, Y, Z), cropped alike.
        spacing: voxel size, mm.
        tolerance: mm.
    """
    from monai.metrics.utils import get_mask_edges, get_surface_distance

    edges = get_mask_edges(predicted, truth, crop=False)
    to_truth, to_predicted = (
        np.asarray(get_surface_distance(a, b, spacing=spacing), dtype=np.float64)
        for a, b in (edges, edges[::-1])
    )
    both = np.concatenate([to_truth, to_predicted])
    return SurfaceMeasures(
        hd95=float(max(np.percentile(to_truth, 95), np.percentile(to_predicted, 95))),
        assd=float(both.mean()),
        # MONAI's distances are float32: 1 mm must lie within a tolerance of 1 mm.
        surface_dice=float((both <= tolerance * (1 + 1e-6)).mean()),
    )

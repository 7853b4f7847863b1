"""Do salient features lie where the pathology is? Measures of a saliency map against a mask.

All take a map A of shape (H, W), or a batch (N, H, W), already at image size with values in
[0, 1] (`resize`, then `normalise`), and the mask M of the same shape; they return a number, or
(N,). Where M has no pixel nothing can be aligned with it: NaN.

`align` gives all of them at once, of binary maps, too. Beside them stand those of maps that know
nothing: `centre_prior` and `uniform`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rarelens.measures.arrays import ratio

Floats = NDArray[np.float64]

HEAT_LEVELS = np.linspace(0.0, 1.0, 11)
# Masks that are compared with one map at once; memory holds no more.
SHARED = 64
CENTRE_SPREAD = 0.25
"""Standard deviation of the centre prior, as a share of each side."""


def normalise(maps: ArrayLike) -> Floats:
    """Stretch each map to [0, 1] by its smallest and largest value.

    A constant positive map becomes 1 everywhere (it points at all of the image), any other
    constant map 0.

    Args:
        maps: (..., H, W).

    Examples:
        >>> normalise([[1.0, 3.0], [2.0, 1.0]])
        array([[0. , 1. ],
               [0.5, 0. ]])
    """
    values = np.asarray(maps, dtype=np.float64)
    low, high = (extreme(values, axis=(-2, -1), keepdims=True) for extreme in (np.min, np.max))
    spread = high - low
    stretched = np.broadcast_to((high > 0).astype(np.float64), values.shape).copy()
    np.divide(values - low, spread, out=stretched, where=spread > 0)
    return stretched


def pointing_game(saliency: ArrayLike, mask: ArrayLike) -> Any:
    """Hit (1) if the map's maximum lies inside the mask (Zhang et al., ECCV 2016).

    Several maxima count as the share of them that hit, the expected hit if one of them were
    drawn. So a constant map, also one of zeros, scores the mask's share of the image.

    Examples:
        >>> pointing_game([[0.0, 1.0], [1.0, 0.0]], [[False, True], [False, False]])
        0.5
    """
    values, inside = _pair(saliency, mask)
    highest = values == values.max(axis=(-2, -1), keepdims=True)
    return _defined(_sum(highest & inside) / _sum(highest), inside)


def energy_inside(saliency: ArrayLike, mask: ArrayLike) -> Any:
    """ΣA·M / ΣA, the share of the heat that lies inside the mask (IoR); 0 where there is none.

    Examples:
        >>> energy_inside([[0.5, 1.0], [0.5, 0.0]], [[False, True], [False, False]])
        0.5
    """
    values, inside = _pair(saliency, mask)
    return _defined(ratio(_sum(values * inside), _sum(values), 0), inside)


def iobb(saliency: ArrayLike, mask: ArrayLike) -> Any:
    """ΣA·M / ΣM, the share of the mask that is covered (Wang et al., CVPR 2017).

    Examples:
        >>> iobb([[0.5, 1.0], [0.5, 0.0]], [[True, True], [False, False]])
        0.75
    """
    values, inside = _pair(saliency, mask)
    return _defined(ratio(_sum(values * inside), _sum(inside), 0), inside)


def soft_iou(saliency: ArrayLike, mask: ArrayLike) -> Any:
    """ΣA·M / (ΣA + ΣM − ΣA·M), the intersection over union of a map of shares.

    Examples:
        >>> soft_iou([[0.5, 1.0], [0.5, 0.0]], [[True, True], [False, False]])
        0.6
    """
    values, inside = _pair(saliency, mask)
    both = _sum(values * inside)
    return _defined(ratio(both, _sum(values) + _sum(inside) - both, 0), inside)


def effective_heat_ratio(saliency: ArrayLike, mask: ArrayLike) -> Any:
    """Area under the share of the remaining heat that lies inside the mask, as heat is cut off.

    At level u the pixels with A ≥ t(u) remain, t(u) being the u-quantile of the map's positive
    values (a value of the map: numpy's ``inverted_cdf``). E(u) = Σ A·M / Σ A over them, for u
    from 0 (all the heat: `energy_inside`) to 1 (the maximum: `pointing_game`) in steps of 0.1,
    integrated by the trapezoid rule. A map without heat scores 0, a uniform one the mask's share
    of the image. After Zhang et al., NeurIPS 2021 (Input IBA), whose code divides by the number
    of the remaining pixels instead of their heat, and drops values below 0.1 beforehand.

    Examples:
        >>> effective_heat_ratio([[1.0, 0.5], [0.0, 0.0]], [[True, False], [False, False]])
        0.8166666666666667
    """
    values, inside = _pair(saliency, mask)
    shape = values.shape[:-2]
    flat = values.reshape(-1, values.shape[-2] * values.shape[-1])
    masks = inside.reshape(flat.shape)
    # One map, broadcast to all masks, is sorted once for some of them.
    step = SHARED if flat.strides[0] == 0 else 1
    ratios = [_heat_ratio(flat[n], masks[n : n + step]) for n in range(0, len(flat), step)]
    return _defined(np.concatenate([np.empty(0), *ratios]).reshape(shape), inside)


def align(saliency: ArrayLike, mask: ArrayLike, thresholds: Sequence[float]) -> dict[str, Any]:
    """Every measure of a map or a batch by name.

    "<name>@<threshold>" is that of the binary map [A > threshold] instead of A.

    Examples:
        >>> align([[0.5, 1.0], [0.6, 0.0]], [[True, True], [False, False]], [0.5])["iou@0.5"]
        0.3333333333333333
    """
    soft = (pointing_game, energy_inside, soft_iou, iobb, effective_heat_ratio)
    binary = {"iou": soft_iou, "energy_inside": energy_inside, "iobb": iobb}
    found = {measure.__name__: measure(saliency, mask) for measure in soft}
    for threshold in thresholds:
        for name, measure in binary.items():
            found[f"{name}@{threshold:g}"] = measure(np.asarray(saliency) > threshold, mask)
    return found


def centre_prior(size: Sequence[int]) -> NDArray[np.float64]:
    """A Gaussian at the image's centre, σ a quarter of each side, stretched to [0, 1].

    Pathologies lie near the centre more often than not; a map has learnt something where it does
    better than this.

    Examples:
        >>> centre_prior((3, 3)).round(2)
        array([[0.  , 0.29, 0.  ],
               [0.29, 1.  , 0.29],
               [0.  , 0.29, 0.  ]])
    """
    axes = ((np.arange(side) + 0.5) / side - 0.5 for side in size)
    rows, columns = (np.exp(-0.5 * (axis / CENTRE_SPREAD) ** 2) for axis in axes)
    return normalise(rows[:, None] * columns)


def uniform(size: Sequence[int]) -> NDArray[np.float64]:
    """The map that is 1 everywhere: its measures are the mask's share of the image, `iobb` 1."""
    return np.ones(tuple(size))


def _heat_ratio(values: Floats, inside: NDArray[np.bool_]) -> Floats:
    """`effective_heat_ratio` of one flat map (P,) for each of the masks (N, P)."""
    warm = values > 0
    heat, within = values[warm], inside[:, warm]
    if heat.size == 0:
        return np.zeros(len(inside))
    order = np.argsort(heat, kind="stable")
    heat, within = heat[order], within[:, order]
    # Where numpy's `inverted_cdf` finds the quantiles of what is sorted already.
    levels = heat[np.ceil(heat.size * HEAT_LEVELS - 1).clip(0).astype(int)]
    first = np.searchsorted(heat, levels, side="left")
    # Sums from the hottest pixel down, so that those at or above a level end at its first one.
    total, hits = (
        np.cumsum(part[..., ::-1], axis=-1)[..., ::-1][..., first] for part in (heat, heat * within)
    )
    # Rows, so that numpy sums each in the same order for one mask and for many.
    share = np.ascontiguousarray(hits / total)
    return np.asarray(np.trapezoid(share, HEAT_LEVELS), dtype=np.float64)


def _pair(saliency: ArrayLike, mask: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    values, inside = np.asarray(saliency, dtype=np.float64), np.asarray(mask, dtype=np.bool_)
    if values.shape != inside.shape or values.ndim < 2:
        raise ValueError(
            f"a map of shape {values.shape} needs a mask of its shape (..., H, W), "
            f"not {inside.shape}"
        )
    if not (values.min(initial=0.0) >= 0 and values.max(initial=0.0) <= 1):
        raise ValueError("a saliency map has values outside [0, 1]; normalise it first")
    return values, inside


def _sum(values: NDArray[Any]) -> Floats:
    return np.asarray(values.sum(axis=(-2, -1), dtype=np.float64))


def _defined(values: Floats, inside: NDArray[np.bool_]) -> Any:
    """NaN where the mask is empty; a plain number for a single map."""
    result = np.where(inside.any(axis=(-2, -1)), values, np.nan)
    return result if result.ndim else float(result)

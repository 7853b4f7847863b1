"""Network dissection: which units of a layer respond to which pathology (Bau et al., CVPR 2017).

A unit is a channel, a concept the region of a finding. Everything counted is a whole number of
pixels, so the result does not depend on the size or order of batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.measures.arrays import ratio
from rarelens.measures.dissection.mask_permutation import (
    ActiveImages,
    Concepts,
    MaskColumns,
    Masks,
    circles,
    shared_pixels,
)
from rarelens.measures.dissection.max_statistic import corrected_p
from rarelens.measures.dissection.pixels_above import Grid
from rarelens.measures.dissection.unit_blocks import (
    UnitBlock,
    native_thresholds,
    upsampled_thresholds,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Dissection:
    """What K units have in common with C concepts; arrays (K,) or (K, C).

    Attributes:
        thresholds: T_k, the (1 − q) quantile of a unit's activations.
        coverage: q̂_k, the share of pixels above it after upsampling.
        iou: Σ|M_k ∩ L_c| / Σ|M_k ∪ L_c| over images; 0 where there is neither.
        ceiling: the highest IoU possible, min(q̂_k, m_c)/max(q̂_k, m_c) with m_c the concept's
            share of all pixels.
        null: quantile ``null_level`` of the IoU when patients exchange their masks, the least IoU
            that at least this share of exchanges does not exceed; NaN without any.
        p: (1 + number of exchanges with an IoU at least as large)/(1 + exchanges); or NaN.
        p_corrected: of IoU/ceiling, over all units and concepts (`max_statistic.corrected_p`).
        detected: the concept with the highest IoU where that is above ``iou_threshold``, else −1.
        dead: T_k = 0. The other fields hold for dead units too.
        iou_threshold: of the published rule.
        ceiling_share: of the rule beside it.
        null_level: 1 − the chance of any detection beyond the null where there is nothing.
    """

    thresholds: Floats
    coverage: Floats
    iou: Floats
    ceiling: Floats
    null: Floats
    p: Floats
    p_corrected: Floats
    detected: NDArray[np.int64]
    dead: Flags
    iou_threshold: float
    ceiling_share: float
    null_level: float

    @property
    def iou_over_ceiling(self) -> Floats:
        """Share of what the areas allow, (K, C); NaN where that is nothing."""
        return ratio(self.iou, self.ceiling)

    @property
    def detects(self) -> Flags:
        """The published rule, (K, C): at most one concept a unit."""
        return np.equal(self.detected[:, None], np.arange(self.iou.shape[1]))

    @property
    def detects_beyond_null(self) -> Flags:
        """IoU/ceiling above ``ceiling_share`` and corrected p at most 1 − ``null_level``, (K, C).

        Each concept for itself, so that a large one does not hide a small one. The chance of any
        such pair among units that know nothing is at most 1 − ``null_level``.
        """
        share = np.nan_to_num(self.iou_over_ceiling, nan=0.0)
        # 1 − 0.9 is a little less than 0.1.
        return (share > self.ceiling_share) & (self.p_corrected <= 1 - self.null_level + 1e-9)

    def table(self) -> pd.DataFrame:
        """One row per unit and class, in this order."""
        units, classes = self.iou.shape
        by_unit = {
            "threshold": self.thresholds,
            "coverage": self.coverage,
            "dead": self.dead,
        }
        by_pair = {
            "iou": self.iou,
            "ceiling": self.ceiling,
            "iou_over_ceiling": self.iou_over_ceiling,
            "null": self.null,
            "p": self.p,
            "p_corrected": self.p_corrected,
            "detects": self.detects,
            "detects_beyond_null": self.detects_beyond_null,
        }
        index = {
            "unit": np.repeat(np.arange(units), classes),
            "class": np.tile(np.arange(classes), units),
        }
        pairs = {name: values.ravel() for name, values in by_pair.items()}
        repeated = {name: np.repeat(values, classes) for name, values in by_unit.items()}
        return pd.DataFrame(index | pairs | repeated)


def dissect(
    activations: NDArray[Any],
    masks: NDArray[np.bool_] | Masks,
    quantile: float = 0.005,
    iou_threshold: float = 0.04,
    *,
    groups: Sequence[Any] | NDArray[Any] | None = None,
    maps: Literal["native", "upsampled"] = "native",
    permutations: int = 0,
    null_level: float = 0.95,
    ceiling_share: float = 0.25,
    exact_quantile_values: int = 100_000_000,
    chunk: int = 2**27,
    seed: int = 0,
) -> Dissection:
    """Compare each unit's most active pixels with each concept's region.

    M_k(x) = up(a_k(x)) > T_k, strict, where T_k is the (1 − ``quantile``) quantile (numpy's
    default) of unit k over all images and positions, and up is linear, to the masks' size.

    Args:
        activations: (N, K, *grid), float16 or float32; may be memory-mapped. Grids of any
            dimension, so units of 2-D and 3-D networks alike.
        masks: (N, C, *size) bool; or a function that gives those of an array of image numbers.
            Concepts may overlap, and be absent from images.
        quantile: q.
        iou_threshold: above which a unit detects the concept of its highest IoU.
        groups: (N,) the patient of each image, whose masks move together; each image one of its
            own if None.
        maps: take T_k over native or over upsampled activations.
        permutations: exchanges of masks between patients, the same for all units. Fewer than
            1/(1 − ``null_level``) − 1 (19 for .95) cannot find anything beyond the null. As many
            IoUs of all units and concepts are held in memory.
        null_level: the quantile of their IoUs that is reported, and the level of
            `Dissection.detects_beyond_null`.
        ceiling_share: of IoU/ceiling, for `Dissection.detects_beyond_null`.
        exact_quantile_values: as many activations of a unit are sorted in memory; more are
            counted in two passes (`quantiles.counted_quantiles`), with the same result.
        chunk: values held at once; it changes time and memory, not the result.
        seed: of the exchanges, which do not depend on the order of images either.

    Raises:
        ValueError: if the number of images differs, or an activation is not a finite number.

    Examples:
        >>> activations = np.zeros((2, 1, 2, 2), np.float32)
        >>> activations[0, 0, 0, 0] = 1
        >>> masks = np.zeros((2, 1, 2, 2), bool)
        >>> masks[0, 0, 0] = True
        >>> dissect(activations, masks, quantile=0.25).iou
        array([[0.5]])
    """
    patients = range(len(activations)) if groups is None else [*groups]
    if len(patients) != len(activations):
        raise ValueError("groups needs the patient of each image")
    if len(activations) == 0 or (not callable(masks) and len(masks) != len(activations)):
        raise ValueError("activations and masks need the same number of images, at least one")
    concepts = Concepts.read(masks if callable(masks) else masks.__getitem__, len(activations))
    grid = Grid(activations.shape[2:], concepts.size)
    columns = _columns(activations, concepts, patients, permutations, chunk, seed)
    threshold = native_thresholds if maps == "native" else upsampled_thresholds

    parts = []
    for units in _blocks(activations, grid, quantile, chunk):
        block = UnitBlock(activations, units, chunk)
        limits = threshold(block, grid, 1 - quantile, exact_quantile_values)
        pixels = ActiveImages.of(block.above(grid, limits), len(activations), block.count)
        shared = np.concatenate([shared_pixels(pixels, own) for own in columns])
        parts.append((limits, pixels.count.sum(axis=0).astype(np.float64), shared.T))
    thresholds, active, shared = (np.concatenate(own) for own in zip(*parts, strict=True))
    found = _null(active, shared.T, columns, null_level)
    best = found["iou"].argmax(axis=1)
    strong = found["iou"][np.arange(len(best)), best] > iou_threshold
    return Dissection(
        thresholds=thresholds,
        coverage=active / (len(activations) * grid.pixels),
        **found,
        detected=np.where(strong, best, -1),
        dead=thresholds == 0,
        iou_threshold=iou_threshold,
        ceiling_share=ceiling_share,
        null_level=null_level,
    )


def _columns(
    activations: NDArray[Any],
    concepts: Concepts,
    patients: Sequence[Any],
    permutations: int,
    chunk: int,
    seed: int,
) -> list[MaskColumns]:
    """The masks in the circles that they are exchanged on.

    The circles follow the images by their content, so that the order of images does not matter.
    """
    keys = [b""] * len(activations)
    if permutations:
        keys = [
            hashlib.blake2b(np.ascontiguousarray(own).tobytes() + digest).digest()
            for own, digest in zip(activations, concepts.digests, strict=True)
        ]
    drawn = circles(keys, patients, permutations, seed)
    # Of few patients there are many circles, each with all masks.
    kept = chunk // 4 // len(drawn)
    return [MaskColumns(concepts, circle, chunk // 4, kept) for circle in drawn]


def _null(
    active: Floats, shared: Floats, columns: list[MaskColumns], null_level: float
) -> dict[str, Floats]:
    """IoU, ceiling, null, p and p_corrected, (K, C), of pixels (K,) and (assignments, C, K)."""
    own = [one.circle for one in columns]
    areas = np.concatenate([circle.areas(columns[0].concepts.areas) for circle in own])[:, :, None]
    iou = ratio(shared, active + areas - shared, 0)
    ceiling = ratio(np.minimum(active, areas), np.maximum(active, areas), 0)
    home = [circle.true for circle in own].index(True)
    true = sum(circle.width for circle in own[:home]) + own[home].before
    found = {"iou": iou[true], "ceiling": ceiling[true]}
    exchanged = np.delete(iou, true, 0)
    if len(exchanged) == 0:
        undefined = np.full_like(iou[true], np.nan)
        found |= {"null": undefined, "p": undefined, "p_corrected": undefined}
    else:
        found["null"] = np.quantile(exchanged, null_level, axis=0, method="inverted_cdf")
        found["p"] = (iou >= iou[true]).mean(axis=0)
        found["p_corrected"] = corrected_p(ratio(iou, ceiling, 0), true)
    return {name: values.T for name, values in found.items()}


def _blocks(activations: NDArray[Any], grid: Grid, quantile: float, chunk: int) -> Iterator[slice]:
    """Blocks of units whose activations, and active pixels, are about ``chunk`` values."""
    images, units = activations.shape[:2]
    native = images * int(np.prod(grid.source))
    upsampled = images * grid.pixels * min(1.0, 5 * quantile)
    step = max(1, int(chunk / max(native, upsampled)))
    for start in range(0, units, step):
        yield slice(start, min(units, start + step))

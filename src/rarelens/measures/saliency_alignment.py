"""Do saliency maps point at the pathology, and better than a map that knows nothing?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from rarelens.measures.alignment import Floats, align, centre_prior, normalise, uniform
from rarelens.measures.arrays import as_array
from rarelens.measures.upsampling import resize


class SaliencyAlignment:
    """Alignment of saliency maps with regions, class by class, beside two controls.

    Maps are brought to the masks' size (bilinear) and stretched to [0, 1]. Each is then measured
    in every way of `rarelens.measures.alignment`, and so are, with the same masks, a Gaussian at
    the image's centre ("centre") and the map that is 1 everywhere ("uniform").

    Args:
        thresholds: of the binary maps, between 0 and 1.

    Examples:
        >>> import numpy as np
        >>> alignment = SaliencyAlignment()
        >>> mask = np.zeros((1, 8, 8), bool)
        >>> mask[0, :4, :4] = True
        >>> alignment.update(np.array([[[1.0, 0.0], [0.0, 0.0]]]), mask, ["nodule"])
        >>> means = {(row["map"], row["measure"]): row["mean"] for row in alignment.compute()}
        >>> means["saliency", "pointing_game"], means["uniform", "pointing_game"]
        (1.0, 0.25)
    """

    def __init__(self, thresholds: Sequence[float] = (0.5,)) -> None:
        self.thresholds = tuple(thresholds)
        self._values: dict[tuple[Any, str, str], list[Floats]] = {}

    def update(self, saliency: Any, masks: Any, classes: Sequence[Any]) -> None:
        """Measure some maps, which are not kept.

        Args:
            saliency: (N, h, w), of any size; NumPy or torch.
            masks: regions of the pathology at image size, (N, H, W), bool. A map whose mask is
                empty has nothing to be aligned with, and does not count.
            classes: of each of the N maps, the class that it explains.

        Raises:
            ValueError: if the numbers of maps, masks and classes differ, or a map is not finite.
        """
        maps, inside = as_array(saliency), as_array(masks).astype(np.bool_)
        if not (maps.ndim == inside.ndim == 3 and len(maps) == len(inside) == len(classes)):
            raise ValueError(
                f"maps of shape {maps.shape}, masks of {inside.shape} and {len(classes)} classes "
                "are not N of each: (N, h, w), (N, H, W) and N are expected"
            )
        if not np.isfinite(maps).all():
            raise ValueError("a saliency map is not finite (NaN or infinite)")
        size = inside.shape[1:]
        compared = {
            "saliency": normalise(resize(maps, size)),
            "centre": np.broadcast_to(centre_prior(size), inside.shape),
            "uniform": np.broadcast_to(uniform(size), inside.shape),
        }
        for name, ready in compared.items():
            for measure, values in align(ready, inside, self.thresholds).items():
                for label, value in zip(classes, values, strict=True):
                    self._values.setdefault((label, name, measure), []).append(value)

    def merge(self, other: SaliencyAlignment) -> SaliencyAlignment:
        """Add the maps of another one, and return this one.

        Raises:
            ValueError: if its thresholds differ.
        """
        if self.thresholds != other.thresholds:
            raise ValueError(f"cannot merge: thresholds {other.thresholds} and {self.thresholds}")
        for key, values in other._values.items():
            self._values[key] = [*self._values.get(key, []), *values]
        return self

    def compute(self) -> list[dict[str, Any]]:
        """Mean of each measure over the maps of a class.

        Returns:
            Rows of ``class``, ``map`` ("saliency", "centre" or "uniform"), ``measure`` ("iou@0.5"
            is that of the map above 0.5), ``mean`` (0 to 1; NaN without any region) and ``maps``,
            how many had a region.
        """
        return [
            {"class": label, "map": name, "measure": measure, **_mean(np.array(values))}
            for (label, name, measure), values in self._values.items()
        ]


def _mean(values: Floats) -> dict[str, float | int]:
    defined = values[np.isfinite(values)]
    mean = float(defined.mean()) if defined.size else float("nan")
    return {"mean": mean, "maps": int(defined.size)}

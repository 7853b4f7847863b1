"""How units are compared with regions, in both studies."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rarelens.studies.settings.base import Count, Section

Inside = Annotated[float, Field(gt=0, lt=1)]


class Dissection(Section):
    """Network dissection, and the rule beside it.

    ``quantile``, ``iou_threshold``, ``maps``: of network dissection; beside it, a unit counts as
    detector where IoU/ceiling is above ``ceiling_share`` and the IoU above the ``null_level``
    quantile of ``permutations`` exchanges of masks between images. ``exact_quantile_values``: as
    many activations of a unit are sorted in memory, more are counted.
    """

    quantile: Inside
    iou_threshold: Inside
    maps: Literal["native", "upsampled"]
    ceiling_share: Inside
    permutations: Count
    null_level: Inside
    exact_quantile_values: Count

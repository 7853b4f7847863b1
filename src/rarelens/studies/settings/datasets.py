"""What datasets of volumes and of images share: how they are split, and virtual subjects."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from rarelens.studies.settings.base import GroupExpression, Section, Seed, Share


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    low, high = bounds
    if low > high:
        raise ValueError(f"the lower bound {low} is above the upper bound {high}")
    return bounds


Ascending = AfterValidator(_ascending)
"""Of a pair: the least and the most."""


class DatasetSplit(Section):
    """How a dataset is split into test, validation and pool, in whole groups.

    ``group``: a regular expression whose first bracket, searched in the case id, names the
    patient. ``file``: a CSV (columns case, split) within the dataset's folder, which decides
    instead of the seed and the sizes.
    """

    seed: Seed
    file: str | None = None
    group: GroupExpression | None = None


class VirtualSubjects(Section):
    """Anatomy and appearance of virtual subjects: the template, warped per subject.

    Lengths are in mm. ``spacing``: of the cubic voxels (the template has 1 mm). ``rotation``
    (degrees) and ``scaling`` (share): the most that a subject's axes are turned and stretched.
    ``warp``: standard deviation of the elastic displacement, smooth over ``warp_smoothness``.
    ``bias_field``: its greatest deviation from 1. ``contrast_change``: greatest |log γ| of the
    intensity curve t ↦ t^γ. ``noise``: standard deviation, a share of the template's maximum.
    """

    seed: Seed
    subjects: Annotated[int, Field(ge=1, le=10**5)]
    spacing: Annotated[float, Field(ge=1, le=10)]
    rotation: Annotated[float, Field(ge=0, le=45)]
    scaling: Annotated[float, Field(ge=0, lt=0.5)]
    warp: Annotated[float, Field(ge=0, le=100)]
    warp_smoothness: Annotated[float, Field(gt=0, le=1000)]
    bias_field: Annotated[float, Field(ge=0, lt=1)]
    noise: Share
    contrast_change: Annotated[float, Field(ge=0, lt=1)]

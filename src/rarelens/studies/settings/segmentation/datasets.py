"""Datasets of the segmentation study: volumes with label maps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rarelens.studies.settings.base import Count, GroupExpression, Positive, Section, Seed, Share

Radius = Annotated[float, Field(gt=0, le=50)]
Contrast = Annotated[float, Field(gt=0, le=1)]
Layout = Literal["msd", "nnunet"]
PatchSize = tuple[Count, Count, Count]
RareClasses = Literal["auto"] | tuple[Annotated[int, Field(ge=0)], ...]


class VirtualSubjects(Section):
    """Anatomy and appearance of virtual subjects: the template, warped per subject.

    Lengths are in mm. ``spacing``: of the cubic voxels (the template has 1 mm). ``rotation``
    (degrees) and ``scaling`` (share): the most that a subject's axes are turned and stretched.
    ``warp``: standard deviation of the elastic displacement, smooth over ``warp_smoothness``.
    ``bias_field``: its greatest deviation from 1. ``contrast_change``: greatest |log γ| of the
    intensity curve t ↦ t^γ. ``noise``: standard deviation, a share of the template's maximum.
    """

    seed: Seed
    subjects: Count
    spacing: Annotated[float, Field(ge=1, le=10)]
    rotation: Annotated[float, Field(ge=0, le=45)]
    scaling: Annotated[float, Field(ge=0, lt=0.5)]
    warp: Annotated[float, Field(ge=0)]
    warp_smoothness: Positive
    bias_field: Annotated[float, Field(ge=0, lt=1)]
    noise: Share
    contrast_change: Annotated[float, Field(ge=0, lt=1)]


class Simulate(VirtualSubjects):
    """A virtual cohort with lesions drawn into its volumes.

    ``lesion_contrast`` is a share of the template's maximum; ``lesion_dark_share`` is the share
    of lesions darker than tissue. ``lesions`` is the fewest and most per subject; the other pairs
    are ranges as well.

    A cohort gets harder with lower or more varied lesion contrast, smaller lesions, more noise
    and fewer training subjects.
    """

    lesions: tuple[Count, Count]
    lesion_radius: tuple[Radius, Radius]
    lesion_contrast: tuple[Contrast, Contrast]
    lesion_dark_share: Share

    @model_validator(mode="after")
    def _check(self) -> Simulate:
        for key in ("lesions", "lesion_radius", "lesion_contrast"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key}: the lower bound {low} is above the upper bound {high}")
        return self


class ZScore(Section):
    """MR: zero mean and unit variance within the mask of non-zero voxels; 0 outside it."""

    method: Literal["zscore"]


class Clip(Section):
    """CT: clip to [lower, upper], then scale to [0, 1]: where a volume ends, air (0) goes on."""

    method: Literal["clip"]
    lower: float
    upper: float

    @model_validator(mode="after")
    def _check(self) -> Clip:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower} is not below upper {self.upper}")
        return self


Intensity = Annotated[ZScore | Clip, Field(discriminator="method")]


class Preprocess(Section):
    """From files on disk to arrays. ``spacing: null`` keeps each case's own; units mm."""

    spacing: tuple[Positive, Positive, Positive] | None
    image_interpolation: Literal["linear", "cubic"]
    label_interpolation: Literal["nearest", "linear"]
    crop_foreground: bool
    crop_margin: Annotated[int, Field(ge=0)]
    intensity: tuple[Intensity, ...] = Field(min_length=1)
    dtype: Literal["float16", "float32"]


class Split(Section):
    """Test and validation groups, and the pool that training subsets are drawn from.

    Counts are cases. ``file``: a CSV (columns case, split) within the dataset's folder, which
    then decides instead. ``group``: a regular expression whose first bracket, searched in the
    case id, names the patient.
    """

    seed: Seed
    test: Count
    validation: Annotated[int, Field(ge=0)]
    pool: Count | None
    file: str | None
    group: GroupExpression | None


class Dataset(Section):
    """A named collection at ``data/raw/<name>``. ``simulate`` only for embedded data."""

    layout: Layout
    simulate: Simulate | None = None
    preprocess: Preprocess
    split: Split
    rare_classes: RareClasses
    rare_threshold: Annotated[float, Field(gt=0, le=1)]
    patch_size: PatchSize

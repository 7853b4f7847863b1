"""Datasets of the segmentation study: volumes with label maps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rarelens.studies.settings.base import Count, Name, Section, Share, module_in
from rarelens.studies.settings.datasets import Ascending, DatasetSplit, VirtualSubjects

Radius = Annotated[float, Field(gt=0, le=50)]
Contrast = Annotated[float, Field(gt=0, le=1)]
LayoutName = Annotated[Name, module_in("rarelens.studies.data.segmentation.layouts")]
Side = Annotated[int, Field(ge=1, le=1024)]
PatchSize = tuple[Side, Side, Side]
Spacing = Annotated[float, Field(ge=0.01, le=100)]
Bound = Annotated[float, Field(ge=-1e9, le=1e9)]
Number = Annotated[int, Field(ge=1, le=10**4)]
RareClasses = Literal["auto"] | tuple[int | str, ...]


class Simulate(VirtualSubjects):
    """A virtual cohort with lesions drawn into its volumes.

    ``lesion_contrast`` is a share of the template's maximum; ``lesion_dark_share`` is the share
    of lesions darker than tissue. ``lesions`` is the fewest and most per subject; the other pairs
    are ranges as well.

    A cohort gets harder with lower or more varied lesion contrast, smaller lesions, more noise
    and fewer training subjects.
    """

    lesions: Annotated[tuple[Number, Number], Ascending]
    lesion_radius: Annotated[tuple[Radius, Radius], Ascending]
    lesion_contrast: Annotated[tuple[Contrast, Contrast], Ascending]
    lesion_dark_share: Share


class ZScore(Section):
    """MR: zero mean and unit variance within the mask of non-zero voxels; 0 outside it."""

    method: Literal["zscore"]


class Clip(Section):
    """CT: clip to [lower, upper], then scale to [0, 1]: where a volume ends, air (0) goes on."""

    method: Literal["clip"]
    lower: Bound
    upper: Bound

    @model_validator(mode="after")
    def _check(self) -> Clip:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower} is not below upper {self.upper}")
        return self


Intensity = Annotated[ZScore | Clip, Field(discriminator="method")]


class Preprocess(Section):
    """From files on disk to arrays. ``spacing: null`` keeps each case's own; units mm."""

    spacing: tuple[Spacing, Spacing, Spacing] | None = None
    image_interpolation: Literal["linear", "cubic"] = "linear"
    label_interpolation: Literal["nearest", "linear"] = "nearest"
    crop_foreground: bool = False
    crop_margin: Annotated[int, Field(ge=0, le=10**4)] = 0
    intensity: tuple[Intensity, ...] = Field(min_length=1)
    dtype: Literal["float16", "float32"] = "float16"


class Split(DatasetSplit):
    """Test and validation cases, and the pool that training subsets are drawn from, by number.

    ``pool: null`` takes all that are left.
    """

    test: Count
    validation: Annotated[int, Field(ge=0, le=10**9)]
    pool: Count | None = None


class Dataset(Section):
    """A named collection at ``data/raw/<name>``. ``simulate`` only for embedded data."""

    layout: LayoutName
    simulate: Simulate | None = None
    preprocess: Preprocess
    split: Split
    # Bounded here; what a stage reads of it was checked before.
    rare_classes: Literal["auto"] | tuple[Annotated[int, Field(ge=0, lt=2**16)] | str, ...]
    rare_threshold: Annotated[float, Field(gt=0, le=1)]
    patch_size: PatchSize

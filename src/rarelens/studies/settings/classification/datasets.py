"""Datasets of the classification study: images with findings, some of them boxed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from rarelens.studies.settings.base import (
    Count,
    GroupExpression,
    Name,
    Positive,
    Section,
    Seed,
    Share,
)
from rarelens.studies.settings.segmentation.datasets import VirtualSubjects

ImageLayout = Literal["coco", "nih", "chexpert", "medmnist"]
ImageSize = tuple[Annotated[int, Field(ge=8)], Annotated[int, Field(ge=8)]]
Shape = Literal["mass", "ring", "cavity", "speckles", "streak", "mottling", "shadow", "nodule"]


class Finding(Section):
    """A kind of finding: ``prevalence`` is the share of images, ``radius`` in mm.

    ``number``: the fewest and most in an image that has any. ``contrast`` is a share of the
    template's maximum.
    """

    shape: Shape
    prevalence: Annotated[float, Field(gt=0, lt=1)]
    radius: tuple[Positive, Positive]
    contrast: tuple[Positive, Positive]
    number: tuple[Count, Count]

    @model_validator(mode="after")
    def _check(self) -> Finding:
        for key in ("radius", "contrast", "number"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key}: the lower bound {low} is above the upper bound {high}")
        return self


class SimulateFindings(VirtualSubjects):
    """A virtual multi-label dataset: axial slices of virtual subjects, findings drawn into them.

    ``images``: the fewest and most per subject. ``correlation``: of a finding's latent
    variable within a subject, and between the findings of an image (0: independent).
    """

    images: tuple[Count, Count]
    correlation: Annotated[float, Field(ge=0, lt=1)]
    findings: dict[Name, Finding] = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> SimulateFindings:
        if self.images[0] > self.images[1]:
            raise ValueError(f"images: {self.images[0]} is above {self.images[1]}")
        return self


class ImagePreprocess(Section):
    """From image files to one array. ``image_size`` is (height, width) in pixels.

    ``resize``: stretch to the size, or keep the aspect ratio and pad with 0. ``intensity``: the
    source type's full range, or each image's own smallest to largest value. ``uncertain``: what a
    label of uncertain sign counts as (`ignore`: neither positive nor negative). ``classes``:
    those to keep, in this order; null keeps all of the layout.
    """

    image_size: ImageSize
    resize: Literal["stretch", "pad"]
    channels: Literal["grey", "rgb"]
    intensity: Literal["full_range", "per_image"]
    dtype: Literal["uint8", "uint16"]
    uncertain: Literal["zeros", "ones", "ignore"]
    classes: tuple[str, ...] | None


class ImageSplit(Section):
    """Test and validation shares of the images, in whole groups; the rest is the training pool.

    ``official``: lists that come with the dataset decide what they cover, and only what they
    leave open is drawn. ``file``: a CSV (columns case, split) within the dataset's folder, which
    decides instead of both. ``group``: as in the segmentation study, for layouts that name no
    patient.
    """

    seed: Seed
    test: Annotated[float, Field(gt=0, lt=1)]
    validation: Share
    official: bool
    file: str | None
    group: GroupExpression | None


class ImageDataset(Section):
    """A named collection at ``data/raw/<name>``. ``simulate`` only for embedded data."""

    layout: ImageLayout
    simulate: SimulateFindings | None = None
    preprocess: ImagePreprocess
    split: ImageSplit

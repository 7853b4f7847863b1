"""Datasets of the classification study: images with findings, some of them boxed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rarelens.studies.settings.base import Name, Section, Share, module_in
from rarelens.studies.settings.datasets import Ascending, DatasetSplit, VirtualSubjects

ImageLayoutName = Annotated[Name, module_in("rarelens.studies.data.classification.layouts")]
LARGEST_SIDE = 8192
"""Pixels along a side of a prepared image."""
Side = Annotated[int, Field(ge=8, le=LARGEST_SIDE)]
ImageSize = tuple[Side, Side]
Millimetres = Annotated[float, Field(gt=0, le=100)]
Contrast = Annotated[float, Field(gt=0, le=10)]
Number = Annotated[int, Field(ge=1, le=10**4)]


class Finding(Section):
    """A kind of finding: ``prevalence`` is the share of images, ``radius`` in mm.

    ``shape``: one of `rarelens.studies.data.classification.simulation.shapes.SHAPES`.
    ``number``: the fewest and most in an image that has any. ``contrast`` is a share of the
    template's maximum.
    """

    shape: Name
    prevalence: Annotated[float, Field(gt=0, lt=1)]
    radius: Annotated[tuple[Millimetres, Millimetres], Ascending]
    contrast: Annotated[tuple[Contrast, Contrast], Ascending]
    number: Annotated[tuple[Number, Number], Ascending]


class SimulateFindings(VirtualSubjects):
    """A virtual multi-label dataset: axial slices of virtual subjects, findings drawn into them.

    ``images``: the fewest and most per subject. ``correlation``: of a finding's latent
    variable within a subject, and between the findings of an image (0: independent).
    """

    images: Annotated[tuple[Number, Number], Ascending]
    correlation: Annotated[float, Field(ge=0, lt=1)]
    findings: dict[Name, Finding] = Field(min_length=2)


class ImagePreprocess(Section):
    """From image files to one array. ``image_size`` is (height, width) in pixels.

    ``resize``: stretch to the size, or keep the aspect ratio and pad with 0. ``intensity``: the
    source type's full range, or each image's own smallest to largest value. ``uncertain``: what a
    label of uncertain sign counts as (`ignore`: neither positive nor negative). ``classes``:
    those to keep, in this order; null keeps all of the layout.
    """

    image_size: ImageSize
    resize: Literal["stretch", "pad"] = "pad"
    channels: Literal["grey", "rgb"] = "grey"
    intensity: Literal["full_range", "per_image"] = "full_range"
    dtype: Literal["uint8", "uint16"] = "uint8"
    uncertain: Literal["zeros", "ones", "ignore"] = "zeros"
    classes: tuple[str, ...] | None = None


class ImageSplit(DatasetSplit):
    """Test and validation shares of the images, in whole groups; the rest is the training pool.

    ``official``: lists that come with the dataset decide what they cover, and only what they
    leave open is drawn. ``group`` is for layouts that name no patient.
    """

    test: Annotated[float, Field(gt=0, lt=1)]
    validation: Share
    official: bool


class ImageDataset(Section):
    """A named collection at ``data/raw/<name>``. ``simulate`` only for embedded data."""

    layout: ImageLayoutName
    simulate: SimulateFindings | None = None
    preprocess: ImagePreprocess
    split: ImageSplit

"""How the classification study trains, extracts and analyses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from rarelens.studies.settings.base import (
    BatchSize,
    Bins,
    Count,
    Name,
    Panels,
    Replicates,
    Section,
    Seed,
    Share,
    Threads,
)
from rarelens.studies.settings.classification.datasets import LARGEST_SIDE
from rarelens.studies.settings.stages import Dissection, Training


class TrainClassification(Training):
    """Training on whole images.

    Augmentation, the same for all methods: mirror images at random (``flip_horizontal``,
    ``flip_vertical``), shift them by up to ``shift`` (share of the size), change their brightness
    and contrast by up to ``intensity`` (share).
    """

    flip_horizontal: bool
    flip_vertical: bool
    shift: Annotated[float, Field(ge=0, lt=0.5)]
    intensity: Annotated[float, Field(ge=0, lt=1)]


class ExtractClassification(Section):
    """Scores, unit activations and saliency maps.

    ``probe_images``: at most that many images with concepts are looked into (null: all), a
    seeded draw that is the same for all cells. ``saliency``: methods by their names
    (`rarelens.studies.extraction.classification.saliency.METHODS`). ``occlusion_window`` in pixels.
    """

    batch_size: BatchSize
    probe_images: Count | None
    saliency: tuple[Name, ...] = Field(min_length=1)
    integrated_gradients_steps: Annotated[int, Field(ge=1, le=10**5)]
    occlusion_window: Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
    threads: Threads
    seed: Seed


class AnalyseClassification(Dissection):
    """Prediction, alignment, dissection (as in `Dissection`), representation.

    ``head_above`` and ``tail_below``: prevalences that part classes into head, mid and tail.
    ``alignment_thresholds``: at which normalised saliency maps are also made binary. ``panels``:
    images, and units, that the report shows.
    """

    bootstrap: Replicates
    confidence: Annotated[float, Field(gt=0, lt=1)]
    calibration_bins: Bins
    head_above: Share
    tail_below: Share
    alignment_thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    probe_regularisation: Annotated[float, Field(ge=1e-9, le=1e9)]
    panels: Panels
    seed: Seed

    @model_validator(mode="after")
    def _check(self) -> AnalyseClassification:
        if self.tail_below > self.head_above:
            raise ValueError(
                f"tail_below {self.tail_below:g} is above head_above {self.head_above:g}"
            )
        return self

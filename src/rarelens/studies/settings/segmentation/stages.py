"""How the segmentation study trains, extracts and analyses."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rarelens.studies.settings.base import (
    BatchSize,
    Bins,
    Panels,
    Replicates,
    Section,
    Seed,
    Share,
    Threads,
)
from rarelens.studies.settings.stages import Dissection, Training


class TrainSegmentation(Training):
    """Training on patches.

    ``budget`` says what ``steps`` counts: optimiser steps, or gradient evaluations, of which a
    regulariser takes more than one a step. ``foreground_jitter``: within which share of a patch
    the foreground voxel that it is placed by may lie, around the middle. ``margin_patches``: on
    how many fixed patches of either side margins are followed through training; 0 for none.
    """

    budget: Literal["steps", "gradient_evaluations"]
    foreground_share: Share
    foreground_jitter: Share = 0.0
    margin_patches: Annotated[int, Field(ge=0, le=10**5)] = 0


class ExtractSegmentation(Section):
    """What is taken out of a model: label maps, exact histograms, logits, unit activations.

    ``sample_voxels``: at most that many voxel logits per case and class. ``panels``: how many
    test subjects get an image panel. ``units_patches``: on how many patches of the test subjects
    units are looked into, the same ones for all models.
    """

    window_overlap: Annotated[float, Field(ge=0, lt=1)]
    window_batch: BatchSize
    bin_width: Annotated[float, Field(ge=1e-4, le=100)]
    joint_bin_width: Annotated[float, Field(ge=1e-2, le=100)]
    calibration_bins: Bins
    sample_voxels: Annotated[int, Field(ge=1, le=10**7)]
    panels: Panels
    units_patches: Annotated[int, Field(ge=0, le=10**5)]
    full_logits: bool
    threads: Threads
    seed: Seed


class AnalyseSegmentation(Dissection):
    """Shift, overlap, lesions, calibration and dissection.

    ``surface_tolerance`` in mm. ``lesion_iou``: above it a lesion is detected by IoU.
    """

    bootstrap: Replicates
    confidence: Annotated[float, Field(gt=0, lt=1)]
    surface_tolerance: Annotated[float, Field(gt=0, le=1000)]
    lesion_iou: Annotated[float, Field(ge=0, lt=1)] = 0.1
    seed: Seed

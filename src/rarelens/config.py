"""Typed, validated parameters: the models of ``params.yaml``, one class a section.

Every class refuses unknown keys, wrong types and impossible values. `rarelens.parameters` reads
the file and hands each stage the sections that it declares, and no others.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Radius = Annotated[float, Field(gt=0, le=50)]
Contrast = Annotated[float, Field(gt=0, le=1)]


Layout = Literal["msd", "nnunet"]
PatchSize = tuple[Count, Count, Count]
RareClasses = Literal["auto"] | tuple[Annotated[int, Field(ge=0)], ...]


_LISTS = ("datasets", "networks", "methods", "adjusted", "adjustments", "fractions", "seeds")


class Section(BaseModel):
    """A section of ``params.yaml``: strict types, no unknown keys, finite numbers, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Study(Section):
    """All cells of one task: the product of its lists.

    Beside them stand the ``adjusted`` methods × ``adjustments``: post-hoc cells, which share the
    weights of the method that they adjust. Both lists are empty in a study without any.
    """

    datasets: tuple[Name, ...] = Field(min_length=1)
    networks: tuple[Name, ...] = Field(min_length=1)
    methods: tuple[Name, ...] = Field(min_length=1)
    baseline: Name
    adjusted: tuple[Name, ...]
    adjustments: tuple[Name, ...]
    fractions: tuple[int | float, ...] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Study:
        for key in _LISTS:
            values = getattr(self, key)
            if len(set(values)) < len(values):
                raise ValueError(f"{key} names a value twice: {list(values)}")
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise ValueError(f"fractions: {fraction} is not in (0, 1]")
            if isinstance(fraction, float) and fraction.is_integer():
                raise ValueError(f"fractions: write {fraction:g} for {fraction} (one spelling)")
        for name in (self.baseline, *self.adjusted):
            if name not in self.methods:
                raise ValueError(f"{name!r} (baseline or adjusted) is not among methods")
        if bool(self.adjusted) != bool(self.adjustments):
            raise ValueError(
                f"adjusted {list(self.adjusted)} and adjustments {list(self.adjustments)}: fill "
                "both lists, or neither"
            )
        return self


class Simulate(Section):
    """A virtual cohort: template anatomy, warped per subject, with lesions drawn into it.

    Lengths are in mm. ``spacing``: of the cubic voxels (the template has 1 mm). ``rotation``
    (degrees) and ``scaling`` (share): the most that a subject's axes are turned and stretched.
    ``warp``: standard deviation of the elastic displacement, smooth over ``warp_smoothness``.
    ``bias_field``: its greatest deviation from 1. ``contrast_change``: greatest |log γ| of the
    intensity curve t ↦ t^γ. ``noise`` (standard deviation) and ``lesion_contrast`` are shares of
    the template's maximum; ``lesion_dark_share`` is the share of lesions darker than tissue.
    ``lesions`` is the fewest and most per subject; the other pairs are ranges as well.

    A cohort gets harder with lower or more varied lesion contrast, smaller lesions, more noise
    and fewer training subjects.
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
    group: str | None

    @model_validator(mode="after")
    def _check(self) -> Split:
        if self.group is not None:
            try:
                brackets = re.compile(self.group).groups
            except re.error as error:
                raise ValueError(
                    f"group {self.group!r} is no regular expression: {error}"
                ) from error
            if brackets < 1:
                raise ValueError(f"group {self.group!r} has no bracket to name the patient")
        return self


class Dataset(Section):
    """A named collection at ``data/raw/<name>``. ``simulate`` only for embedded data."""

    layout: Layout
    simulate: Simulate | None = None
    preprocess: Preprocess
    split: Split
    rare_classes: RareClasses
    rare_threshold: Annotated[float, Field(gt=0, le=1)]
    patch_size: PatchSize


class Component(Section):
    """A network or method by the name of its file; its own options beside the shared ones."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def options(self) -> dict[str, Any]:
        """The component's own options, checked against its signature by `components`."""
        return dict(self.model_extra or {})


class Network(Component):
    """``network``: a file of `rarelens.networks`; further keys are its arguments."""

    network: Name


class Term(Component):
    """One loss of a compound objective: a file of `rarelens.objectives` and its arguments."""

    objective: Name


class Regulariser(Component):
    """Options of a file of `rarelens.regularisers`; ``asymmetric`` as in `Method`."""

    asymmetric: bool = False


class Method(Component):
    """``objective``: a file of `rarelens.objectives`; further keys are its arguments.

    ``losses``: the terms of a compound objective. ``asymmetric`` hands the dataset's rare classes
    to the objective (else its symmetric form). ``regularisers``, by the names of their files;
    ``base``: the loss whose gradient adversarial training follows; ``separate_steps``: an
    optimiser step for each term instead of one for their sum. ``foreground_share`` overrides the
    training's share of patches centred on foreground.
    """

    objective: Name
    losses: tuple[Term, ...] = ()
    asymmetric: bool = False
    regularisers: dict[Name, Regulariser] = {}
    base: Name = "cross_entropy"
    separate_steps: bool = False
    foreground_share: Share | None = None


class TrainSegmentation(Section):
    """The training loop; an epoch is ``epoch_steps`` optimiser steps.

    ``budget`` says what ``steps`` counts: optimiser steps, or gradient evaluations, of which a
    regulariser takes more than one a step.
    """

    steps: Count
    budget: Literal["steps", "gradient_evaluations"]
    epoch_steps: Count
    batch_size: Count
    foreground_share: Share
    optimiser: Literal["adamw", "sgd"]
    learning_rate: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    schedule: Literal["constant", "polynomial", "cosine"]
    gradient_clip: Positive | None
    precision: Literal["no", "bf16", "fp16"]
    threads: Count
    patience: Count | None
    select: Literal["last", "best"]
    checkpoint_epochs: Count


class ExtractSegmentation(Section):
    """What is taken out of a model: label maps, exact histograms, sampled and full logits.

    ``sample_voxels``: at most that many voxel logits per case and class. ``panels``: how many
    test subjects get an image panel.
    """

    window_overlap: Annotated[float, Field(ge=0, lt=1)]
    window_batch: Count
    bin_width: Positive
    joint_bin_width: Positive
    calibration_bins: Count
    sample_voxels: Count
    panels: Annotated[int, Field(ge=0)]
    full_logits: bool
    threads: Count
    seed: Seed


class AnalyseSegmentation(Section):
    """Shift, overlap and calibration. ``surface_tolerance`` in mm."""

    bootstrap: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    surface_tolerance: Positive
    seed: Seed


class Compare(Section):
    """Statistics over seeds and subjects."""

    bootstrap: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    seed: Seed


class Report(Section):
    """The page and its figures. ``dpi``: their resolution, dots per inch."""

    dpi: Count


class Train(Section):
    """Training, by task."""

    segmentation: TrainSegmentation


class Extract(Section):
    """Extraction, by task."""

    segmentation: ExtractSegmentation


class Analyse(Section):
    """Analysis, by task."""

    segmentation: AnalyseSegmentation


class Adjustment(Component):
    """A post-hoc control: a file of `rarelens.adjustments`; further keys are its arguments."""

    adjustment: Name


class Adjustments(Section):
    """Post-hoc controls, by task."""

    segmentation: dict[Name, Adjustment]


class Studies(Section):
    """The studies, by task. ``simulated``: the datasets that stage ``simulate`` writes."""

    simulated: tuple[Name, ...]
    segmentation: Study


class Methods(Section):
    """Methods, by task."""

    segmentation: dict[Name, Method]


class Parameters(Section):
    """The whole of ``params.yaml``."""

    study: Studies
    datasets: dict[Name, Dataset]
    networks: dict[Name, Network]
    methods: Methods
    adjustments: Adjustments
    train: Train
    extract: Extract
    analyse: Analyse
    compare: Compare
    report: Report

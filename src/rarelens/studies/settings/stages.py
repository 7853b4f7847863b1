"""What the stages of both studies share: the training loop, and the dissection of units."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rarelens.studies.settings.base import BatchSize, Count, Positive, Replicates, Section, Threads

Inside = Annotated[float, Field(gt=0, lt=1)]
"""A share, but neither nothing nor all."""


class Training(Section):
    """Length, optimiser and selection; an epoch is ``epoch_steps`` optimiser steps.

    ``precision``: "no" is float32; "tf32" lets a GPU multiply in TensorFloat-32, and is float32
    elsewhere. ``workers``: processes that make batches ahead of the training; None: up to four
    beside a GPU, none on a CPU. No result depends on it, and so no training is told apart by it.
    ``processes``: so many share each training, on a GPU each or on the CPU together, with
    ``batch_size / processes`` rows of a batch each; without dropout results agree within rounding.
    """

    steps: Annotated[int, Field(ge=1, le=10**8)]
    epoch_steps: Count
    batch_size: BatchSize
    optimiser: Literal["adamw", "sgd"]
    learning_rate: Annotated[float, Field(gt=0, le=1000)]
    weight_decay: Annotated[float, Field(ge=0, le=1000)]
    schedule: Literal["constant", "polynomial", "cosine"]
    gradient_clip: Positive | None
    precision: Literal["no", "tf32", "bf16", "fp16"]
    threads: Threads
    workers: Annotated[int, Field(ge=0, le=1024)] | None = Field(None, exclude=True)
    processes: Annotated[int, Field(ge=1, le=1024)] = 1
    patience: Count | None
    select: Literal["last", "best"]
    checkpoint_epochs: Count

    @model_validator(mode="after")
    def _shared_evenly(self) -> Training:
        if self.batch_size % self.processes:
            raise ValueError(
                f"processes: {self.processes} cannot share a batch_size of {self.batch_size} "
                "evenly; let it be a multiple"
            )
        return self


class Dissection(Section):
    """Network dissection, and the rule beside it.

    ``quantile``, ``iou_threshold``, ``maps``: of network dissection; beside it, a unit counts as
    detector where IoU/ceiling is above ``ceiling_share`` and beyond ``permutations`` exchanges of
    masks between patients at ``null_level``, corrected over units and concepts.
    ``exact_quantile_values``: as many activations of a unit are sorted in memory, more are counted.
    """

    quantile: Inside
    iou_threshold: Inside
    maps: Literal["native", "upsampled"]
    ceiling_share: Inside
    permutations: Replicates
    null_level: Inside
    exact_quantile_values: Count

    @model_validator(mode="after")
    def _reachable(self) -> Dissection:
        least = math.ceil(1 / (1 - self.null_level) - 1 - 1e-9)
        if self.permutations < least:
            raise ValueError(
                f"permutations: {self.permutations} exchanges cannot reach null_level "
                f"{self.null_level:g}; take at least {least}"
            )
        return self

"""What the training loop reads of either study."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rarelens.studies.settings.base import Count, Positive, Section


class Training(Section):
    """Length, optimiser and selection; an epoch is ``epoch_steps`` optimiser steps."""

    steps: Count
    epoch_steps: Count
    batch_size: Count
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

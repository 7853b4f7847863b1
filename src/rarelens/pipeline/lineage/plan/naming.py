"""What stages are called: a kind is all cells of one entry of a dvc.yaml."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


def kind_of(stage: PipelineStage) -> str:
    """The stage's address without its cell: ``studies/segmentation/dvc.yaml:train``."""
    return str(stage.addressing).partition("@")[0]


def label_of(stage: PipelineStage) -> str:
    """The stage's kind for people: ``train (segmentation)``."""
    file, _, name = kind_of(stage).rpartition(":")
    return f"{name} ({PurePath(file).parent.name})" if file else name


def cell_of(stage: PipelineStage) -> str:
    """The cell: ``embedded-unet-focal-0.4-0``; of a stage without cells, nothing."""
    return str(stage.addressing).partition("@")[2]

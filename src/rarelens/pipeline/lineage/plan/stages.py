"""A stage of the project: what it is called, and how long it took when it ran last, here.

A kind is all cells of one entry of a dvc.yaml.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rarelens.pipeline.lineage.stage import duration_file

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


class Durations:
    """Of all stages of a project; those that never ran are taken to be as long as their kind.

    Attributes:
        last: seconds of a stage's last run by its address, where it is known.
    """

    def __init__(self, root: Path, stages: Iterable[PipelineStage]) -> None:
        self.last: dict[str, float] = {}
        kinds: dict[str, list[float]] = defaultdict(list)
        for stage in stages:
            seconds = _last(root, stage)
            if seconds is not None:
                self.last[stage.addressing] = seconds
                kinds[kind_of(stage)].append(seconds)
        self._means = {kind: fmean(known) for kind, known in kinds.items()}

    def of(self, stage: PipelineStage) -> float | None:
        """Seconds that a stage may take: its last run's, or the mean of its kind, if known."""
        return self.last.get(stage.addressing, self._means.get(kind_of(stage)))


def _last(root: Path, stage: PipelineStage) -> float | None:
    seconds = _number(root / duration_file(str(stage.addressing)))
    if seconds is not None:
        return seconds
    # A training that another machine ran and this one restored.
    records = (Path(out.fs_path) for out in stage.outs if out.def_path.startswith("records/"))
    return next((_number(file, "seconds") for file in records), None)


def _number(file: Path, key: str = "") -> float | None:
    """The number in a JSON file, or at a key in it; without a readable file, nothing."""
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
        return float(value[key] if key else value)
    except (OSError, ValueError, KeyError, TypeError):
        return None

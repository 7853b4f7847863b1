"""How long stages took when they ran last, on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from rarelens.pipeline.lineage.plan.naming import kind_of
from rarelens.pipeline.lineage.stage import duration_file

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


class Durations:
    """Of all stages of a project; those that never ran are taken to be as long as their kind.

    Args:
        root: of the project.
        stages: of the project, whose durations stand for those of their kind.
    """

    def __init__(self, root: Path, stages: Iterable[PipelineStage]) -> None:
        self._root = root
        self._kinds: dict[str, list[PipelineStage]] = {}
        self._means: dict[str, float | None] = {}
        for stage in stages:
            self._kinds.setdefault(kind_of(stage), []).append(stage)

    def last(self, stage: PipelineStage) -> float | None:
        """Seconds of the stage's last run, if it is known."""
        seconds = _number(self._root / duration_file(str(stage.addressing)))
        if seconds is not None:
            return seconds
        # A training that another machine ran and this one restored.
        records = (Path(out.fs_path) for out in stage.outs if out.def_path.startswith("records/"))
        return next((_number(file, "seconds") for file in records), None)

    def of_kind(self, stage: PipelineStage) -> float | None:
        """The mean of the stages of its kind that ran, if there are any."""
        kind = kind_of(stage)
        if kind not in self._means:
            known = [self.last(each) for each in self._kinds[kind]]
            self._means[kind] = (
                fmean(found) if (found := [s for s in known if s is not None]) else None
            )
        return self._means[kind]


def _number(file: Path, key: str = "") -> float | None:
    """The number in a JSON file, or at a key in it; without a readable file, nothing."""
    try:
        value: Any = json.loads(file.read_text(encoding="utf-8"))
        return float(value[key] if key else value)
    except (OSError, ValueError, KeyError, TypeError):
        return None

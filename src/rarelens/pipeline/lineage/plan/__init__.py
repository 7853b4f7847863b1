"""What a ``dvc repro`` may run, why, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rarelens.pipeline.lineage.plan.durations import Durations
from rarelens.pipeline.lineage.plan.evaluation import Fate, Predictor, Verdict
from rarelens.pipeline.lineage.plan.predictors import predictors
from rarelens.pipeline.lineage.plan.project import Project

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


@dataclass(frozen=True)
class Step:
    """A stage that may run.

    Attributes:
        stage: the stage.
        reasons: why, in sentences.
        seconds: that it may take, if that is known.
        estimated: whether that is the mean of its kind, and not its own last run.
    """

    stage: PipelineStage
    reasons: tuple[str, ...]
    seconds: float | None
    estimated: bool


@dataclass(frozen=True)
class Plan:
    """What a ``dvc repro`` would do now.

    Attributes:
        steps: the stages that may run, in their order.
        restored: the stages whose outputs come out of DVC's caches instead.
        stages: all of them.
    """

    steps: tuple[Step, ...]
    restored: tuple[PipelineStage, ...]
    stages: tuple[PipelineStage, ...]


def make_plan(root: Path, predict: Mapping[str, Predictor] | None = None) -> Plan:
    """Look at all stages that a bare ``dvc repro`` in the folder ``root`` would.

    Args:
        root: of the project.
        predict: by kind of stage, what its outputs will be; without, as rarelens knows.

    Raises:
        RarelensError: if the parameters or the stages are wrong.
    """
    project = Project(root)
    verdicts = project.plan(predictors(root) if predict is None else predict)
    durations = Durations(root, project.stages)
    return Plan(
        tuple(_step(each, durations) for each in verdicts if each.fate is Fate.RUNS),
        tuple(each.stage for each in verdicts if each.fate is Fate.RESTORED),
        tuple(project.stages),
    )


def _step(verdict: Verdict, durations: Durations) -> Step:
    own = durations.last(verdict.stage)
    seconds = durations.of_kind(verdict.stage) if own is None else own
    return Step(verdict.stage, verdict.reasons, seconds, own is None)

"""What a ``dvc repro`` may run, why, and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rarelens.pipeline.lineage.plan.evaluation import Fate, Predictor, Verdict
from rarelens.pipeline.lineage.plan.predictors import predictors
from rarelens.pipeline.lineage.plan.project import Project
from rarelens.pipeline.lineage.plan.stages import Durations


@dataclass(frozen=True)
class Plan:
    """What a ``dvc repro`` would do now.

    Attributes:
        verdicts: on all stages, in their order.
        durations: of their last runs.
    """

    verdicts: tuple[Verdict, ...]
    durations: Durations

    def having(self, fate: Fate) -> list[Verdict]:
        """The verdicts on the stages of which this becomes."""
        return [each for each in self.verdicts if each.fate is fate]


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
    return Plan(tuple(verdicts), Durations(root, project.stages))

"""Which stages a ``dvc repro`` may run: each is looked at as DVC will, after those before it.

DVC compares a stage with its lock when its turn comes, and sees by then what the stages before it
have made. Here they are not run: what they will leave is put on top of the disk (`Workspace`),
and what cannot be told before they run is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.dependency import ParamsDependency

from rarelens.pipeline.lineage.plan.cache import Cache
from rarelens.pipeline.lineage.plan.parameters import Values
from rarelens.pipeline.lineage.plan.reasons import Reasons
from rarelens.pipeline.lineage.plan.stages import cell_of, kind_of, label_of
from rarelens.pipeline.lineage.plan.workspace import Disk, Key, State, Workspace
from rarelens.pipeline.parameters.reading import FILE

if TYPE_CHECKING:
    from dvc.dependency import Dependency
    from dvc.stage import PipelineStage


class Fate(Enum):
    """What ``dvc repro`` does with a stage."""

    UNCHANGED = "unchanged"
    RESTORED = "restored"
    RUNS = "may run"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a stage, and why."""

    stage: PipelineStage
    fate: Fate
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Prediction:
    """What a stage will leave, told without running it.

    Attributes:
        files: contents, by their path from the project's root.
        folders: made where they are missing.
        dropped: what it removes beside its outputs.
    """

    files: Mapping[str, bytes]
    folders: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


# Of a stage's cell (of a stage without cells: an empty name), from the parameters.
Predictor = Callable[[str, dict[str, Any]], Prediction]


class Evaluation:
    """One look at all stages, in their order.

    Args:
        root: of the project.
        prints: the folder of fingerprints as DVC recorded it last.
        disk: hashes of what is there now.
        cache: DVC's caches.
        values: of the parameters.
        predictors: by the kind of stage whose outputs they tell.
    """

    def __init__(
        self,
        root: Path,
        prints: State,
        disk: Disk,
        cache: Cache,
        values: Values,
        predictors: Mapping[str, Predictor],
    ) -> None:
        self._root = root
        self._cache = cache
        self._values = values
        self._predictors = predictors
        self._workspace = Workspace(disk)
        self._reasons = Reasons(root, self._workspace, cache, prints)

    def judge(self, stage: PipelineStage) -> Verdict:
        """What becomes of a stage; those that it depends on come before it."""
        if not stage.cmd or stage.frozen:
            return Verdict(stage, Fate.UNCHANGED)
        values = {
            each: self._values.of(each) for each in stage.deps if isinstance(each, ParamsDependency)
        }
        states = {
            each: self._workspace.state(each.fs_path) for each in stage.deps if each not in values
        }
        inputs = self._reasons.of_inputs(stage, states, values)
        reasons = [*inputs, *self._reasons.of_outputs(stage)]
        if not reasons:
            return Verdict(stage, Fate.UNCHANGED)
        if _may_restore(stage, states):
            recorded = {out.def_path: out.hash_info for out in stage.outs}
            if inputs or not all(recorded.values()):
                outputs = self._cache.restored(stage, states, values)
            else:
                outputs = self._cache.contents(recorded)
            if outputs is not None:
                self._restore(stage, outputs)
                return Verdict(stage, Fate.RESTORED, tuple(reasons))
        self._run(stage)
        if not _ran_before(stage):
            reasons = ["never run"]
        return Verdict(stage, Fate.RUNS, tuple(dict.fromkeys(reasons)))

    def _restore(self, stage: PipelineStage, outputs: dict[str, State]) -> None:
        makers = frozenset([label_of(stage)])
        for out in stage.outs:
            self._workspace.put(out.fs_path, replace(outputs[out.def_path], makers=makers))

    def _run(self, stage: PipelineStage) -> None:
        maker = label_of(stage)
        predict = self._predictors.get(kind_of(stage))
        if predict is None:
            for out in stage.outs:
                self._workspace.put(out.fs_path, State(frozenset([maker]), known=False))
            return
        prediction = predict(cell_of(stage), self._values.file(str(self._root / FILE)))
        for out in stage.outs:
            self._workspace.write(out.fs_path, self._within(prediction, out.fs_path), maker)
        for path in prediction.folders:
            self._workspace.make_folder(str(self._root / path))
        for path in prediction.dropped:
            self._workspace.put(str(self._root / path), State(frozenset([maker])))

    def _within(self, prediction: Prediction, output: str) -> dict[Key, bytes]:
        paths = {self._root / path: content for path, content in prediction.files.items()}
        return {
            path.relative_to(output).parts: content
            for path, content in paths.items()
            if path.is_relative_to(output)
        }


def _ran_before(stage: PipelineStage) -> bool:
    """Whether the stage stands in the lock."""
    return any(each.hash_info for each in (*stage.deps, *stage.outs))


def _may_restore(stage: PipelineStage, states: dict[Dependency, State]) -> bool:
    """Whether DVC looks for the stage in its run cache, and the look can be foretold."""
    inputs = all(
        state.known and not state.missing and each.protocol == "local"
        for each, state in states.items()
    )
    outputs = all(
        out.protocol == "local" and out.is_in_repo and not out.persist for out in stage.outs
    )
    return bool(inputs and outputs and stage.deps and stage.outs and not stage.always_changed)

"""The stages of a DVC project in the order of ``dvc repro``, looked at once or several times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dvc.dvcfile import PROJECT_FILE
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc_data.hashfile.hash_info import HashInfo

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.plan.cache import Cache
from rarelens.pipeline.lineage.plan.code import FOLDER
from rarelens.pipeline.lineage.plan.evaluation import Evaluation, Predictor, Verdict
from rarelens.pipeline.lineage.plan.parameters import Values
from rarelens.pipeline.lineage.plan.workspace import Disk, State

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


class Project:
    """The project whose root is the folder ``root``.

    Raises:
        RarelensError: if it is no DVC project, or its files are not as DVC wants them.
    """

    def __init__(self, root: Path) -> None:
        if not (root / PROJECT_FILE).is_file():
            raise RarelensError(f"{PROJECT_FILE}: no such file; run from the project's root")
        with sentences():
            self.repo = Repo(root)
            self.stages = _stages(self.repo)
        self._root = Path(self.repo.root_dir)
        self._disk = Disk(self.repo)
        self._cache = Cache(self.repo)

    def plan(
        self, predictors: Mapping[str, Predictor], values: Values | None = None
    ) -> list[Verdict]:
        """What a ``dvc repro`` would do now.

        Args:
            predictors: by the kind of stage whose outputs they tell.
            values: of the parameters, if not those on disk.

        Raises:
            RarelensError: if a parameter is missing.
        """
        evaluation = Evaluation(
            self._root,
            self._recorded_fingerprints(),
            self._disk,
            self._cache,
            values or Values(),
            predictors,
        )
        with sentences():
            return [evaluation.judge(stage) for stage in self.stages]

    def _recorded_fingerprints(self) -> State:
        folder = str(self._root / FOLDER)
        outs = (out for stage in self.stages for out in stage.outs)
        recorded = next((out.hash_info for out in outs if out.fs_path == folder), HashInfo())
        return self._cache.state(recorded)


def _stages(repo: Repo) -> list[PipelineStage]:
    """All stages of the root's dvc.yaml and those that they depend on, these first."""
    graph = get_active_graph(repo.index.graph)
    wanted = [stage for stage in graph if stage.path_in_repo == PROJECT_FILE]
    return list(plan_repro(graph, wanted))


@contextmanager
def sentences() -> Iterator[None]:
    """Turn DVC's errors into sentences."""
    try:
        yield
    except DvcException as error:
        raise RarelensError(" ".join(str(error).split())) from error

"""What DVC knows of a project's stages: which are up to date, and the record of those that ran.

One process asks and writes, under DVC's own locks, and so what it leaves is what a serial
``dvc repro`` leaves: the same entries in the same order. Commands run with the lock released.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dvc.dvcfile import PROJECT_FILE
from dvc.repo import Repo
from dvc.repo.reproduce import collect_stages, get_active_graph, plan_repro
from dvc.rwlock import rwlock
from dvc.stage.cache import RunCacheNotFoundError

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.plan.project import sentences

if TYPE_CHECKING:
    from dvc.stage import PipelineStage


class Ledger:
    """The stages of the project in the folder ``root``.

    Args:
        root: of the project.
        targets: as of ``dvc repro``; none for all that the root's dvc.yaml leads to.

    Attributes:
        stages: in the order of ``dvc repro``.
        names: of all stages of the project (`name_of`), targets or not.

    Raises:
        RarelensError: if it is no DVC project, if a target is no stage, or its files are wrong.
    """

    def __init__(self, root: Path, targets: Sequence[str] = ()) -> None:
        if not (root / PROJECT_FILE).is_file():
            raise RarelensError(f"{PROJECT_FILE}: no such file; run from the project's root")
        with sentences():
            self.repo = Repo(root)
            graph = get_active_graph(self.repo.index.graph)
            wanted = collect_stages(self.repo, targets or [PROJECT_FILE])
            self.stages: list[PipelineStage] = plan_repro(graph, wanted)
        self.names = {name_of(stage) for stage in graph if stage.cmd}
        self._graph = graph.subgraph(self.stages)
        self._held: dict[PipelineStage, ExitStack] = {}
        self._inputs: dict[PipelineStage, list[object]] = {}
        self._unwritten = list(self.stages)
        self._finished: set[PipelineStage] = set()
        self._passed: set[PipelineStage] = set()  # Ended, with nothing to write.

    def before(self, stage: PipelineStage) -> set[PipelineStage]:
        """The stages whose outputs it reads."""
        return set(self._graph.successors(stage))

    def after(self, stage: PipelineStage) -> set[PipelineStage]:
        """The stages that wait for it, directly or not."""
        found: set[PipelineStage] = set()
        left = [stage]
        while left:
            further = set(self._graph.predecessors(left.pop())) - found
            found |= further
            left += further
        return found

    def begin(self, stage: PipelineStage) -> str:
        """Whether a stage's command has to run.

        Returns:
            ``unchanged``; ``restored``, if the run cache has its outputs; or ``run``, and then
            its outputs are removed, and its files are locked against other DVC commands.

        Raises:
            RarelensError: if a dependency is missing, or in use by another DVC command.
        """
        with sentences(), self.repo.lock:
            if not stage.cmd or stage.frozen or not stage.changed():
                self._passed.add(stage)
                return "unchanged"
            missing = ", ".join(str(dep) for dep in stage.deps if not dep.exists)
            if missing:
                raise RarelensError(f"{stage.addressing}: {missing}: no such file, but it needs it")
            stage.remove_outs(ignore_remove=False, force=False)
            try:
                self.repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()
                self._inputs[stage] = _hashes(stage)
                self._hold(stage)
                return "run"
            self._record(stage)
        return "restored"

    def end(self, stage: PipelineStage, succeeded: bool) -> None:
        """Put what a stage's command left into the cache, if it succeeded.

        Raises:
            RarelensError: if an output is missing, or a dependency has changed while it ran.
        """
        with sentences(), self.repo.lock:
            self._held.pop(stage).close()
            before = self._inputs.pop(stage)
            if not succeeded:
                return
            stage.save_deps()
            if _hashes(stage) != before:
                changed = ", ".join(
                    str(dep)
                    for dep, old, new in zip(stage.deps, before, _hashes(stage), strict=True)
                    if old != new
                )
                raise RarelensError(
                    f"{changed} changed while it ran, so that its results are "
                    "of neither state; run it again"
                )
            self._record(stage)

    def write(self, *, all_of_them: bool = False) -> None:
        """Write the locks' entries of stages that ended; each file once, however many they are.

        Those come first that a serial ``dvc repro`` would have written first, and so an entry
        waits for the stages before it, unless ``all_of_them``. What a kill loses of those that
        wait is restored from the run cache.
        """
        entries = defaultdict(list)
        for stage in list(self._unwritten):
            if stage in self._finished:
                entries[stage.dvcfile].append(stage)
            elif stage not in self._passed and not all_of_them:
                break
            self._unwritten.remove(stage)
        with sentences(), self.repo.lock:
            for file, stages in entries.items():
                file.dump_stages(stages, update_pipeline=False)

    def close(self) -> None:
        """Let go of all files."""
        with self.repo.lock:
            for held in self._held.values():
                held.close()
        self._held.clear()
        self.repo.close()

    def _record(self, stage: PipelineStage) -> None:
        cached = all(out.use_cache or out.is_metric or out.is_plot for out in stage.outs)
        stage.save(run_cache=cached)
        stage.commit()
        self._finished.add(stage)

    def _hold(self, stage: PipelineStage) -> None:
        """As DVC holds a running stage's files; unlike its decorator, past one call."""
        repo = self.repo
        paths = ([each.fs_path for each in entries] for entries in (stage.deps, stage.outs))
        hardlink = repo.config["core"].get("hardlink_lock", False)
        self._held[stage] = held = ExitStack()
        held.enter_context(rwlock(repo.tmp_dir, repo.fs, "rarelens launch", *paths, hardlink))


def name_of(stage: PipelineStage) -> str:
    """What a stage is called in its dvc.yaml, without its cell: ``train``."""
    return str(stage.name).partition("@")[0]


def _hashes(stage: PipelineStage) -> list[object]:
    return [dep.hash_info for dep in stage.deps]

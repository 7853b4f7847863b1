"""Why DVC will find a stage changed, in sentences; an unchanged stage has none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rarelens.pipeline.lineage.fingerprints import NAMES
from rarelens.pipeline.lineage.plan.cache import Cache
from rarelens.pipeline.lineage.plan.code import FOLDER, code_changes, is_fingerprint
from rarelens.pipeline.lineage.plan.parameters import changes
from rarelens.pipeline.lineage.plan.workspace import State, Workspace, read_file

if TYPE_CHECKING:
    from dvc.dependency import Dependency, ParamsDependency
    from dvc.output import Output
    from dvc.stage import PipelineStage
    from dvc_data.hashfile.hash_info import HashInfo


class Reasons:
    """Compares stages with what DVC recorded of their last run.

    Args:
        root: of the project.
        workspace: what there is now, and what stages will have made of it.
        cache: DVC's caches.
        prints: the folder of fingerprints as it was recorded last.
    """

    def __init__(self, root: Path, workspace: Workspace, cache: Cache, prints: State) -> None:
        self._root = root
        self._workspace = workspace
        self._cache = cache
        self._recorded = prints

    def of_inputs(
        self,
        stage: PipelineStage,
        states: dict[Dependency, State],
        values: dict[ParamsDependency, dict[str, Any]],
    ) -> list[str]:
        """What changed in the command, the parameters, and the files that a stage depends on."""
        found = []
        if stage.is_callback or stage.always_changed:
            found.append("runs every time")
        if stage.cmd_changed:
            found.append("command changed")
        for dependency, new in values.items():
            found += changes(dependency, new)
            if dependency.hash_info.value is None:
                found.append(f"{dependency}: new")
        for dependency, state in states.items():
            if not state.known or state.missing or state.hash_info != dependency.hash_info:
                found += self._of_file(dependency, state)
        return found

    def of_outputs(self, stage: PipelineStage) -> list[str]:
        """What is amiss with a stage's own outputs."""
        return [reason for out in stage.outs for reason in self._of_output(out)]

    def _of_output(self, out: Output) -> Iterator[str]:
        state = self._workspace.state(out.fs_path)
        lost = out.use_cache and out.hash_info and not self._cache.holds(out.hash_info)
        if state.missing:
            yield f"output {self._path(out)} deleted{' and not in the cache' if lost else ''}"
        elif state.hash_info != out.hash_info:
            yield f"output {self._path(out)} edited"
        elif lost:
            yield f"output {self._path(out)} not in the cache"

    def _of_file(self, dependency: Dependency, state: State) -> list[str]:
        path = self._path(dependency)
        if is_fingerprint(path) and state.known and not state.missing:
            return self._of_code(path, dependency, state)
        if state.makers:
            return [f"follows from {maker}" for maker in sorted(state.makers)]
        name = f"data {path}" if path.startswith("data/") else path
        return [f"{name} is missing" if state.missing else f"{name} changed"]

    def _of_code(self, path: str, dependency: Dependency, state: State) -> list[str]:
        if state.files is None:
            return self._of_fingerprint(path, dependency.hash_info, state.hash_info)
        # DVC's cache lists the whole folder of fingerprints, not the folders in it.
        recorded = self._recorded.inside(tuple(path.split("/")[1:]))
        if recorded.files is None or recorded.hash_info != dependency.hash_info:
            return [f"{path} changed"]
        old_files = {key: own for key, (_, own) in recorded.files.items()}
        new_files = {key: own for key, (_, own) in state.files.items()}
        found: dict[str, None] = {}
        for key in sorted(old_files.keys() | new_files.keys()):
            if old_files.get(key) != new_files.get(key):
                own = "/".join((path, *key))
                told = self._of_fingerprint(own, old_files.get(key), new_files.get(key))
                found |= dict.fromkeys(told)
        return list(found)

    def _of_fingerprint(self, path: str, old: HashInfo | None, new: HashInfo | None) -> list[str]:
        file = self._root / path
        return code_changes(self._cached(old), self._text(new, file), path, self._names)

    @cached_property
    def _names(self) -> tuple[bytes | None, bytes | None]:
        """The names of definitions as they were recorded last, and as they will be."""
        file = self._root / FOLDER / NAMES
        new = self._workspace.state(str(file))
        old = self._recorded.inside((NAMES,))
        return self._cached(old.hash_info), self._text(new.hash_info, file)

    def _cached(self, hash_info: HashInfo | None) -> bytes | None:
        return self._cache.text(hash_info) if hash_info else None

    def _text(self, hash_info: HashInfo | None, file: Path) -> bytes | None:
        """The new content of a file: foretold, in the cache, or on disk."""
        if not hash_info:
            return None
        return self._workspace.text(hash_info) or self._cached(hash_info) or read_file(file)

    def _path(self, item: Output) -> str:
        path = Path(item.fs_path)
        return (path.relative_to(self._root) if item.is_in_repo else path).as_posix()

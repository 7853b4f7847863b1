"""DVC's caches, read only: whether an output is there, what a stage once made of its inputs."""

from __future__ import annotations

import copy
import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
from dvc.stage.cache import _get_cache_hash
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils.serialize import YAMLFileCorruptedError, load_yaml
from dvc_data.hashfile.hash import hash_file
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError
from voluptuous import Invalid

from rarelens.pipeline.lineage.plan.workspace import State, read_file

if TYPE_CHECKING:
    from dvc.dependency import Dependency
    from dvc.repo import Repo
    from dvc.stage import PipelineStage


class Cache:
    """The cache of outputs and the run cache.

    DVC's own look-ups delete what they find damaged; these leave everything as it is.
    """

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._odb = repo.cache.local
        # Looked at once each.
        self._holds_one = cache(self._is_intact)
        self._tree = cache(self._load_tree)

    def holds(self, hash_info: HashInfo) -> bool:
        """Whether a file, or a folder with all its files, is in the cache."""
        if not hash_info:
            return False
        if hash_info.isdir:
            tree = self._tree(hash_info)
            return tree is not None and all(
                self._holds_one(str(own.value)) for _, _, own in (*tree, ((), None, hash_info))
            )
        return self._holds_one(str(hash_info.value))

    def text(self, hash_info: HashInfo) -> bytes | None:
        """The content of a file, where the cache has it."""
        return read_file(Path(self._odb.oid_to_path(hash_info.value)))

    def restored(
        self, stage: PipelineStage, states: dict[Dependency, State], values: dict[Dependency, Any]
    ) -> dict[str, State] | None:
        """What the run cache holds of an earlier run on the same inputs.

        Returns:
            The outputs by their path in the stage, or nothing.
        """
        entry = self._newest(_key(stage, states, values))
        outputs = entry["outs"] if entry else []
        return self.contents({each["path"]: HashInfo("md5", each["md5"]) for each in outputs})

    def contents(self, outputs: dict[str, HashInfo]) -> dict[str, State] | None:
        """What outputs hold, if all of them are in the cache."""
        if not outputs or not all(map(self.holds, outputs.values())):
            return None
        return {path: self.state(hash_info) for path, hash_info in outputs.items()}

    def state(self, hash_info: HashInfo) -> State:
        """What a file or folder holds, the latter without its files if the cache has no list."""
        tree = self._tree(hash_info) if hash_info.isdir else None
        files = None if tree is None else {key: (meta, own) for key, meta, own in tree}
        return State(hash_info=hash_info, files=files)

    def _load_tree(self, hash_info: HashInfo) -> Tree | None:
        try:
            return Tree.load(self._odb, hash_info)
        except (FileNotFoundError, ObjectFormatError):
            return None

    def _is_intact(self, oid: str) -> bool:
        path = self._odb.oid_to_path(oid)
        try:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
        except OSError:
            return False
        if mode == self._odb.CACHE_MODE:
            return True
        _, actual = hash_file(path, self._odb.fs, "md5", self._odb.state)
        return str(actual.value) == oid.removesuffix(".dir")

    def _newest(self, key: str) -> dict[str, Any] | None:
        folder = Path(self._repo.stage_cache._get_cache_dir(key))
        if not folder.is_dir():
            return None
        newest = max(folder.iterdir(), key=os.path.getmtime, default=None)
        try:
            return COMPILED_LOCK_FILE_STAGE_SCHEMA(load_yaml(newest)) if newest else None
        except (YAMLFileCorruptedError, Invalid):
            return None


def _key(
    stage: PipelineStage, states: dict[Dependency, State], values: dict[Dependency, Any]
) -> str:
    """The run cache's key, by DVC's own functions on a copy of the stage with these inputs."""
    own = copy.copy(stage)
    own.deps = [copy.copy(dependency) for dependency in stage.deps]
    for new, old in zip(own.deps, stage.deps, strict=True):
        if old in values:
            new.hash_info = HashInfo(new.PARAM_PARAMS, values[old])
        else:
            new.hash_name, new.hash_info, new.meta = "md5", states[old].hash_info, states[old].meta
    return str(_get_cache_hash(to_single_stage_lockfile(own), key=True))

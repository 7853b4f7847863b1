"""What of a stage travels through a DVC remote: files that it reads or has written, and its run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dvc.fs import generic
from dvc.stage import PipelineStage, create_stage
from dvc.stage.cache import _can_hash, _get_stage_hash
from dvc.stage.loader import StageLoader
from dvc.stage.serialize import to_single_stage_lockfile
from dvc.utils import parse_target

from rarelens.errors import RarelensError

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc_data.hashfile.db import HashFileDB

Entry = Mapping[str, Any]  # Of a lock: a path, and the digest of what is there.


def stage_at(repo: Repo, address: str) -> PipelineStage:
    """The stage of that address, its dvc.yaml alone being read.

    Raises:
        RarelensError: if not all that it writes goes through DVC's cache.
    """
    file, name = parse_target(address)
    stage = repo.stage.load_one(file, name)
    if not all(out.use_cache and not out.persist for out in stage.outs):
        raise RarelensError(f"{address} writes what is not in DVC's cache: run it here")
    return stage


def entries_of(stage: PipelineStage) -> Sequence[Entry]:
    """The files that it reads, parameters apart, as they were when last looked at."""
    return list(to_single_stage_lockfile(stage).get("deps", []))


def key_of(stage: PipelineStage) -> str:
    """By which DVC's run cache knows all that the stage's outputs follow from."""
    if not _can_hash(stage):
        raise RarelensError(f"{stage.addressing}: DVC keeps no run of such a stage: run it here")
    return str(_get_stage_hash(stage))


def run_of(repo: Repo, stage: PipelineStage) -> Entry | None:
    """The newest run of this very stage that the run cache here has."""
    found: Entry | None = repo.stage_cache._load(stage)
    return found


def carry_run(key: str, source: HashFileDB, target: HashFileDB) -> None:
    """Copy the runs of a stage, if there are any, from one run cache to another."""
    folder = source.fs.join(source.path, "runs", key[:2], key)
    source.fs.fs.invalidate_cache()
    if source.fs.exists(folder):
        for file in source.fs.find(folder):
            name = source.fs.name(file)
            generic.copy(
                source.fs, file, target.fs, target.fs.join(target.path, "runs", key[:2], key, name)
            )


def bring(repo: Repo, stage: PipelineStage, entries: Iterable[Entry], remote: str) -> None:
    """Put the files of these entries into their place, out of the cache or else the remote.

    Raises:
        RarelensError: if the remote lacks one.
    """
    entries = list(entries)
    placed = create_stage(
        PipelineStage,
        repo=repo,
        path=str(Path(repo.root_dir) / "dvc.yaml"),
        cmd=stage.cmd,
        wdir=stage.wdir,
        outs=[entry["path"] for entry in entries],
    )
    StageLoader.fill_from_lock(placed, {"outs": entries})
    for out in placed.outs:
        if not out.exists or out.changed_checksum():
            _place(repo, out, remote)


def _place(repo: Repo, out: Output, remote: str) -> None:
    path = Path(out.fs_path)
    if path.is_symlink():
        path.unlink()  # Never write through it.
    for objects in out.get_used_objs(remote=remote).values():
        if repo.cloud.pull(objects, remote=remote).failed:
            raise RarelensError(f"{out}: not in the remote {remote}")
    out.checkout(force=True)

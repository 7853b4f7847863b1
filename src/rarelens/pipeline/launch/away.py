"""A stage that a machine computes which shares no folder with this one: this side of it.

The code travels by git, as a commit; what the stage reads, and its results, by a DVC remote; and
that it has run is told by DVC's run cache in that remote. So a result that is there already is
fetched and not made again: that of a launch which was killed, or of a colleague.

To the launcher it is a command like any other: when it ends, the stage's outputs are here.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dvc.repo import Repo
from dvc_data.hashfile.build import build
from dvc_data.hashfile.transfer import transfer

from rarelens.errors import RarelensError
from rarelens.pipeline.launch.parcels import (
    bring,
    carry_run,
    entries_of,
    key_of,
    run_of,
    stage_at,
)
from rarelens.pipeline.lineage.plan.project import sentences

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

# What the other machine has from git.
CODE = ("src", "stages", "weights", "requirements.lock", "params.yaml", "*dvc.yaml", ".dvc/config")


def send(remote: str, command: Sequence[str], git: str = "", scratch: str = "") -> None:
    """Have a stage's outputs made elsewhere, and bring them here.

    Args:
        remote: of DVC, in ``.dvc/config``.
        command: that runs a command on the other machine, followed by the stage's own, as
            `launch` gives it; the stage is named by ``DVC_STAGE``.
        git: where the other machine fetches the code from; without it, ``origin``.
        scratch: the folder of the clones there.

    Raises:
        RarelensError: if code or parameters are not committed; if the stage's outputs are not in
            DVC's cache; if the other machine did not bring them about.
    """
    root, address = Path.cwd(), os.environ.get("DVC_STAGE")
    *transport, shell, dash, _ = ["", "", "", *command]
    if not address or (shell, dash) != ("/bin/sh", "-c"):
        raise RarelensError("`rarelens away` runs stages of `rarelens launch --through`")
    commit = _commit(root)
    with sentences():
        repo = Repo(root)
        stage = stage_at(repo, address)
        stage.save_deps()
        if not _fetch(repo, stage, remote):
            _push_inputs(repo, stage, remote)
            order = {
                "git": git or _git(root, "remote", "get-url", "origin"),
                "commit": commit,
                "stage": address,
                "key": key_of(stage),
                "inputs": entries_of(stage),
                "remote": remote,
                "scratch": scratch,
            }
            text = base64.urlsafe_b64encode(json.dumps(order).encode()).decode()
            there = [each for each in transport if each]
            done = subprocess.run([*there, "rarelens", "there", text], check=False)
            if not _fetch(repo, stage, remote):
                raise RarelensError(
                    f"{address}: no result in the remote {remote} "
                    f"(exit status {done.returncode}: {' '.join(there)})"
                )
        repo.close()


def _fetch(repo: Repo, stage: PipelineStage, remote: str) -> bool:
    """Whether the remote had the stage's results; they are here then."""
    far = repo.cloud.get_remote_odb(remote, "fetch", hash_name="md5-dos2unix")
    carry_run(key_of(stage), far, repo.cache.legacy)
    run = run_of(repo, stage)
    if run is None:
        return False
    bring(repo, stage, run["outs"], remote)
    return True


def _push_inputs(repo: Repo, stage: PipelineStage, remote: str) -> None:
    """What it reads, from where it lies: not all of it is in the cache."""
    target = repo.cloud.get_remote_odb(remote, "push")
    paths = {each["path"] for each in entries_of(stage)}
    for dep in stage.deps:
        if dep.def_path in paths:
            staged, _, files = build(dep.cache, dep.fs_path, dep.fs, "md5", ignore=dep.dvcignore)
            transfer(staged, target, {files.hash_info}, shallow=False, hardlink=False)


def _commit(root: Path) -> str:
    """The commit that is checked out, if it is all that is here."""
    changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *CODE)
    names = [line[3:] for line in changed.splitlines()]
    if names:
        raise RarelensError(
            f"{', '.join(names)}: not committed, so that another machine cannot have it; "
            "commit and push"
        )
    return _git(root, "rev-parse", "HEAD")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RarelensError(f"git {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout.rstrip("\n")

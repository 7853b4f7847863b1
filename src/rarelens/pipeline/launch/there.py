"""A stage that a machine computes which shares no folder with the launcher's: that side."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path

from dvc.repo import Repo
from filelock import FileLock, Timeout

from rarelens.errors import RarelensError
from rarelens.pipeline.launch.parcels import bring, carry_run, key_of, stage_at
from rarelens.pipeline.lineage.plan.project import sentences


def carry_out(text: str) -> None:
    """Run the stage of an order of `away.send` in a clone, and push what it wrote.

    Clones stay, with their files and one cache for all, so that the next stage fetches what is new.

    Raises:
        RarelensError: if the commit cannot be fetched, or holds another stage than the launcher
            has; if the stage fails.
    """
    order = json.loads(base64.urlsafe_b64decode(text))
    with _clone(Path(order["scratch"]).expanduser(), order["git"], order["commit"]) as folder:
        os.chdir(folder)
        with sentences(), Repo(folder) as repo:
            stage = stage_at(repo, order["stage"])
            bring(repo, stage, order["inputs"], order["remote"])
            with repo.lock:
                stage.save_deps()
                if key_of(stage) != order["key"]:
                    raise RarelensError(f"{stage.addressing}: not the same at {order['commit']}")
                stage.run()
            for objects in stage.get_used_objs().values():
                repo.cloud.push(objects, remote=order["remote"])
            far = repo.cloud.get_remote_odb(order["remote"], "push", hash_name="md5-dos2unix")
            carry_run(order["key"], repo.cache.legacy, far)


@contextmanager
def _clone(scratch: Path, url: str, commit: str) -> Iterator[Path]:
    """A working copy of the commit that no other stage uses."""
    project = scratch / sha256(url.encode()).hexdigest()[:12]
    for number in count():
        folder = project / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{folder}.lock", timeout=0):
                _check_out(folder, url, commit)
                yield folder
        except Timeout:
            continue
        return


def _check_out(folder: Path, url: str, commit: str) -> None:
    _git(folder, "init", "--quiet")
    _git(folder, "fetch", "--quiet", "--depth=1", url, commit)
    _git(folder, "checkout", "--quiet", "--force", "--detach", commit)
    local = folder / ".dvc/config.local"
    local.write_text(f"[cache]\n    dir = {folder.parent / 'cache'}\n")


def _git(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        problem = done.stderr.strip()
        raise RarelensError(f"git {arguments[0]} {arguments[-1]}: {problem}; is it pushed?")

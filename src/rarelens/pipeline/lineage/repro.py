"""``dvc repro``, by which files are parsed once, and what changed in a lock is written alone."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dvc import dvcfile
from dvc.cli import main
from dvc.dependency import param
from dvc.fs import LocalFileSystem
from dvc.utils.serialize import LOADERS, load_yaml, modify_yaml

from rarelens.pipeline.lineage.locks import KeptLocks

dpath = param.dpath


def repro(arguments: Sequence[str]) -> int:
    """Do as ``dvc repro`` with these arguments does; its exit code."""
    with parsed_once():
        return int(main(["repro", *arguments]))


@contextmanager
def parsed_once() -> Iterator[None]:
    """DVC parses neither params.yaml nor a lock anew for every stage, while they are as they were.

    Its table of readers by a file's ending takes another one, which reads again what has changed;
    its search for a key, which holds every key of the file against it, is a look-up; and of a lock
    what a stage changed is written alone (`KeptLocks`).
    """
    LOADERS[".yaml"] = KeptYaml()
    param.dpath = SimpleNamespace(get=look_up)
    dvcfile.modify_yaml = KeptLocks()
    try:
        yield
    finally:
        del LOADERS[".yaml"]
        param.dpath = dpath
        dvcfile.modify_yaml = modify_yaml


def look_up(values: Any, path: str, separator: str = ".") -> Any:
    """As `dpath.get`, which also takes patterns and whole numbers for keys.

    Raises:
        KeyError: if there is none.
    """
    found = values
    for key in path.split(separator):
        if not isinstance(found, dict) or key not in found:
            return dpath.get(values, path, separator=separator)
        found = found[key]
    return found


class KeptYaml:
    """Reads as DVC's `load_yaml` does; a local file that did not change is not parsed again."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[int, ...], bytes]] = {}

    def __call__(self, path: str | os.PathLike[str], fs: Any = None, **options: Any) -> Any:
        """As `load_yaml`."""
        if options or not (fs is None or isinstance(fs, LocalFileSystem)):
            return load_yaml(path, fs=fs, **options)
        try:
            found = Path(path).stat()
        except OSError:
            return load_yaml(path, fs=fs)
        look = (found.st_size, found.st_mtime_ns, found.st_ino)
        name = str(Path(path).absolute())
        known, content = self._kept.get(name, ((), b""))
        if known != look:
            content = pickle.dumps(load_yaml(path, fs=fs))
            self._kept[name] = look, content
        # A copy each time, for its user may change it.
        return pickle.loads(content)

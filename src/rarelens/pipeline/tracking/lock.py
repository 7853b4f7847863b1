"""What DVC's lock files say: which stage made a path last, from what, to what digest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from rarelens.errors import RarelensError


class Lock:
    """All entries of ``dvc.lock`` and ``studies/<task>/dvc.lock`` below the folder ``root``.

    Paths are as they stand in the files, relative to the project's root.

    Raises:
        RarelensError: if a file is not as DVC writes it.
    """

    def __init__(self, root: Path) -> None:
        self._digests: dict[str, str] = {}
        self._makers: dict[str, Mapping[str, Any]] = {}
        for file in (root / "dvc.lock", *sorted(root.glob("studies/*/dvc.lock"))):
            if not file.is_file():
                continue
            try:
                self._read(file)
            except (YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
                name = file.relative_to(root).as_posix()
                raise RarelensError(
                    f"{name}: not as DVC writes it; `git checkout {name}` brings back the last "
                    "one committed"
                ) from error

    def digest(self, path: Path) -> str | None:
        """The digest of what the path holds; None if no stage has made it."""
        return self._digests.get(path.as_posix())

    def parameters(self, path: Path) -> dict[str, Any]:
        """The parameters of the stage that made the path, under their dotted keys."""
        files = self._makers[path.as_posix()].get("params", {}).values()
        return {key: value for parameters in files for key, value in parameters.items()}

    def follows(self, path: Path, source: Path) -> bool:
        """Whether ``path`` was made from ``source`` as that stands now."""
        made = self._makers.get(path.as_posix(), {})
        used = {each["path"]: each.get("md5") for each in made.get("deps", ())}
        digest = self.digest(source)
        return digest is not None and used.get(source.as_posix()) == digest

    def _read(self, file: Path) -> None:
        # Written by DVC, and long: the C parser.
        content = YAML(typ="safe", pure=False).load(file.read_text(encoding="utf-8")) or {}
        for entry in content.get("stages", {}).values():
            for out in entry.get("outs", ()):
                self._digests[out["path"]] = out.get("md5", "")
                self._makers[out["path"]] = entry

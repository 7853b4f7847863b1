"""Fingerprints: for each stage and each component, the digests of all code that it can run.

A stage of ``dvc.yaml`` depends on the file of its script, and on those of the components that it
finds by name, and so reruns after an edit of what it uses and of nothing else.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import Closures, is_own, source_of
from rarelens.pipeline.lineage.entries import Entries, components
from rarelens.pipeline.lineage.syntax import syntax_digest
from rarelens.pipeline.lineage.weights import digests_of_weights
from rarelens.studies.files import write_json

# Packages whose versions change numbers or pictures, by the name they are imported under; the
# rest only moves files about.
NUMERIC = {
    name: name
    for name in (
        "accelerate", "captum", "matplotlib", "monai", "nibabel", "nilearn", "numpy", "pandas",
        "pycocotools", "scipy", "seaborn", "torch",
    )
} | {"PIL": "pillow", "sklearn": "scikit-learn"}  # fmt: skip


def write_fingerprints(target: Path, scripts: Path, lock: Path, entries: Entries) -> None:
    """Write ``stages/<script>.json``, ``networks/<name>.json``, … into the folder ``target``.

    Args:
        target: an existing, empty folder.
        scripts: the folder of stage scripts.
        lock: ``requirements.lock``, whose versions count (not the installed ones, so that the
            same commit has the same fingerprints everywhere); initial weights are beside it.
        entries: of ``params.yaml``, which say what networks, methods and so on are made of.

    Raises:
        RarelensError: if a component or ``lock`` does not exist, or if code is no Python.
    """
    prints = _Fingerprints(lock)
    weights = digests_of_weights(lock.parent, entries.networks)
    for name, modules in components(entries).items():
        found = prints.of(prints.closures.of_modules(modules))
        found["code"] |= weights.get(name, {})
        write_json(target / f"{name}.json", found)
    for script in sorted(scripts.glob("*.py")):
        found = prints.of(prints.closures.of_script(script))
        found["code"][f"stages/{script.name}"] = syntax_digest(script)
        write_json(target / "stages" / f"{script.stem}.json", found)


class _Fingerprints:
    """Digests of modules, taken once each."""

    def __init__(self, lock: Path) -> None:
        self.closures = Closures()
        if not lock.is_file():
            raise RarelensError(f"{lock.name}: no such file; `git checkout {lock.name}` has it")
        found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.M)
        self._versions = {name.lower(): version for name, version in found}
        self._digests: dict[str, str] = {}

    def of(self, closure: set[str]) -> dict[str, Any]:
        """Digests of a closure's modules and files, versions of its packages."""
        code: dict[str, str] = {}
        for module in filter(is_own, closure):
            code[module] = self._digest(module)
            code |= _resources(module)
        packages = {NUMERIC[name] for name in closure if name in NUMERIC}
        versions = {name: self._versions.get(name, "unpinned") for name in packages}
        return {"code": code, "packages": versions}

    def _digest(self, module: str) -> str:
        if module not in self._digests:
            self._digests[module] = syntax_digest(source_of(module))
        return self._digests[module]


def _resources(module: str) -> dict[str, str]:
    """Digests of the files beside a package's modules that are no Python, such as templates."""
    source = source_of(module)
    if source.name != "__init__.py":
        return {}
    files = sorted(file for file in source.parent.iterdir() if file.suffix == ".j2")
    return {
        f"{module}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()[:16]
        for file in files
    }

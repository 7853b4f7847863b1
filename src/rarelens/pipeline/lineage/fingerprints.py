"""Fingerprints: for each stage and each component, the digests of all code that it can run.

A stage of ``dvc.yaml`` depends on the file of its script, and on those of the components that it
finds by name, and so reruns after an edit of what it uses and of nothing else.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import Closure, Closures
from rarelens.pipeline.lineage.entries import Entries, components, roots
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
        found = prints.of(prints.closures.of_names(roots(modules)))
        found["code"] |= weights.get(name, {})
        write_json(target / f"{name}.json", found)
    for script in sorted(scripts.glob("[!_]*.py")):
        found = prints.of(prints.closures.of_script(script))
        write_json(target / "stages" / f"{script.stem}.json", found)


class _Fingerprints:
    """Closures with the versions of their packages."""

    def __init__(self, lock: Path) -> None:
        self.closures = Closures()
        if not lock.is_file():
            raise RarelensError(f"{lock.name}: no such file; `git checkout {lock.name}` has it")
        found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.M)
        self._versions = {name.lower(): version for name, version in found}

    def of(self, closure: Closure) -> dict[str, Any]:
        """Digests of a closure's definitions and files, versions of its packages."""
        numeric = {NUMERIC[name] for name in closure.outside if name in NUMERIC}
        versions = {name: self._versions.get(name, "unpinned") for name in numeric}
        return {"code": closure.code, "packages": versions}

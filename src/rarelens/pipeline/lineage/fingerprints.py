"""Fingerprints: for each stage and each component, the digests of all code that it can run.

A stage of ``dvc.yaml`` depends on the file of its script, and on those of the components that it
finds by name, and so reruns after an edit of what it uses and of nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import Closure, Closures
from rarelens.pipeline.lineage.entries import Entries, components, roots
from rarelens.pipeline.lineage.remembered import Remembered
from rarelens.pipeline.lineage.weights import digests_of_weights
from rarelens.studies.files import write_json

# Packages whose versions change numbers or pictures, by the name they are imported under; the
# rest only moves files about.
NUMERIC = {
    name: name
    for name in (
        "accelerate", "altair", "captum", "matplotlib", "monai", "nibabel", "nilearn", "numpy",
        "pandas", "pycocotools", "scipy", "seaborn", "torch",
    )
} | {"PIL": "pillow", "sklearn": "scikit-learn"}  # fmt: skip


# Names of definitions by their digests, for `rarelens plan`; no stage depends on the file.
NAMES = "names.json"


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
    versions = _versions(lock)
    weights = digests_of_weights(lock.parent, entries.networks)
    names: dict[str, set[str]] = {}
    for name, start, closure in fingerprinted(scripts, entries):
        content = closure.content()
        content["files"] |= weights.get(name, {})
        numeric = {NUMERIC[each] for each in closure.outside if each in NUMERIC}
        content["packages"] = {each: versions.get(each, "unpinned") for each in numeric}
        write_json(target / f"{name}.json", content | {"from": sorted(start)})
        for own, digest in closure.code.items():
            names.setdefault(digest, set()).add(own)
    write_json(target / NAMES, {digest: sorted(own) for digest, own in names.items()})


def fingerprinted(scripts: Path, entries: Entries) -> Iterator[tuple[str, set[str], Closure]]:
    """By the name of each fingerprint, the names that it starts from, and its closure."""
    closures, remembered = Closures(), Remembered("fingerprints", scripts)

    def known_or_read(key: str, read: Callable[[], Closure]) -> Closure:
        known = remembered.get(key)
        if known:
            return Closure(known["code"], {*known["modules"]}, {*known["outside"]})
        found = read()
        remembered.keep(key, vars(found))
        return found

    for name, modules in components(entries).items():
        start = roots(modules)
        yield name, start, known_or_read(" ".join(sorted(start)), partial(closures.of_names, start))
    for script in sorted(scripts.glob("[!_]*.py")):
        found = known_or_read(script.name, partial(closures.of_script, script))
        yield f"stages/{script.stem}", set(), found
    remembered.write()


def _versions(lock: Path) -> dict[str, str]:
    if not lock.is_file():
        raise RarelensError(f"{lock.name}: no such file; `git checkout {lock.name}` has it")
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(encoding="utf-8"), re.M)
    return {name.lower(): version for name, version in found}

"""The right tree or none: code that runs is the project's own, and as its fingerprints have it.

So are the weights that networks start from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

import rarelens
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import WITHOUT_RESULT, Closures
from rarelens.pipeline.lineage.contents import Names, differences
from rarelens.pipeline.lineage.digests import digest
from rarelens.pipeline.lineage.modules import is_own, source_of
from rarelens.pipeline.lineage.remembered import Remembered
from rarelens.pipeline.lineage.weights import digest_of_file


def check_source(project: Path) -> None:
    """Refuse a rarelens that is not the project's own, where it has one in ``src``.

    Raises:
        RarelensError: with both paths.
    """
    imported = Path(rarelens.__file__).parent.resolve()
    own = (project / "src/rarelens").resolve()
    if (own / "__init__.py").is_file() and imported != own:
        raise RarelensError(
            f"rarelens runs from {imported}, but this project's code is {own}; "
            "run `pip install -e .` here, or set PYTHONPATH=src"
        )


class Tree(MetaPathFinder):
    """The code of a stage, compared with its fingerprints at the start and at each later import.

    Args:
        script: of the stage.
        fingerprints: their texts.

    Raises:
        RarelensError: if the code is another tree's, or changed since stage fingerprint.
    """

    def __init__(self, script: Path, fingerprints: Sequence[str]) -> None:
        check_source(Path.cwd())
        self._script = script
        self._texts = fingerprints
        self._contents: list[dict[str, Any]] = [json.loads(text) for text in fingerprints]
        self._check()
        for content in self._contents:
            held = {name: own for name, own in content["files"].items() if not _is_code(name)}
            self._compare({"code": [], "files": held}, {"code": [], "files": _weights(held)}, {})
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, *_: object) -> None:
        """Compare a module again, if its file was written since, before Python reads it."""
        if fullname in self._modules and _stamp(fullname) != self._stamps[fullname]:
            self._check()

    def check_imports(self) -> None:
        """Refuse what was imported beyond the fingerprints, by a name made up at run time.

        Raises:
            RarelensError: with the names of such modules.
        """
        sys.meta_path.remove(self)
        imported = {name for name in sys.modules if is_own(name)}
        without = {name for name in imported if name.startswith(WITHOUT_RESULT)}
        missed = imported - without - self._modules
        if missed:
            missed -= _run_by(without)
        if missed:
            raise RarelensError(
                f"stages/{self._script.name}: {', '.join(sorted(missed))} ran but is not in the "
                "stage's fingerprints, so that an edit of it would leave results stale; import it "
                "by a plain import statement, or name it in @stage and in dvc.yaml"
            )

    def _check(self) -> None:
        """Compare each fingerprint with the code on disk, unless they were found to agree."""
        remembered = Remembered(self._script.stem, self._script.parent)
        texts = digest("".join(self._texts), 64)
        agreed = remembered.get(texts)
        self._modules = self._compare_closures() if agreed is None else {*agreed}
        self._stamps = {module: _stamp(module) for module in self._modules}
        if agreed is None:
            remembered.keep(texts, self._modules)
            remembered.write()

    def _compare_closures(self) -> set[str]:
        """Compare each fingerprint, the script's first, with its closure; all their modules."""
        closures = Closures()
        own, *others = self._contents
        found = [(own, closures.of_script(self._script))]
        found += [(each, closures.of_names(each["from"])) for each in others]
        for known, closure in found:
            files = {name: own for name, own in known["files"].items() if _is_code(name)}
            names = {own: [name] for name, own in closure.code.items()}
            self._compare(known | {"files": files}, closure.content(), names)
        return {module for _, closure in found for module in closure.modules}

    def _compare(self, known: dict[str, Any], now: dict[str, Any], names: Names) -> None:
        if (known["code"], known["files"]) == (now["code"], now["files"]):
            return
        first, *others = [*differences(known, now, {}, names)] or ["code changed"]
        more = f" and {len(others)} more" if others else ""
        raise RarelensError(
            f"stages/{self._script.name}: {first.partition(' ')[0]}{more} changed since stage "
            "fingerprint, or is not in what it wrote; run `dvc repro`"
        )


def _is_code(name: str) -> bool:
    """Whether a name in a fingerprint is of code; initial weights stand there by their path."""
    return "/" not in name or name.startswith(("stages/", "rarelens."))


def _weights(names: Iterable[str]) -> dict[str, str]:
    """Digests of the files of initial weights that there are."""
    return {name: digest_of_file(Path(name)) for name in names if Path(name).is_file()}


def _stamp(module: str) -> tuple[int, int]:
    file = source_of(module)
    state = file.stat() if file.is_file() else None
    return (state.st_mtime_ns, state.st_size) if state else (0, 0)


def _run_by(modules: set[str]) -> set[str]:
    """Modules that these can import."""
    closures = Closures(without=())
    tables = [table for table in map(closures.module, modules) if table]
    names = [f"{table.name}.{name}" for table in tables for name in table.definitions]
    return closures.of_names([*modules, *names]).modules

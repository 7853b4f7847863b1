"""The right tree or none: code that runs is the project's own, and as its fingerprints have it.

So are the weights that networks start from.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path

import rarelens
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.closures import WITHOUT_RESULT, Closures
from rarelens.pipeline.lineage.modules import is_own, source_of
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
        known = {
            name: digest
            for text in fingerprints
            for name, digest in json.loads(text)["code"].items()
        }
        self._known = {name: digest for name, digest in known.items() if _is_code(name)}
        self._check()
        self._compare(known, self._known | _weights(known.keys() - self._known.keys()))
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
        known = {name for name in self._known if "/" not in name}
        found = Closures().of_script(self._script, known)
        self._modules = found.modules
        self._stamps = {name: _stamp(name) for name in found.modules}
        self._compare(self._known, found.code)

    def _compare(self, known: dict[str, str], found: dict[str, str]) -> None:
        changed = dict(known.items() ^ found.items())
        if changed:
            first = min(changed)
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise RarelensError(
                f"stages/{self._script.name}: {first}{more} changed since stage fingerprint, or is "
                "not in what it wrote; run `dvc repro`"
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

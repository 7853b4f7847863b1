"""Closures: the definitions of rarelens, and the packages, that a piece of code can run.

Read from the source, nothing is imported. A name is followed to its definition through imports
(those inside functions too), attributes of modules and re-exports; what importing a module does
beyond naming values counts wherever it is imported. What cannot be followed counts whole: a module
passed as a value (and what it imports), a star import, a package's ``__getattr__``, ``globals()``.

Left out are imports for type checkers, `rarelens.pipeline.tracking` (MLflow is told what happens;
no result depends on it), `rarelens.studies.tables` (a declaration can only refuse a table),
`rarelens.pipeline.lineage` itself, and the package's own ``__init__`` (it holds the version, which
would retrain everything at each release).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rarelens
from rarelens.pipeline.lineage.definitions import Module, Source, Used, read_module, used_by
from rarelens.pipeline.lineage.digests import Digests, digest
from rarelens.pipeline.lineage.modules import PACKAGE, is_own, source_of
from rarelens.pipeline.lineage.resolution import IMPORTS, Part, Table
from rarelens.pipeline.lineage.syntax import parse

# No result depends on them, and so they stand in no fingerprint.
WITHOUT_RESULT = (
    "rarelens.pipeline.tracking",
    "rarelens.pipeline.lineage",
    "rarelens.studies.tables",
)
# Below a module's package, what its definitions may read beside code.
RESOURCES = ("*.j2", "*/*.js.gz", "*/LICENSE")
# Where one of these is read, definitions' full names count.
_FULL_NAMES = ("__module__", "__qualname__")
# Its components' signatures are read to check params.yaml.
SIGNATURES = f"{PACKAGE}.components."


@dataclass
class Closure:
    """What a piece of code can run.

    Args:
        code: digests of definitions (`Digests.of`) by their full names, by a module's name of what
            its import does, if that is more than to name values, and by their paths of scripts and
            templates.
        modules: all modules of rarelens that can be imported.
        outside: other packages that these import.
    """

    code: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    outside: set[str] = field(default_factory=set)

    def content(self) -> dict[str, Any]:
        """What a fingerprint holds of it: names of files, and of definitions their digests alone.

        So what is called otherwise, or stands elsewhere, changes no fingerprint.
        """
        return {
            "code": sorted(own for name, own in self.code.items() if "/" not in name),
            "files": {name: own for name, own in self.code.items() if "/" in name},
        }


class Closures:
    """Reads each module of a rarelens once.

    Args:
        root: its folder; of the imported one if not given.
        without: packages that count nowhere.
    """

    def __init__(self, root: Path | None = None, without: tuple[str, ...] = WITHOUT_RESULT) -> None:
        self._without = without
        self._root = root or Path(rarelens.__file__).parent
        self._sources: dict[str, Source | None] = {}
        self._modules: dict[str, Module | None] = {}
        self._parts: dict[tuple[str, str], Part] = {}
        self.digests = Digests(self.part_of)

    def of_script(self, script: Path, names: Iterable[str] = ()) -> Closure:
        """Of a script, which counts whole, with those beside it that it imports.

        ``names``: as of `of_names`, which are run, too.

        Raises:
            RarelensError: if the script or a module is no Python.
        """
        walk = self._from(names)
        left, seen = [script], {script}
        while left:
            file = left.pop()
            tree = parse(file)
            used = used_by(tree.body, "")
            beside = {file.with_name(f"{name}.py") for name in used.run} - seen
            found = sorted(each for each in beside if each.is_file())
            left += found
            seen |= {*found}
            part = Table(self, used).part(used, tree.body)
            walk.follow(part)
            name = f"{file.parent.name}/{file.name}"
            walk.closure.code[name] = self.digests.of_script(part)
        return walk.finish()

    def of_names(self, names: Iterable[str]) -> Closure:
        """Of definitions by their full names; of a module's, what its import does.

        Raises:
            RarelensError: if a module is no Python.
        """
        return self._from(names).finish()

    def _from(self, names: Iterable[str]) -> _Walk:
        walk = _Walk(self)
        for name in names:
            module, own = self.split(name)
            walk.reach(module, own)
            table = self.module(module)
            if table and (
                own in table.top.imports or table.top.stars
            ):  # A root may come from there.
                used = Used({(own,)})
                walk.follow(Table(self, table.top, table).part(used, []))
        return walk

    def split(self, name: str) -> tuple[str, str]:
        """The module and the definition of a full name."""
        if self.module(name):
            return name, ""
        module, _, own = name.rpartition(".")
        return module, own

    def module(self, name: str) -> Module | None:
        """The table of a module; None for what is none of rarelens, or counts nowhere."""
        if name not in self._modules:
            counts = not any(f"{name}.".startswith(f"{each}.") for each in self._without)
            source = self._source(name) if counts else None
            self._modules[name] = read_module(source, self._source) if source else None
        return self._modules[name]

    def _source(self, name: str) -> Source | None:
        if name not in self._sources:
            file = source_of(name, self._root) if is_own(name) else None
            self._sources[name] = (
                Source(name, file, self.package(name), signatures=name.startswith(SIGNATURES))
                if file and file.is_file()
                else None
            )
        return self._sources[name]

    def part(self, module: Module, name: str) -> Part:
        """What a definition uses; a module's effects where ``name`` is empty, its imports of *."""
        key = module.name, name
        if key not in self._parts:
            nodes = module.definitions.get(name, [] if name else module.effects)
            statements = [each for each in nodes if isinstance(each, ast.AST)]
            used = used_by(statements, self.package(module.name))
            own = name if name in module.definitions else ""
            if name == IMPORTS:
                # Nobody asks a module for rarelens itself (`import rarelens.x` binds that name).
                used.chains |= {(each,) for each in module.top.imports if each != PACKAGE}
            self._parts[key] = Table(self, module.top, module).part(used, nodes, own)
        return self._parts[key]

    def part_of(self, key: tuple[str, str]) -> Part | None:
        """What a definition, or a module's effects or imports do; None where there are none."""
        module = self.module(key[0])
        if not module:
            return None
        some = {"": module.effects, IMPORTS: module.top.imports}
        there = key[1] in module.definitions or some.get(key[1])
        return self.part(module, key[1]) if there else None

    def package(self, name: str) -> str:
        """The package that a module's relative imports start from."""
        file = source_of(name, self._root)
        return name if file.name == "__init__.py" else name.rpartition(".")[0]

    def resources(self, names: Iterable[str]) -> dict[str, str]:
        """Digests of the templates, and of packed scripts with their licences, of definitions."""
        packages = {self.package(self.split(name)[0]) for name in names if is_own(name)}
        return {
            f"{package}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()[:16]
            for package in packages
            for kind in RESOURCES
            for file in source_of(package, self._root).parent.glob(kind)
        }

    def below(self, package: str) -> list[str]:
        """A module, and all modules in it if it is a package."""
        if not (is_own(package) or package == PACKAGE):
            return []
        folder = self._root.joinpath(*package.split(".")[1:])
        found = [package]
        for file in sorted(folder.rglob("*.py")) if folder.is_dir() else ():
            parts = file.relative_to(self._root).with_suffix("").parts
            found.append(".".join([PACKAGE, *(part for part in parts if part != "__init__")]))
        return found


class _Walk:
    """Reaches definitions, and runs modules, until there is nothing new."""

    def __init__(self, closures: Closures) -> None:
        self._closures = closures
        self._left: list[tuple[str, str]] = []
        self._seen: set[tuple[str, str]] = set()
        self._found: dict[str, tuple[str, str]] = {}
        self._asked = False
        self.closure = Closure()

    def reach(self, module: str, name: str) -> None:
        if (module, name) not in self._seen:
            self._seen.add((module, name))
            self._left.append((module, name))

    def follow(self, part: Part) -> None:
        for each in part.reached:
            self.reach(*each)
        for name in part.run:
            self._run(name)

    def finish(self) -> Closure:
        while self._left:
            key = self._left.pop()
            if not self._closures.module(key[0]):
                continue
            self._run(key[0])
            part = self._closures.part_of(key)
            if part:
                self._found[".".join(filter(None, key))] = key
                self._asked |= any(each in part.text for each in _FULL_NAMES)
                self.follow(part)
        of = self._closures.digests.of
        code = {name: of(key) for name, key in self._found.items()}
        if self._asked:
            code = {
                name: " ".join([digest(f"{name} {own}"), *own.split()[1:]])
                for name, own in code.items()
            }
        self.closure.code |= code | self._closures.resources(code)
        return self.closure

    def _run(self, name: str) -> None:
        """Import a module, after the packages it is in."""
        if not is_own(name):
            if name != PACKAGE:
                self.closure.outside.add(name.partition(".")[0])
            return
        package = name.rpartition(".")[0]
        if package not in self.closure.modules:
            self._run(package)
        module = self._closures.module(name)
        if module and name not in self.closure.modules:
            self.closure.modules.add(name)
            self.reach(name, "")
            for each in module.top.run:
                self._run(each)

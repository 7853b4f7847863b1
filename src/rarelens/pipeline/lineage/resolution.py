"""What the names of a module stand for: definitions that code leads to."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from rarelens.pipeline.lineage.definitions import Imported, Module, Used
from rarelens.pipeline.lineage.modules import PACKAGE, is_own
from rarelens.pipeline.lineage.syntax import digest

_EVERYTHING = frozenset({("globals",), ("locals",), ("eval",), ("exec",), ("sys", "modules")})
_IMPORTERS = frozenset({("import_module",), ("importlib", "import_module"), ("__import__",)})
# Of a module that counts whole: what it imports, which its user may ask of it.
IMPORTS = "*"


class Tables(Protocol):
    """Modules of rarelens by their names."""

    def module(self, name: str) -> Module | None:
        """The table of a module; None for what is none of rarelens, or counts nowhere."""

    def below(self, package: str) -> list[str]:
        """A module, and all modules in it if it is a package."""


@dataclass
class Part:
    """What a definition leads to."""

    digest: str
    reached: set[tuple[str, str]]
    run: set[str]


class Table:
    """Resolves the names of one module."""

    def __init__(self, tables: Tables, top: Used, module: Module | None = None) -> None:
        self._tables = tables
        self._top = top
        self._module = module

    def part(self, used: Used, nodes: Iterable[ast.AST | str]) -> Part:
        """What these nodes lead to by what they use."""
        self._reached: set[tuple[str, str]] = set()
        targets: set[str] = set()
        for chain in used.chains:
            name = chain[0]
            if self._module:
                self._own(self._module, name)
            for source in (used.imports, self._top.imports):
                for imported in source.get(name, ()):
                    targets.add(f"{name} is {self._follow(imported, chain[1:])}")
            if _EVERYTHING & {chain[:1], chain[:2]} and self._module:
                self._whole(self._module.name, deep=False)
        for star in used.stars | self._top.stars:
            self._whole(star, deep=False)
        if self._module and any(each.endswith(" is sys.modules") for each in targets):
            self._whole(self._module.name, deep=False)
        if _IMPORTERS & used.chains or any(each.endswith(".import_module") for each in targets):
            for node in nodes:
                self._by_name(node)
        return Part(digest([*nodes, *sorted(targets)]), self._reached, used.run)

    def _own(self, module: Module, name: str) -> None:
        if name in module.definitions:
            self._reached.add((module.name, name))

    def _follow(self, imported: Imported, attributes: tuple[str, ...]) -> str:
        """Reach what an imported name and attributes of it stand for; returns what that is."""
        names = (imported.name, *attributes) if imported.name else attributes
        where = imported.module
        for place, name in enumerate(names):
            if not is_own(where) and where != PACKAGE:
                return ".".join((where, *names[place:]))
            module = self._tables.module(where)
            inner = f"{where}.{name}"
            if self._tables.module(inner) or (module is None and is_own(where)):
                if module:  # What the package itself has of that name hides the module.
                    self._own(module, name)
                    self._own(module, "__getattr__")
                    own = module.top.imports.get(name, set()) - {imported, Imported(where, name)}
                    for each in sorted(own, key=str):
                        self._follow(each, names[place + 1 :])
                where = inner
                continue
            if module is None:
                # The root's own names, but for these, are looked up while the program runs.
                if where == PACKAGE and name not in ("__file__", "__name__", "__version__"):
                    self._whole(where, deep=True)
                return inner
            return self._attribute(module, name, names[place + 1 :])
        self._whole(where, deep=True)
        return where

    def _attribute(self, module: Module, name: str, rest: tuple[str, ...]) -> str:
        if name in module.definitions or name in module.bound:
            self._own(module, name)
            return f"{module.name}.{name}"
        if name in module.top.imports:
            return " or ".join(
                sorted(self._follow(each, rest) for each in module.top.imports[name])
            )
        self._whole(module.name, deep=True)
        return f"{module.name}.{name}"

    def _whole(self, name: str, *, deep: bool) -> None:
        """Reach all that a module holds, and those in it."""
        for each in self._tables.below(name) if deep else [name]:
            module = self._tables.module(each)
            if module:
                self._reached |= {(each, own) for own in (*module.definitions, "", IMPORTS)}

    def _by_name(self, node: ast.AST | str) -> None:
        """Reach modules whose names are written out; those made up are of `entries`."""
        for call in ast.walk(node) if isinstance(node, ast.AST) else ():
            if isinstance(call, ast.Call):
                for each in (*call.args, *(keyword.value for keyword in call.keywords)):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        self._named(each.value)

    def _named(self, name: str) -> None:
        """Reach a module by its name, which may start from any of the packages around this one."""
        self._whole(name, deep=True)
        around = self._module.name if self._module and name.startswith(".") else ""
        while around:
            self._whole(f"{around}.{name.lstrip('.')}", deep=True)
            around = around.rpartition(".")[0]

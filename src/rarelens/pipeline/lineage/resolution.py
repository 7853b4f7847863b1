"""What the names of a module stand for: definitions that code leads to."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from rarelens.pipeline.lineage.canonical import Stand, canonical
from rarelens.pipeline.lineage.definitions import Imported, Module, Used
from rarelens.pipeline.lineage.modules import PACKAGE, is_own
from rarelens.pipeline.lineage.scopes import FUNCTIONS, top_scope

_EVERYTHING = frozenset({("globals",), ("locals",), ("eval",), ("exec",), ("sys", "modules")})
_IMPORTERS = frozenset({("import_module",), ("importlib", "import_module"), ("__import__",)})
# They say where their module stands.
_PLACES = frozenset(["__name__", "__file__", "__package__", "__path__", "__spec__"])
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
    """What a definition does, and what it leads to.

    Args:
        text: canonical; a definition stands in it as `mark` has it.
    """

    text: str
    reached: set[tuple[str, str]]
    run: set[str]


def mark(module: str, name: str) -> str:
    """How a definition stands in texts, where no source can write so."""
    return f"\0{module}:{name}\0"


class Table:
    """Resolves the names of one module."""

    def __init__(self, tables: Tables, top: Used, module: Module | None = None) -> None:
        self._tables = tables
        self._top = top
        self._module = module

    def part(self, used: Used, nodes: Sequence[ast.AST | str], name: str = "") -> Part:
        """What these nodes do and lead to.

        Args:
            used: by the nodes.
            nodes: statements; strings stand for what is known by them.
            name: of the definition that they are, if they are one.
        """
        self._reached: set[tuple[str, str]] = set()
        self._names: set[str] = set()
        stands = {names: self._stand(names) for names in used.chains}
        inner = {
            names: self._one(names[0], [self._follow(each, names[1:]) for each in found])
            for names in used.chains
            if (found := used.imports.get(names[0]))
        }
        for star in used.stars | self._top.stars:
            self._whole(star, deep=False)
        targets = {each.text for each in (*stands.values(), *inner.values())}
        if self._module and (
            _EVERYTHING & {names[:end] for names in used.chains for end in (1, 2)}
            or "sys.modules" in targets
        ):
            self._whole(self._module.name, deep=False)
        if _IMPORTERS & used.chains or any(each.endswith(".import_module") for each in targets):
            for node in nodes:
                self._by_name(node)
        statements = [each for each in nodes if isinstance(each, ast.AST)]
        effects = self._module.scope if self._module and not name else None
        scope = effects or top_scope(statements)
        own = [each for each in scope.ways if name]
        # Of functions the name may be another; those of values tell values that are equal apart.
        head = [name] if name and not isinstance(statements[0], FUNCTIONS) else []
        if not nodes:  # Of a module, what its imports stand for.
            head = sorted(f"{'.'.join(at)} is {own.text}~{own.name}" for at, own in stands.items())
        text = canonical([*head, *nodes, *sorted(self._names)], stands, inner, scope, own)
        return Part(text, self._reached, used.run)

    def _stand(self, names: tuple[str, ...]) -> Stand:
        """Reach what a chain of names may stand for in the module."""
        first, *rest = names
        found = [self._own(self._module, first, rest)] if self._module else []
        found += [self._follow(each, names[1:]) for each in self._top.imports.get(first, ())]
        found = [each for each in found if each.text]
        if found:
            return self._one(first, found)
        if first in _PLACES and self._module:
            return Stand(f"{'.'.join(names)} of {self._module.name}")
        return Stand(f"global {'.'.join(names)}")

    def _one(self, name: str, found: Sequence[Stand]) -> Stand:
        """One of several that a name may stand for."""
        texts = sorted({f"{each.text}~{each.name}" for each in found})
        return found[0] if len(texts) == 1 else Stand(f"{name}: {' or '.join(texts)}", unclear=True)

    def _own(self, module: Module, name: str, rest: Sequence[str] = ()) -> Stand:
        """Reach what a module itself has of a name; an empty text if it has nothing."""
        if name in module.definitions:
            self._reached.add((module.name, name))
            own = mark(module.name, name)
            if not isinstance(module.definitions[name][0], FUNCTIONS):
                return Stand(".".join((own, *rest)))
            return Stand(".".join((f"{own}~{name}", *rest))) if rest else Stand(own, name)
        if name in module.bound:
            self._reached.add((module.name, ""))
            free = module.scope.ways.get(name) == {"stored"}
            key = str(module.scope.number(name)) if free else name
            return Stand(".".join((mark(module.name, "") + key, *rest)))
        return Stand("")

    def _follow(self, imported: Imported, attributes: tuple[str, ...]) -> Stand:
        """Reach what an imported name and attributes of it stand for."""
        names = (imported.name, *attributes) if imported.name else attributes
        where = imported.module
        for place, name in enumerate(names):
            if not is_own(where) and where != PACKAGE:
                return Stand(".".join((where, *names[place:])))
            module = self._tables.module(where)
            inner = f"{where}.{name}"
            if self._tables.module(inner) or (module is None and is_own(where)):
                if module:  # What the package itself has of that name hides the module.
                    self._own(module, name)
                    self._own(module, "__getattr__")
                    own = module.top.imports.get(name, set()) - {imported, Imported(where, name)}
                    for each in sorted(own, key=str):
                        self._names.add(self._follow(each, names[place + 1 :]).text)
                where = inner
                continue
            if module is None:
                # The root's own names, but for these, are looked up while the program runs.
                if where == PACKAGE and name not in ("__file__", "__name__", "__version__"):
                    self._whole(where, deep=True)
                return Stand(inner)
            return self._attribute(module, name, names[place + 1 :])
        self._whole(where, deep=True)
        return Stand(where)

    def _attribute(self, module: Module, name: str, rest: tuple[str, ...]) -> Stand:
        own = self._own(module, name, rest)
        if own.text:
            return own
        found = [self._follow(each, rest) for each in module.top.imports.get(name, ())]
        if found:
            return self._one(f"{module.name}.{name}", found)
        self._whole(module.name, deep=True)
        return Stand(".".join((module.name, name, *rest)))

    def _whole(self, name: str, *, deep: bool) -> None:
        """Reach all that a module holds, and those in it; it may be asked for by its name."""
        for each in self._tables.below(name) if deep else [name]:
            module = self._tables.module(each)
            if module:
                self._reached |= {(each, own) for own in (*module.definitions, "", IMPORTS)}
                self._names |= {f"{each}.{own}" for own in (*module.definitions, *module.bound)}

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

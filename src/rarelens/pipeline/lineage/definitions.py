"""The definitions of a module, and the names that each uses."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rarelens.pipeline.lineage.effects import Stands, chain, runs
from rarelens.pipeline.lineage.scopes import Scope, bindings, top_scope
from rarelens.pipeline.lineage.syntax import parse


@dataclass(frozen=True)
class Imported:
    """What a name stands for: ``name`` in ``module``, or the module itself where it is empty."""

    module: str
    name: str = ""


@dataclass
class Used:
    """What code uses: names with the attributes asked of them, and what it imports itself."""

    chains: set[tuple[str, ...]] = field(default_factory=set)
    imports: dict[str, set[Imported]] = field(default_factory=dict)
    run: set[str] = field(default_factory=set)
    """Modules imported, by their names."""
    stars: set[str] = field(default_factory=set)
    """Modules of which everything is imported."""


@dataclass
class Module:
    """A module as a table of what it defines.

    Args:
        definitions: statements by the name that they bind.
        effects: statements that importing it runs for more than a name; where there are any,
            names of the values, defaults and classes between them too, for their order counts.
        top: what it imports when it is imported.
    """

    name: str
    definitions: dict[str, list[ast.stmt]]
    effects: list[ast.stmt | str]
    bound: set[str]
    """Names that effects bind."""
    scope: Scope
    """Of the effects."""
    top: Used


class Source:
    """The statements of a module, and what its names stand for.

    Args:
        name: of the module.
        file: in which it stands.
        package: that relative imports start from.
        signatures: as for `parse`.

    Raises:
        RarelensError: if it is no Python.
    """

    def __init__(self, name: str, file: Path, package: str, *, signatures: bool) -> None:
        self.name = name
        self.package = package
        body = [*_without_type_checking(parse(file, signatures=signatures).body)]
        self.imports = [each for each in body if isinstance(each, (ast.Import, ast.ImportFrom))]
        self.rest = [each for each in body if not isinstance(each, (ast.Import, ast.ImportFrom))]
        self.names = [_names(each) for each in self.rest]
        self.top = used_by(self.imports, package)

    def classes(self, name: str) -> list[ast.ClassDef]:
        """The class of a name; none if the name may stand for something else, too."""
        found = [each for each, own in zip(self.rest, self.names, strict=True) if name in own]
        single = len(found) == 1 and name not in self.top.imports
        return [each for each in found if isinstance(each, ast.ClassDef) and single]

    def full(self, names: tuple[str, ...]) -> str:
        """The full name of a chain of names; empty where that is not known."""
        first = names[0] if names else ""
        if any(first in own for own in self.names):
            return ".".join((self.name, *names)) if self.classes(first) else ""
        imported = [*self.top.imports.get(first, ())]
        if len(imported) == 1:
            return ".".join(filter(None, (imported[0].module, imported[0].name, *names[1:])))
        known = not imported and not self.top.stars and hasattr(builtins, first)
        return ".".join(("builtins", *names)) if known else ""


def _none(_: str) -> None:
    """No other module is known."""


def read_module(source: Source, found: Callable[[str], Source | None] = _none) -> Module:
    """The table of a module.

    Args:
        source: of the module.
        found: the source of another module, if it is of rarelens.
    """
    names = source.names
    often = {name for each in names for name in each if sum(name in other for other in names) > 1}
    stands = _stands(source, found)
    definitions: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt | str] = []
    bound: set[str] = set()
    active = False
    for statement, own in zip(source.rest, names, strict=True):
        if stands.acts(statement) or own & often:
            active = True
            effects.append(statement)
            bound |= own
        else:
            definitions |= {each: [statement] for each in own}
            if runs(statement):
                effects += sorted(own)
    acting = [each for each in effects if isinstance(each, ast.stmt)]
    top = used_by([*source.imports, *acting], source.package)
    of_module = {name for name, way in bindings([*source.imports, *acting]) if way == "imported"}
    top.imports = {name: each for name, each in top.imports.items() if name in of_module}
    for statement in source.rest:
        if isinstance(statement, ast.ClassDef):
            inside = used_by(statement.body, source.package)
            top.run |= inside.run
    scope = top_scope(acting)
    return Module(source.name, definitions, effects if active else [], bound, scope, top)


def _stands(source: Source, found: Callable[[str], Source | None]) -> Stands:
    return Stands(source.full, lambda name: _class_of(name, found))


def _class_of(
    name: str, found: Callable[[str], Source | None], before: frozenset[str] = frozenset()
) -> tuple[ast.ClassDef, Stands] | None:
    """A class by its full name, which may be that of an import of it."""
    module, _, own = name.rpartition(".")
    source = found(module) if module and name not in before else None
    if not source:
        return None
    for node in source.classes(own):
        return node, _stands(source, found)
    full = source.full((own,))
    return _class_of(full, found, before | {name}) if full else None


def used_by(nodes: Iterable[ast.AST], package: str) -> Used:
    """What code uses; names of local variables among them, which does no harm.

    Args:
        nodes: statements.
        package: that relative imports start from.
    """
    used = Used()
    for node in nodes:
        _collect(node, package, used)
    return used


def _collect(node: ast.AST, package: str, used: Used) -> None:
    if isinstance(node, ast.Import):
        _collect_import(node, used)
    elif isinstance(node, ast.ImportFrom):
        _collect_from(node, package, used)
    elif isinstance(node, ast.Name):
        used.chains.add((node.id,))
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        used.chains |= {(name,) for name in node.names}
    elif isinstance(node, ast.Attribute) and chain(node):
        used.chains.add(chain(node))
    else:
        # Types in quotes: ``x: "Grid"``, and ``Grids = list["Grid"]``.
        for name in ("annotation", "returns", "slice"):
            _collect_quoted(getattr(node, name, None), package, used)
        for each in ast.iter_child_nodes(node):
            _collect(each, package, used)


def _collect_import(node: ast.Import, used: Used) -> None:
    for each in node.names:
        used.run.add(each.name)
        whole = each.name if each.asname else each.name.partition(".")[0]
        used.imports.setdefault(each.asname or whole, set()).add(Imported(whole))


def _collect_from(node: ast.ImportFrom, package: str, used: Used) -> None:
    parents = package.split(".")
    base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
    module = ".".join(part for part in (base, node.module) if part)
    used.run.add(module)
    for each in node.names:
        if each.name == "*":
            used.stars.add(module)
        else:
            used.run.add(f"{module}.{each.name}")
            own = used.imports.setdefault(each.asname or each.name, set())
            own.add(Imported(module, each.name))


def _collect_quoted(node: object, package: str, used: Used) -> None:
    """Types in quotes are read as others are; other texts there are none, or harmless."""
    for each in ast.walk(node) if isinstance(node, ast.AST) else ():
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            with suppress(SyntaxError, ValueError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _collect(ast.parse(each.value, mode="eval").body, package, used)


def _names(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top of a module binds."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    found = {
        each.id
        for each in ast.walk(statement)
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
    }
    compound = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        found |= {each.name for each in ast.walk(statement) if isinstance(each, compound)}
    return found


def _without_type_checking(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        test = chain(statement.test) if isinstance(statement, ast.If) else ()
        if isinstance(statement, ast.If) and test[-1:] == ("TYPE_CHECKING",):
            yield from statement.orelse
        else:
            yield statement

"""The definitions of a module, and the names that each uses."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rarelens.pipeline.lineage.effects import acts
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
            names of the constants between them too, for their order counts.
        top: what it imports when it is imported.
    """

    name: str
    definitions: dict[str, list[ast.stmt]]
    effects: list[ast.stmt | str]
    bound: set[str]
    """Names that effects bind."""
    top: Used


def read_module(name: str, file: Path, package: str, *, signatures: bool) -> Module:
    """The table of the module in ``file``, whose package relative imports start from.

    Raises:
        RarelensError: if it is no Python.
    """
    body = list(_without_type_checking(parse(file, signatures=signatures).body))
    imports = [each for each in body if isinstance(each, (ast.Import, ast.ImportFrom))]
    rest = [each for each in body if not isinstance(each, (ast.Import, ast.ImportFrom))]
    constants = frozenset(each.name for each in rest if isinstance(each, ast.ClassDef))
    names = [_names(each) for each in rest]
    often = {name for each in names for name in each if sum(name in other for other in names) > 1}
    definitions: dict[str, list[ast.stmt]] = {}
    effects: list[ast.stmt | str] = []
    bound: set[str] = set()
    active = False
    for statement, own in zip(rest, names, strict=True):
        if acts(statement, constants) or own & often:
            active = True
            effects.append(statement)
            bound |= own
        else:
            definitions |= {each: [statement] for each in own}
            if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                effects += sorted(own)
    executed = [*imports, *(each for each in effects if isinstance(each, ast.stmt))]
    top = used_by(executed, package)
    for statement in rest:
        if isinstance(statement, ast.ClassDef):
            inside = used_by(statement.body, package)
            top.run |= inside.run
    return Module(name, definitions, effects if active else [], bound, top)


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
    elif isinstance(node, ast.Attribute) and _chain(node):
        used.chains.add(_chain(node))
    else:
        for name in ("annotation", "returns"):
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
    """Annotations in quotes are read as others are."""
    for each in ast.walk(node) if isinstance(node, ast.AST) else ():
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            try:
                _collect(ast.parse(each.value, mode="eval").body, package, used)
            except SyntaxError:
                continue


def _chain(node: ast.Attribute) -> tuple[str, ...]:
    """``a.b.c`` as its names; empty if it does not start from a name."""
    names = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        names.append(value.attr)
        value = value.value
    return (value.id, *reversed(names)) if isinstance(value, ast.Name) else ()


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
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from statement.orelse
        else:
            yield statement

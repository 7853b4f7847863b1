"""Which names a function, class or comprehension binds for itself, and in which way."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# What reads names of variables while the program runs.
READS_NAMES = frozenset(["locals", "vars", "eval", "exec", "dir", "globals"])


@dataclass
class Scope:
    """The names of one piece of code.

    Args:
        ways: by name, how it is bound; names that are ``stored`` in no other way are free to be
            others, and those ``imported`` in no other way stand for what is imported.
        node: which binds them; None for a module.
    """

    ways: dict[str, set[str]]
    node: ast.AST | None = None
    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def is_class(self) -> bool:
        """Whether the names are attributes, too."""
        return isinstance(self.node, ast.ClassDef)

    def number(self, name: str) -> int:
        """What a name that is free to be another is called instead."""
        return self.numbers.setdefault(name, len(self.numbers))

    def uses(self, name: str) -> int:
        """How often a name stands in there."""
        nodes = ast.walk(self.node) if self.node else ()
        return sum(isinstance(each, ast.Name) and each.id == name for each in nodes)


def scope_of(node: ast.AST) -> Scope:
    """The names that are bound inside a function, lambda, class or comprehension."""
    if isinstance(node, COMPREHENSIONS):
        found = [(name, "stored") for each in node.generators for name in _stored(each.target)]
    elif isinstance(node, (*FUNCTIONS, ast.Lambda)):
        own = node.args
        given = [*own.posonlyargs, *own.args, own.vararg, *own.kwonlyargs, own.kwarg]
        body = node.body if isinstance(node.body, list) else [node.body]
        found = [*((each.arg, "given") for each in given if each), *bindings(body)]
    else:
        found = [*bindings(getattr(node, "body", []))]
    return Scope(_ways(found), node)


def top_scope(nodes: Iterable[ast.AST]) -> Scope:
    """The names that statements at the top of a module bind; their numbers are in order."""
    scope = Scope(_ways(bindings(nodes)))
    for name in scope.ways:
        scope.number(name)
    return scope


def _ways(found: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """By name, in which ways it is bound."""
    grouped: dict[str, set[str]] = {}
    for name, way in found:
        grouped.setdefault(name, set()).add(way)
    return grouped


def bindings(nodes: Iterable[ast.AST | None]) -> Iterator[tuple[str, str]]:
    """Names that code binds, and how; those of functions and classes in it are their own."""
    for node in nodes:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id, "stored"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for each in node.names:
                yield each.asname or each.name.partition(".")[0], "imported"
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield from ((name, type(node).__name__) for name in node.names)
        elif isinstance(node, COMPREHENSIONS):
            targets = [each.target for each in ast.walk(node) if isinstance(each, ast.NamedExpr)]
            yield from bindings([node.generators[0].iter, *targets])
        elif node is not None:
            for key in ("name", "rest"):  # Of functions, exceptions that are caught, patterns.
                if isinstance(name := getattr(node, key, None), str):
                    yield name, "named"
            yield from bindings(_around(node))


def _around(node: ast.AST) -> Iterator[ast.AST | None]:
    """The parts of a node that stand in the same scope as it does."""
    if isinstance(node, (*FUNCTIONS, ast.Lambda)):
        yield from (*node.args.defaults, *node.args.kw_defaults)
        yield from getattr(node, "decorator_list", ())
    elif isinstance(node, ast.ClassDef):
        yield from (*node.decorator_list, *node.bases, *node.keywords)
    else:
        yield from ast.iter_child_nodes(node)


def _stored(target: ast.AST) -> Iterator[str]:
    for each in ast.walk(target):
        if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load):
            yield each.id

"""Python's syntax trees without what changes no result.

Comments and formatting are in no syntax tree. Left out besides: docstrings, annotations that
nothing reads while the program runs, and the sentences that a ``raise`` says.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from rarelens.errors import RarelensError

# These decorators of other packages read no annotation of what they decorate.
_BLIND = frozenset(
    [
        "cache",
        "cached_property",
        "classmethod",
        "contextmanager",
        "inference_mode",
        "no_grad",
        "override",
        "property",
        "staticmethod",
    ]
)
# What these are made of is a value for who catches them, and no sentence.
_WITH_VALUES = ("StopIteration", "StopAsyncIteration", "KeyError", "SystemExit")


def parse(file: Path, *, signatures: bool = True) -> ast.Module:
    """The syntax tree of a Python file, without what changes no result.

    Args:
        file: the source.
        signatures: keep all annotations of arguments. Otherwise those that are never evaluated
            (under ``from __future__ import annotations``) go, but for those of a class with bases
            (pydantic reads them) and of a decorated function.

    Raises:
        RarelensError: if it is no Python.
    """
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except SyntaxError as error:
        raise RarelensError(
            f"{file}: line {error.lineno or '?'} is no Python; correct it"
        ) from error
    late = any(
        isinstance(each, ast.ImportFrom) and each.module == "__future__" for each in tree.body
    )
    _Bare(late and not signatures, tree).visit(tree)
    return tree


class Raised(ast.Call):
    """The call that makes the exception of a ``raise``; its arguments are a sentence."""


class _Bare(ast.NodeTransformer):
    """Takes docstrings out, and with ``unread`` the annotations that nothing reads."""

    def __init__(self, unread: bool, tree: ast.Module) -> None:
        self._unread = unread
        self._own = cache(lambda: _own(tree))
        self._in_function = False

    def _within(self, node: ast.AST, unread: bool, in_function: bool) -> ast.AST:
        before = self._unread, self._in_function
        self._unread, self._in_function = unread, in_function
        self.generic_visit(node)
        self._unread, self._in_function = before
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        unread = self._unread and not node.bases and not node.keywords
        return self._within(node, unread, in_function=False)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        unread = self._unread and all(map(self._blind, node.decorator_list))
        if unread:
            node.returns = None
        return self._within(node, unread, in_function=True)

    def _blind(self, decorator: ast.expr) -> bool:
        name = ast.unparse(decorator).removesuffix("()")
        return name.partition(".")[0] not in self._own() and name.rpartition(".")[2] in _BLIND

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_arg(self, node: ast.arg) -> ast.AST:
        if self._unread:
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self._unread and self._in_function:
            node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) not in _WITH_VALUES:
            node.exc = Raised(node.exc.func, node.exc.args, node.exc.keywords)
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)


def _own(tree: ast.Module) -> set[str]:
    """Names that may stand for something of rarelens: defined here, or imported from it."""
    found: set[str] = set()
    for each in ast.walk(tree):
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(each.name)
        elif isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.add(each.id)
        elif isinstance(each, (ast.Import, ast.ImportFrom)):
            module = getattr(each, "module", None) or ""
            near = getattr(each, "level", 0) or module.partition(".")[0] == "rarelens"
            for alias in each.names:
                if near or alias.name.partition(".")[0] == "rarelens":
                    found.add(alias.asname or alias.name.partition(".")[0])
    return found

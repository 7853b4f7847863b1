"""A digest of what a Python file does: its syntax tree without comments, docstrings, formatting."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

from rarelens.errors import RarelensError

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def syntax_digest(file: Path) -> str:
    """16 hexadecimal digits that change if, and only if, the file's syntax tree does.

    Raises:
        RarelensError: as `parse`.
    """
    return hashlib.sha256(_written(parse(file)).encode()).hexdigest()[:16]


def parse(file: Path) -> ast.Module:
    """The syntax tree of a Python file.

    Raises:
        RarelensError: if it is no Python.
    """
    try:
        return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except SyntaxError as error:
        raise no_python(str(file), error.lineno) from error


def no_python(file: str, line: int | None) -> RarelensError:
    """What is said of a file that is no Python."""
    return RarelensError(f"{file}: line {line or '?'} is no Python; correct it")


def _written(node: object) -> str:
    """A node as text; what is empty is left out, for Python's versions differ in such fields."""
    if isinstance(node, list):
        return "[" + ",".join(_written(each) for each in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [
        f"{name}={_written(value)}"
        for name, value in ast.iter_fields(_undocumented(node))
        if value is not None and value != [] and not isinstance(value, ast.expr_context)
    ]
    return f"{type(node).__name__}({','.join(fields)})"


def _undocumented(node: ast.AST) -> ast.AST:
    """The node without its docstring."""
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
    return node

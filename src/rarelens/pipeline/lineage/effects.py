"""What importing a module does beyond giving names to values."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Calls and decorators that do nothing but return a value, by the last part of their name: a
# constant's class, or a method of one.
_QUIET = frozenset(
    [
        "AfterValidator",
        "BeforeValidator",
        "Discriminator",
        "Field",
        "ConfigDict",
        "Tag",
        "TypeAdapter",
        "Ge",
        "Gt",
        "Interval",
        "Le",
        "Len",
        "Lt",
        "MultipleOf",
        "Predicate",
        "NamedTuple",
        "NewType",
        "ParamSpec",
        "TypeVar",
        "TypedDict",
        "namedtuple",
        "Path",
        "PurePosixPath",
        "compile",
        "array",
        "arange",
        "asarray",
        "dtype",
        "finfo",
        "iinfo",
        "linspace",
        "bool",
        "bytes",
        "dict",
        "enumerate",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "max",
        "min",
        "object",
        "range",
        "reversed",
        "round",
        "set",
        "sorted",
        "str",
        "sum",
        "tuple",
        "zip",
        "as_posix",
        "format",
        "fromkeys",
        "get",
        "items",
        "join",
        "keys",
        "lower",
        "split",
        "strip",
        "upper",
        "values",
        "cache",
        "cached_property",
        "contextmanager",
        "lru_cache",
        "total_ordering",
        "wraps",
        "dataclass",
        "field",
        "inference_mode",
        "no_grad",
        "partial",
        "runtime_checkable",
        "abstractmethod",
        "classmethod",
        "override",
        "property",
        "staticmethod",
        "setter",
        "field_validator",
        "model_validator",
    ]
)


def acts(statement: ast.stmt, constants: frozenset[str] = frozenset()) -> bool:
    """Whether a statement at the top of a module does more than give a name to a value.

    Assignments to names, functions and classes do so unless they call what is not known to be
    quiet: a decorator may register what it decorates. All other statements act.

    Args:
        statement: at a module's top level.
        constants: names of classes whose making is quiet.
    """
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass)):
        return False
    if isinstance(statement, ast.Assign) and all(map(_is_name, statement.targets)):
        return not _quiet(statement.value, constants)
    if isinstance(statement, ast.AnnAssign) and _is_name(statement.target):
        return not _quiet(statement.value, constants)
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return not all(_quiet(each, constants) for each in _at_definition(statement))
    if isinstance(statement, ast.ClassDef):
        return not _quiet_class(statement, constants)
    return True


def _quiet_class(node: ast.ClassDef, constants: frozenset[str]) -> bool:
    """Metaclasses and keywords of classes may do anything; a body is run as a module is."""
    if node.keywords or not all(_decorator(each, constants) for each in node.decorator_list):
        return False
    return all(_quiet(each, constants) for each in node.bases) and not any(
        acts(each, constants) for each in node.body
    )


def _at_definition(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | None]:
    """What is run when a function is defined."""
    for each in node.decorator_list:
        # A decorator without brackets is called, too.
        yield each if isinstance(each, ast.Call) else ast.Call(each, [], [])
    yield from (*node.args.defaults, *node.args.kw_defaults)


def _decorator(node: ast.expr, constants: frozenset[str]) -> bool:
    return _quiet(node if isinstance(node, ast.Call) else ast.Call(node, [], []), constants)


def _quiet(node: ast.expr | None, constants: frozenset[str]) -> bool:
    """Whether an expression calls nothing but what is known to be quiet, and binds no name."""
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
            return False
        if isinstance(each, ast.Call):
            name = ast.unparse(each.func).rpartition(".")[2]
            if name not in _QUIET and name not in constants:
                return False
    return True


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name)

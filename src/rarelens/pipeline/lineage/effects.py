"""What importing a module does beyond giving names to values."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

# Calls and decorators that do nothing but return a value.
_QUIET = frozenset(
    f"{module}.{name}"
    for module, names in {
        "abc": "abstractmethod",
        "annotated_types": "Ge Gt Interval Le Len Lt MultipleOf",
        "builtins": "bool bytes classmethod dict dict.fromkeys enumerate float frozenset int len "
        "list max min object property range reversed round set sorted staticmethod str sum tuple "
        "zip",
        "collections": "namedtuple",
        "contextlib": "contextmanager",
        "dataclasses": "dataclass field fields",
        "functools": "cache cached_property lru_cache partial total_ordering wraps",
        "numpy": "arange array asarray dtype finfo iinfo linspace",
        "pathlib": "Path PurePosixPath",
        "pydantic": "AfterValidator BeforeValidator ConfigDict Discriminator Field Tag "
        "field_validator model_validator",
        "re": "compile",
        "torch": "inference_mode no_grad",
        "typing": "NamedTuple NewType ParamSpec TypedDict TypeVar overload override "
        "runtime_checkable",
    }.items()
    for name in names.split()
)
# Methods that Python or pydantic run where a class is made, a class is derived from it, or where
# an object of it is made.
_HOOKS = frozenset(
    ["__init_subclass__", "__pydantic_init_subclass__", "__set_name__", "__mro_entries__"]
)
_DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAKING = frozenset(["__init__", "__new__", "__post_init__"])


@dataclass(frozen=True)
class Stands:
    """What the names of a module stand for.

    Args:
        full: the full name of a chain of names; empty if it is not known.
        found: the definition of a class of rarelens by its full name, with its module's names.
    """

    full: Callable[[tuple[str, ...]], str]
    found: Callable[[str], tuple[ast.ClassDef, Stands] | None]

    def acts(self, statement: ast.stmt) -> bool:
        """Whether a statement at the top of a module does more than give a name to a value.

        Assignments to names, functions and classes do so unless they call what is not known to be
        quiet: a decorator may register what it decorates. All other statements act.
        """
        if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Pass)):
            return False
        if isinstance(statement, ast.Assign) and all(map(_is_name, statement.targets)):
            return not self._quiet(statement.value)
        if isinstance(statement, ast.AnnAssign) and _is_name(statement.target):
            return not (self._quiet(statement.value) and self._quiet(statement.annotation))
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return not all(map(self._quiet, _at_definition(statement)))
        return not (isinstance(statement, ast.ClassDef) and self._quiet_class(statement))

    def _quiet_class(self, node: ast.ClassDef) -> bool:
        """Metaclasses and keywords of classes may do anything; a body is run as a module is."""
        return (
            not node.keywords
            and all(self._quiet(_called(each)) for each in node.decorator_list)
            and all(self._quiet(each) and self._inherited(each) for each in node.bases)
            and not any(map(self._without(_bound(node)).acts, node.body))
        )

    def _without(self, hidden: set[str]) -> Stands:
        """These names stand for something else."""
        return replace(self, full=lambda names: "" if hidden & {*names[:1]} else self.full(names))

    def _inherited(self, base: ast.expr) -> bool:
        """Whether to derive from a class runs nothing of rarelens."""
        name = self.full(chain(base.value if isinstance(base, ast.Subscript) else base))
        known = self.found(name)
        if known:
            node, stands = known
            return not (node.keywords or _bound(node) & _HOOKS) and all(
                map(stands._inherited, node.bases)
            )
        return bool(name) and not name.startswith("rarelens.")

    def _made(self, name: str) -> bool:
        """Whether to make an object of a class of rarelens runs nothing but its making."""
        known = self.found(name)
        if not known:
            return name in ("abc.ABC", "builtins.object", "typing.Generic", "typing.NamedTuple")
        node, stands = known
        return (
            not (_bound(node) & (_MAKING | _HOOKS) or _given(node, "default_factory"))
            and stands._quiet_class(node)
            and all(stands._made(stands.full(chain(each))) for each in node.bases)
        )

    def _quiet(self, node: ast.expr | None) -> bool:
        """Whether an expression calls nothing but what is known to be quiet, and binds no name."""
        if node is None:
            return True
        calls = self._without(_bound(node))
        return not any(
            isinstance(each, (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom))
            or (isinstance(each, ast.Call) and not calls._quiet_call(each))
            for each in ast.walk(node)
        )

    def _quiet_call(self, call: ast.Call) -> bool:
        name = self.full(chain(call.func))
        if any(each.arg == "key" for each in call.keywords):
            return False  # Sorting runs it.
        return name in _QUIET if not self.found(name) else self._made(name)


def chain(node: ast.AST) -> tuple[str, ...]:
    """``a.b.c`` as its names; empty if it does not start from a name."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def runs(statement: ast.stmt) -> bool:
    """Whether something is computed where a statement stands, and not only where it is called."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return any(_at_definition(statement))
    return True


def _called(decorator: ast.expr) -> ast.expr:
    """A decorator without brackets is called, too."""
    return decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])


def _at_definition(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr | None]:
    """What is run when a function is defined."""
    yield from map(_called, node.decorator_list)
    yield from (*node.args.defaults, *node.args.kw_defaults)


def _bound(node: ast.AST) -> set[str]:
    """The names that an expression, or the body of a class, binds for itself."""
    inside = [*ast.iter_child_nodes(node)] if isinstance(node, ast.ClassDef) else [*ast.walk(node)]
    stored = (each for part in inside for each in ast.walk(part) if not isinstance(part, _DEFINED))
    return {
        *(each.id for each in stored if isinstance(each, ast.Name) and not _is_load(each)),
        *(each.name for each in inside if isinstance(each, _DEFINED)),
        *(each.arg for each in inside if isinstance(each, ast.arg)),
    }


def _given(node: ast.AST, keyword: str) -> bool:
    """Whether a call in there has a keyword, or one that is not written out."""
    found = (each.arg for each in ast.walk(node) if isinstance(each, ast.keyword))
    return any(each in (keyword, None) for each in found)


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (
        isinstance(node, ast.Tuple) and all(isinstance(each, ast.Name) for each in node.elts)
    )


def _is_load(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)

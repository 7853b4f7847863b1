"""Code as a text that says what it does, and not what its names are.

A name that stands for something outside is written as that, and a variable of a function as a
number. Arguments, attributes, keywords and classes keep their names, which others may use; so does
all where code asks for names of variables while it runs (`READS_NAMES`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rarelens.pipeline.lineage.effects import chain
from rarelens.pipeline.lineage.modules import PACKAGE
from rarelens.pipeline.lineage.scopes import FUNCTIONS, READS_NAMES, Comprehension, Scope, scope_of
from rarelens.pipeline.lineage.syntax import Raised


@dataclass(frozen=True)
class Stand:
    """What a chain of names stands for.

    Args:
        text: of that.
        name: of the function that it is; whoever takes it as a value may ask for its name.
        unclear: whether it may stand for one of several things.
    """

    text: str
    name: str = ""
    unclear: bool = False


Stands = Mapping[tuple[str, ...], Stand]


def canonical(
    nodes: Iterable[ast.AST | str],
    stands: Stands,
    inner: Stands,
    top: Scope,
    own: Sequence[str] = (),
) -> str:
    """Statements as a text.

    Args:
        nodes: at the top of a module; strings are taken as they are.
        stands: of chains of names that are the module's, or nobody's.
        inner: of those that functions and classes import.
        top: the names that the statements bind.
        own: of these, the names of what is defined; they are not written.
    """
    writer = _Writer(stands, inner, top, own)
    parts = (each if isinstance(each, str) else writer.text(each) for each in nodes)
    return "\n".join(filter(None, parts))


class _Writer:
    def __init__(self, stands: Stands, inner: Stands, top: Scope, own: Sequence[str]) -> None:
        self._stands = stands
        self._inner = inner
        self._scopes = [top]
        self._own = own
        self._named = bool(READS_NAMES & {each[0] for each in stands})

    def text(self, node: object, said: bool = False) -> str:
        """A node; what is empty is left out, for Python's versions differ in such fields.

        ``said``: a part of the sentence that a ``raise`` says, of which strings do not count. What
        is called, looked up or compared for it does: it may do more, or be of use to who catches
        it.
        """
        match node:
            case list():
                parts = [self.text(each, said) for each in self._plain(node)]
                found = "[" + ",".join(filter(None, parts)) + "]"
            case ast.JoinedStr() if said:
                found = "str" + "".join(self.text(each, said) for each in _computed(node))
            case ast.Constant(str()) if said:
                found = "str"
            case ast.Name() | ast.Attribute() if chain(node):
                found = self._chain(node, taken=True)
            case ast.Import() | ast.ImportFrom():
                found = self._import(node)
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                found = self._comprehension(node, said)
            case ast.Call() if self._is_cast(node):
                found = self.text(node.args[1], said)
            case ast.AST():
                found = self._fields(node, said)
            case _:
                found = repr(node)
        return found

    def _fields(self, node: ast.AST, said: bool) -> str:
        told = _SAID.get(type(node), ()) if said or isinstance(node, Raised) else ()
        if said and isinstance(node, ast.Call) and _is_text(getattr(node.func, "value", node)):
            told = ("func", "args", "keywords")  # "".join(…), "".format(…)
        parts = []
        for name, value in ast.iter_fields(node):
            if value is None or value == [] or isinstance(value, ast.expr_context):
                continue
            if name == "body" and isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
                self._scopes.append(scope_of(node))
                parts.append(f"body={self.text(value)}")
                self._scopes.pop()
            elif name == "func" and isinstance(node, ast.Call) and chain(value):
                parts.append(f"func={self._chain(value, taken=False)}")
            elif name != "name" or not self._is_hidden(node):
                parts.append(f"{name}={self.text(value, name in told)}")
        return f"{type(node).__name__}({','.join(parts)})"

    def _is_hidden(self, node: ast.AST) -> bool:
        """Whether a function is the definition itself; a decorator may ask for its name."""
        return (
            isinstance(node, FUNCTIONS)
            and len(self._scopes) == 1
            and node.name in self._own
            and not node.decorator_list
        )

    def _chain(self, node: ast.expr, *, taken: bool) -> str:
        """A name, and attributes; ``taken``: as a value, and not called."""
        names = chain(node)
        here = self._variable(names)
        if here:
            asked = taken and here.startswith("own") and _is_read(node)
            return ".".join((f"{here}~{names[0]}" if asked else here, *names[1:]))
        stand = self._stand(names)
        return f"{stand.text}~{stand.name}" if taken and stand.name else stand.text

    def _binding(self, name: str) -> int:
        """How deep the scope lies that a name is looked up in; −1 for what is no variable."""
        for depth in range(len(self._scopes) - 1, -1, -1):
            scope = self._scopes[depth]
            ways = scope.ways.get(name, set())
            if "Global" in ways:
                return -1
            seen = not scope.is_class or scope is self._scopes[-1]
            if ways and seen and "Nonlocal" not in ways:
                return depth
        return -1

    def _variable(self, names: tuple[str, ...]) -> str:
        """A name that is bound in a function or class, or by the statements themselves."""
        name = names[0]
        depth = self._binding(name)
        scope = self._scopes[depth]
        ways = scope.ways.get(name, set())
        if depth < 0 or ways == {"imported"}:
            return ""
        if depth == 0 and name in self._own:
            return f"own{self._own.index(name)}"
        if ways == {"stored"} and not (scope.is_class or self._named):
            return f"{depth}.{scope.number(name)}"
        if scope.is_class or depth == 0 or "imported" in ways:
            # It may be what is imported or what the module has of that name, too.
            found = (each[names].text for each in (self._inner, self._stands) if names in each)
            return f"={name}({' or '.join(found)})"
        return f"={name}"

    def _stand(self, names: tuple[str, ...]) -> Stand:
        """What a chain stands for that starts from no variable."""
        stands = self._inner if self._binding(names[0]) > 0 else self._stands
        return stands.get(names, Stand(f"global {'.'.join(names)}"))

    def _comprehension(self, node: Comprehension, said: bool) -> str:
        """Its first source is looked up outside of it."""
        first, *others = node.generators
        source = self.text(first.iter)
        self._scopes.append(scope_of(node))
        made = [value for name, value in ast.iter_fields(node) if name != "generators"]
        inner = [self.text(each) for each in (first.target, first.ifs, *others)]
        inner += [self.text(each, said and type(node) in _SAID) for each in made]
        self._scopes.pop()
        return f"{type(node).__name__}{first.is_async}({source};{','.join(inner)})"

    def _import(self, node: ast.Import | ast.ImportFrom) -> str:
        """Of rarelens nothing is left but names that may be something else, too."""
        module = "." * getattr(node, "level", 0) + (getattr(node, "module", None) or "")
        kept = []
        for each in node.names:
            name = each.asname or each.name.partition(".")[0]
            scope = self._scopes[-1]
            inside = (module or each.name).partition(".")[0] in ("", PACKAGE)
            clear = scope.ways.get(name) == {"imported"} and not scope.is_class
            stands = self._stands if len(self._scopes) == 1 else self._inner
            if not clear or any(own.unclear for at, own in stands.items() if at[0] == name):
                kept.append(f"{module}:{each.name} as {name}")
            elif not inside:
                kept.append(f"{module}:{each.name}")
        return f"import {' '.join(kept)}" if kept else ""

    def _is_cast(self, node: ast.Call) -> bool:
        """Whether a call only tells a type checker something."""
        names = chain(node.func)
        if not names or names[-1] != "cast" or len(node.args) != 2 or self._variable(names):
            return False
        return self._stand(names).text == "typing.cast"

    def _plain(self, nodes: list[object]) -> list[object]:
        """Without annotations of variables, and ``x = …; return x`` as ``return …``."""
        if len(self._scopes) == 1 or self._scopes[-1].is_class:
            return nodes
        found: list[object] = []
        for each in nodes:
            if isinstance(each, ast.AnnAssign) and each.value:
                found.append(ast.Assign([each.target], each.value))
            else:
                found.append(each)
        match found:
            case [*_, ast.Assign([ast.Name(name)], value), ast.Return(ast.Name(returned))] if (
                name == returned and self._scopes[-1].ways.get(name) == {"stored"}
            ):
                if self._scopes[-1].uses(name) == 2 and not self._named:
                    found[-2:] = [ast.Return(value)]
        return found


def _computed(text: ast.JoinedStr) -> Iterator[ast.expr]:
    """What an f-string calls, or binds."""
    for each in ast.iter_child_nodes(text):
        for part in ast.walk(each):
            if isinstance(part, (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)):
                yield part


def _is_read(node: ast.expr) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


# Where in a sentence other parts of it stand.
_SAID: dict[type[ast.AST], tuple[str, ...]] = {
    Raised: ("args",),
    ast.Attribute: ("value",),
    ast.BinOp: ("left", "right"),
    ast.BoolOp: ("values",),
    ast.GeneratorExp: ("elt",),
    ast.IfExp: ("body", "orelse"),
    ast.List: ("elts",),
    ast.ListComp: ("elt",),
    ast.Starred: ("value",),
    ast.Tuple: ("elts",),
    ast.keyword: ("value",),
}

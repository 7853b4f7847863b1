"""What something is called, and where it stands, changes no fingerprint; what it is does."""

from __future__ import annotations

import ast
import symtable
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from rarelens.pipeline.lineage.closures import SIGNATURES, Closures
from rarelens.pipeline.lineage.definitions import Source
from rarelens.pipeline.lineage.modules import source_of

FILES = {
    "a.py": "from rarelens.b import f\ndef g(z): return f(z)\n",
    "b.py": "def f(x): return x + 1\ndef h(x): return x + 2\n",
    "u.py": "def use(x): pass\n",
}


def content(folder: Path, **files: str | None) -> dict[str, Any]:
    """The fingerprint of `a.g`, with some files written otherwise or left out."""
    with TemporaryDirectory(dir=folder) as root:
        Path(root, "__init__.py").touch()
        for name, text in (FILES | {f"{name}.py": text for name, text in files.items()}).items():
            if text is not None:
                Path(root, name).write_text(text)
        return Closures(Path(root)).of_names(["rarelens.a.g"]).content()


@pytest.mark.parametrize(
    "files",
    [
        {"b": "def other(x): return x + 1\n",
         "a": "from rarelens.b import other\ndef g(z): return other(z)\n"},
        {"b": None, "c": "def f(x): return x + 1\n",
         "a": "from rarelens.c import f\ndef g(z): return f(z)\n"},
        {"a": "from rarelens.b import f as k\ndef g(z): return k(z)\n"},
        {"a": "from rarelens import b\ndef g(z): return b.f(z)\n"},
        {"a": "import rarelens.b\ndef g(z): return rarelens.b.f(z)\n"},
        {"a": "def g(z):\n    from rarelens.b import f\n    return f(z)\n"},
        {"b": "from rarelens.c import f\n", "c": "def f(x): return x + 1\n"},
        {"a": "from rarelens.b import f\ndef g(z):\n    y: int = f(z)\n    return y\n"},
        {"a": "from typing import cast\nfrom rarelens.b import f\n"
         "def g(z): return cast('int', f(z))\n"},
    ],
)  # fmt: skip
def test_another_name_or_place_changes_nothing(
    tmp_path: Path, files: dict[str, str | None]
) -> None:
    assert content(tmp_path, **files) == content(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n    return x + z", "y = 1\n    return y + z"),
        ("x = 1\n    x += z\n    return x", "y: int = 1\n    y += z\n    return y"),
        ("for x in z: f(x)", "for y in z: f(y)"),
        ("return [x for x in z if x]", "return [y for y in z if y]"),
        ("with z as x: f(x)", "with z as y: f(y)"),
        ("if (x := z): f(x)", "if (y := z): f(y)"),
        ("x = z\n    return lambda: x", "y = z\n    return lambda: y"),
        ("import numpy as np\n    return np.sum(z)", "import numpy\n    return numpy.sum(z)"),
        ("g(z)", "g(z)"),
    ],
)
def test_a_variable_of_a_function_may_have_any_name(tmp_path: Path, one: str, other: str) -> None:
    head = "from rarelens.b import f\ndef g(z):\n    "
    assert content(tmp_path, a=head + one) == content(tmp_path, a=head + other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(z)", "h(z)"),
        ("x = 1; y = 2; return x - y", "x = 1; y = 2; return y - x"),
        ("x = z; return f", "f = z; return f"),
        ("x = [f for f in z]; return f", "x = [f for y in z]; return f"),
        ("return (f for y in f(z))", "return (y for y in f(z))"),
        ("x = f; return lambda x: x", "x = f; return lambda y: x"),
        ("x = z; return locals()", "y = z; return locals()"),
        ("x = z; return f'{x=}'", "y = z; return f'{y=}'"),
        ("f(x=z)", "f(y=z)"),
        ("z.x", "z.y"),
        ("import numpy as x; return x.sum(z)", "import scipy as x; return x.sum(z)"),
        ("global f; f = z", "f = z"),
        ("def inner(): return x\n    x = z; return inner", "x = z; return x"),
        ("class A:\n        x = z\n    return A", "class A:\n        y = z\n    return A"),
        ("except_ = 1; return z", "x = 1; return except_"),
        ("try:\n        x = z; return x\n    finally: f(x)",
         "try:\n        return z\n    finally: f(x)"),
    ],
)  # fmt: skip
def test_what_a_name_stands_for_counts(tmp_path: Path, one: str, other: str) -> None:
    head = "from rarelens.b import f, h\ndef g(z):\n    "
    assert content(tmp_path, a=head + one) != content(tmp_path, a=head + other)


F, H = "from rarelens.b import f; f()", "from rarelens.b import h; h()"
X, Y = "import numpy as x, scipy as y; x(y)", "import scipy as x, numpy as y; x(y)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Which function imports what.
        ((F, H), (H, F)),
        ((F, H.replace("h", "h as f", 1).replace("h()", "f()")),
         (F.replace("import f", "import h as f"), F)),
        ((F, "f()"), ("f()", F)),
        ((F, "f()"), (F, F)),
        ((X, Y), (X.replace("x(y)", "y(x)"), Y)),
        ((X, Y), (Y, X)),
    ],
)  # fmt: skip
def test_imports_inside_count_where_they_stand(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    head = "from rarelens import b\n"
    before, after = (
        content(tmp_path, a=f"{head}class g:\n    def m(s): {first}\n    def n(s): {second}\n")
        for first, second in (one, other)
    )
    assert before != after


def test_what_a_class_binds_its_methods_do_not_see(tmp_path: Path) -> None:
    a = "from rarelens.b import f\nclass g:\n    from rarelens.b import {}\n    def m(s): f()\n"
    found = [content(tmp_path, a=a.format(each)) for each in ("h as f", "f", "h as f, f as h")]
    assert len({str(each) for each in found}) == 3
    function = "def g():\n    f = 1\n    class C:\n        def f(s): pass\n        x = f\n    {}"
    one, other = "return C", "x = f; return C"
    assert content(tmp_path, a=function.format(one)) != content(tmp_path, a=function.format(other))


def test_of_a_class_what_it_imports_is_an_attribute(tmp_path: Path) -> None:
    a = "class g:\n    from rarelens.b import {}\n    def m(s): s.f()\n"
    found = [content(tmp_path, a=a.format(each)) for each in ("f", "f as h", "h as f")]
    assert len({str(each) for each in found}) == 3


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A function that is taken as a value, or decorated, may be asked for its name.
        ("def x(): pass\ndef g(): use(x)", "def y(): pass\ndef g(): use(y)"),
        ("def x(): pass\ng = {'a': x}", "def y(): pass\ng = {'a': y}"),
        ("def x(): pass\ndef g(): return x.__name__", "def y(): pass\ndef g(): return y.__name__"),
        ("def d(f): return f\n@d\ndef x(): pass\ndef g(): x()",
         "def d(f): return f\n@d\ndef y(): pass\ndef g(): y()"),
        # Objects tell the name of their class.
        ("class X: pass\ndef g(): return X()", "class Y: pass\ndef g(): return Y()"),
        # Who is called by keywords has them as names.
        ("def f(x=1): return x\ndef g(): return f()", "def f(y=1): return y\ndef g(): return f()"),
        ("def g(): return f()\ndef f(): g()", "def g(): return h()\ndef h(): g()"),
        ("x = 1\ndef g(): return globals()", "y = 1\ndef g(): return globals()"),
    ],
)  # fmt: skip
def test_names_that_others_may_see_count(tmp_path: Path, one: str, other: str) -> None:
    head = "from rarelens.u import use\n"
    assert content(tmp_path, a=head + one) != content(tmp_path, a=head + other)


@pytest.mark.parametrize(
    "own",
    ["def f(): return __name__", "def f(): return __file__", "def f(x): return x.__module__"],
)
def test_where_a_module_stands_counts_for_who_asks(tmp_path: Path, own: str) -> None:
    use = "from rarelens.{} import f\ndef g(): return f(1)\n"
    before = content(tmp_path, b=own, a=use.format("b"))
    assert content(tmp_path, b=None, c=own, a=use.format("c")) != before


def test_a_value_beside_effects_may_have_any_name(tmp_path: Path) -> None:
    module = "from rarelens.u import use\n{0} = use(1)\nother = use(2)\ndef f(x): return {1}\n"
    before = content(tmp_path, b=module.format("x1", "x1"))
    assert content(tmp_path, b=module.format("x2", "x2")) == before
    assert content(tmp_path, b=module.format("x1", "other")) != before


def test_twins_are_counted(tmp_path: Path) -> None:
    loud = "from rarelens.u import use\nuse(1)\ndef f(x): return x + 1\n"
    twice = "from rarelens.c import f as k\n" + loud
    assert content(tmp_path, b=loud) != content(tmp_path, b=twice, c=loud)


def test_a_digest_is_the_same_whatever_was_digested_before() -> None:
    keys = [(table.name, name) for table in TABLES for name in table.definitions]
    first, last = Closures().digests, Closures().digests
    forwards = {key: first.of(key) for key in keys}
    backwards = {key: last.of(key) for key in reversed(keys)}
    assert forwards == backwards
    assert len({*forwards.values()}) > 0.8 * len(keys)


CLOSURES = Closures()
TABLES = [table for name in CLOSURES.below("rarelens") if (table := CLOSURES.module(name))]
FUNCTIONS = [
    (table.name, name)
    for table in TABLES
    for name, (node,) in table.definitions.items()
    if isinstance(node, (ast.FunctionDef, ast.ClassDef))
]


def scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for each in table.get_children():
        yield from scopes(each)


def variables(node: ast.stmt) -> list[str]:
    """Names that are plain variables of functions wherever they stand, as Python itself has it."""
    found: dict[str, bool] = {}
    for scope in scopes(symtable.symtable(ast.unparse(node), "", "exec")):
        for each in scope.get_symbols():
            plain = scope.get_type() == "function" and not (
                each.is_parameter() or each.is_imported() or each.is_namespace()
                or each.is_declared_global() or each.is_global()
            )  # fmt: skip
            name = each.get_name()
            found[name] = plain and found.get(name, True)
    named = {each.name for each in ast.walk(node) if getattr(each, "name", None)}
    return sorted(name for name, plain in found.items() if plain and name not in named)


def text(module: str, node: ast.stmt, name: str, folder: Path) -> str:
    """The canonical text of a definition that is written otherwise."""
    tree = ast.parse(source_of(module).read_text())
    at = next(n for n, each in enumerate(tree.body) if getattr(each, "name", "") == name)
    tree.body[at] = node
    file = folder / "module.py"
    file.write_text(ast.unparse(tree))
    signatures = module.startswith(SIGNATURES)
    source = Source(module, file, CLOSURES.package(module), signatures=signatures)
    closures = Closures()
    closures._sources = CLOSURES._sources | {module: source}
    table = closures.module(module)
    assert table
    return closures.part(table, name).text


def original(module: str, name: str) -> ast.stmt:
    tree = ast.parse(source_of(module).read_text())
    return next(each for each in tree.body if getattr(each, "name", "") == name)


def readings(node: ast.AST) -> list[ast.Name]:
    """Of variables, but for what is raised, whose words are no part of a function's digest."""
    raised = {id(own) for each in ast.walk(node) if isinstance(each, ast.Raise)
              for own in ast.walk(each)}  # fmt: skip
    return [
        each for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load) and id(each) not in raised
    ]  # fmt: skip


def test_in_the_code_itself_variables_may_have_any_name_and_none_the_other_s(
    tmp_path: Path,
) -> None:
    renamed = swapped = 0
    for module, name in FUNCTIONS[::11]:
        node = original(module, name)
        before = text(module, node, name, tmp_path)
        own = variables(node)
        asked = {"locals", "vars", "dir", "eval"} & {
            each.id for each in ast.walk(node) if isinstance(each, ast.Name)
        }
        # A variable that an inner function writes to keeps its name: a rename reruns, and is rare.
        asked |= {"nonlocal"} & {type(each).__name__.lower() for each in ast.walk(node)}
        if not own or asked:
            continue
        other = original(module, name)
        for each in ast.walk(other):
            if isinstance(each, ast.Name) and each.id in own:
                each.id = f"other_{each.id}"
        assert text(module, other, name, tmp_path) == before
        renamed += 1
        # One reading of a variable becomes a reading of another: that is another function.
        counts = Counter(each.id for each in readings(node))
        often = [each for each in own if counts[each] > 1]
        if len(own) > 1 and often:
            other = original(module, name)
            read = next(each for each in readings(other) if each.id == often[0])
            read.id = next(each for each in own if each != often[0])
            assert text(module, other, name, tmp_path) != before
            swapped += 1
    assert renamed > 50
    assert swapped > 20

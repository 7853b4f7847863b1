"""Definitions that code can run, found by another way: names of its bytecode, looked up."""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from rarelens.pipeline.lineage.closures import WITHOUT_RESULT, Closures
from rarelens.pipeline.lineage.modules import is_own, source_of

ROOT = Path(__file__).parents[3]
SCRIPTS = sorted((ROOT / "stages").glob("[!_]*.py"))
CLOSURES = Closures()


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes(each)


def functions(value: object, module: str) -> Iterator[FunctionType]:
    """The functions of a definition; those of a class are its methods."""
    if isinstance(value, property):
        for each in (value.fget, value.fset):
            yield from functions(each, module)
    elif isinstance(value, (classmethod, staticmethod)):
        yield from functions(value.__func__, module)
    elif inspect.isclass(value) and value.__module__ == module:
        for each in vars(value).values():
            yield from functions(each, module)
    elif callable(value):
        found = inspect.unwrap(value)
        if isinstance(found, FunctionType) and found.__module__ == module:
            yield found


def used(function: FunctionType) -> Iterator[object]:
    """What a function's code asks of its module, and attributes of modules that this leads to."""
    for code in codes(function.__code__):
        value: object = None
        for step in dis.get_instructions(code):
            if step.opname == "LOAD_GLOBAL":
                value = function.__globals__.get(step.argval)
            elif step.opname == "LOAD_ATTR" and isinstance(value, ModuleType):
                value = getattr(value, step.argval, None)
            else:
                value = None
            yield value


def place(value: object) -> str | None:
    """The full name of a function or class of rarelens."""
    value = inspect.unwrap(value) if callable(value) else value
    module = getattr(value, "__module__", None)
    if not (inspect.isclass(value) or isinstance(value, FunctionType)) or not is_own(str(module)):
        return None
    if str(module).startswith(WITHOUT_RESULT):
        return None
    return f"{module}.{value.__qualname__.partition('.')[0]}"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_what_the_bytecode_of_a_closure_names_is_in_it(script: Path) -> None:
    closure = CLOSURES.of_script(script)
    missed, seen = set(), 0
    for name in closure.code:
        module, own = CLOSURES.split(name) if "/" not in name else ("", "")
        value = getattr(import_module(module), own, None) if own else None
        for function in functions(value, module):
            for each in used(function):
                wanted = place(each)
                seen += wanted is not None
                whole = wanted and wanted.rpartition(".")[0]
                if wanted and wanted not in closure.code and whole not in closure.code:
                    missed.add((name, wanted))
                if inspect.ismodule(each) and is_own(each.__name__):
                    assert each.__name__ in closure.modules
    assert not missed
    assert seen > 10 or script.stem == "fingerprint"


def resolved(folder: Path, files: dict[str, str], *names: str) -> set[str]:
    for file, text in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    (folder / "__init__.py").touch()
    return set(Closures(folder).of_names([f"rarelens.{name}" for name in names]).code)


@pytest.mark.parametrize(
    ("first", "reached"),
    [
        ("from rarelens.b import f\ndef g(): f()", {"b.f"}),
        ("from rarelens.b import f as h\ndef g(): h()", {"b.f"}),
        ("from . import b\ndef g(): b.f()", {"b.f"}),
        ("import rarelens.b\ndef g(): rarelens.b.f()", {"b.f"}),
        ("def g():\n    from .b import f\n    f()", {"b.f"}),
        ("from rarelens.p import f\ndef g(): f()", {"b.f"}),
        ("from rarelens import p\ndef g(): p.f()", {"b.f"}),
        ("from rarelens.b import f\n@f\ndef g(): pass", {"", "b.f"}),
        ("from rarelens.b import f\ndef g(x=f): pass", {"b.f"}),
        ("from rarelens.b import C\nclass g(C): pass", {"b.C", "b.f"}),
        ("from rarelens.b import f\nx = f\ndef g(): return x", {"a.x", "b.f"}),
        ("from rarelens import b\ndef g(n): getattr(b, n)()", {"b.f", "b.C", "b.x"}),
        ("from rarelens.b import *\ndef g(): f()", {"b.f", "b.C", "b.x"}),
        ("x = 1\ndef g(): return globals()['x']", {"a.x"}),
        ("from importlib import import_module\ndef g(): import_module('rarelens.b')",
         {"b.f", "b.C", "b.x"}),
        ("from rarelens import q\ndef g(): q.anything()", {"q.__getattr__"}),
        ("from rarelens.b import f, x\ndef g(): return x", {"b.x"}),
        ("def g(): pass\ndef f(): pass", set()),
        ("def g(): pass\nprint(1)", {""}),
        ("from rarelens.b import f\nf()\ndef g(): pass", {"", "b.f"}),
        ("from rarelens.e import y\ndef g(): pass", {"e", "e.y"}),
        ("if not TYPE_CHECKING:\n    from rarelens.b import f\ndef g(): f()", {"", "b.f"}),
        ("try:\n    from rarelens.b import f\nexcept ImportError: f = 1\ndef g(): f()",
         {"", "b.f"}),
        ("from rarelens.b import C\nL = list['C']\ndef g(): return L", {"a.L", "b.C", "b.f"}),
        ("from rarelens.b import C\ndef g(): read(list['C'], r'\\d')", {"b.C", "b.f"}),
        ("from sys import modules\nx = 1\ndef g(): return modules['rarelens.a']", {"a.x", "a.*"}),
        ("import importlib\ndef g(): importlib.import_module(name='rarelens.b')",
         {"b.f", "b.C", "b.x"}),
        ("import importlib\ndef g(): importlib.import_module('.b', __package__)",
         {"b.f", "b.C", "b.x"}),
        # A package's own name hides the module of that name, and its __getattr__ is asked first.
        ("from rarelens.h import k\ndef g(): k()", {"h.k.k", "b.f"}),
        ("from rarelens import r\ndef g(): r.k.z()", {"r.__getattr__", "r.k.z"}),
        # The package's own names are looked up while the program runs: everything.
        ("import rarelens\ndef g(): return rarelens.__version__", set()),
    ],
)  # fmt: skip
def test_a_name_is_followed_to_its_definition(
    tmp_path: Path, first: str, reached: set[str]
) -> None:
    files = {
        "a.py": first,
        "b.py": "def f(): pass\nclass C:\n    def m(self): f()\nx = 1\n",
        "p/__init__.py": "from rarelens.b import f\n",
        "q.py": "def __getattr__(name): return 1\n",
        "e.py": "y = []\nz = 2\ny.append(1)\n",
        "h/__init__.py": "from rarelens.b import f as k\n",
        "h/k.py": "def k(): pass\n",
        "r/__init__.py": "def __getattr__(name): return 1\n",
        "r/k.py": "def z(): pass\n",
    }
    expected = {"rarelens.a.g"} | {f"rarelens.{each or 'a'}" for each in reached}
    found = resolved(tmp_path, files, "a.g")
    if "" in reached and "@f" in first:
        expected -= {"rarelens.a.g"}
    assert found == expected


def test_a_name_of_the_root_package_counts_as_everything(tmp_path: Path) -> None:
    files = {"a.py": "from rarelens import f\ndef g(): f()", "b.py": "def f(): pass\n"}
    assert "rarelens.b.f" in resolved(tmp_path, files, "a.g")


def test_a_root_that_its_module_imports_is_followed(tmp_path: Path) -> None:
    files = {"a.py": "from rarelens.b import f\n", "s.py": "from rarelens.b import *\n"}
    files["b.py"] = "def f(): pass\n"
    for name in ("a.f", "s.f"):
        assert "rarelens.b.f" in resolved(tmp_path, files, name)


def test_where_a_default_is_taken_beside_effects_counts(tmp_path: Path) -> None:
    def code(a: str) -> dict[str, str]:
        resolved(tmp_path, {"a.py": a})
        return Closures(tmp_path).of_names(["rarelens.a.g"]).code

    for taken in ("def g(y=x): return y", "class g:\n    y = x"):
        assert code(f"x = 1\n{taken}\nx = 2") != code(f"x = 1\nx = 2\n{taken}")
    later = "def g(): return x"
    assert code(f"x = 1\n{later}\nx = 2") == code(f"x = 1\nx = 2\n{later}")


def test_swapped_imports_and_order_beside_effects_count(tmp_path: Path) -> None:
    def code(a: str) -> dict[str, str]:
        resolved(tmp_path, {"a.py": a, "b.py": "def f(): pass\ndef h(): pass\n"})
        return Closures(tmp_path).of_names(["rarelens.a.g"]).code

    body = "def g(): f(h)"
    assert code(f"from rarelens.b import f, h\n{body}") != code(
        f"from rarelens.b import f as h, h as f\n{body}"
    )
    assert code(f"import numpy as f\n{body}") != code(f"import scipy as f\n{body}")
    first = "x = []\ny = list(x)\nx += [1]\ndef g(): return y"
    assert code(first) != code("x = []\nx += [1]\ny = list(x)\ndef g(): return y")


HEAD = """
import re, numpy as np
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar
from rarelens import d, p
from rarelens.b import f, f as cache
from rarelens.p import Base as Again, Derived, Kind, Plain, Post
"""


@pytest.mark.parametrize(
    ("statement", "acts"),
    [
        ("x = re.compile('a')", False),
        ("x = np.array([1.0])", False),
        ("x = dict.fromkeys('ab')", False),
        ("x, y = 1, 2", False),
        ("def compile(x): pass\nx = compile('a')", True),
        ("x = d.compile('a')", True),
        ("x = d.table.get(1)", True),
        ("x = p.f()", True),
        ("x = [f() for f in (d.compile,)]", True),
        ("x = [int() for int in (f,)]", True),
        ("x = sorted([1], key=f)", True),
        ("x = sorted([1])", False),
        ("@cache\ndef x(): pass", True),
        ("from functools import cache\n@cache\ndef x(): pass", True),  # one of two
        ("from functools import lru_cache\n@lru_cache\ndef x(): pass", False),
        ("from d import *\nx = int(1)", True),
        ("class x:\n    field = f\n    y: int = field()", True),
        ("@dataclass\nclass x:\n    y: list = field(default_factory=list)", False),
        ("class x(Plain): pass", False),
        ("class x(Again): pass", True),
        ("class x(d.Base): pass", True),
        ("class x(Derived): pass", True),
        ("class x(Plain, metaclass=Kind): pass", True),
        ("class x(d.Assigned): pass", True),
        ("class x(Kind): pass", False),
        ("T = TypeVar('T')\nclass x(Plain, Generic[T]): pass", False),
        ("class x:\n    y = Plain(1)", False),
        ("x = Plain(1)", False),
        ("x = Post(1)", True),
        ("x = Derived()", True),
        ("class x(NamedTuple):\n    y: int\nz = x(1)", False),
    ],
)
def test_importing_a_module_acts_unless_all_that_it_calls_is_known(
    tmp_path: Path, statement: str, acts: bool
) -> None:
    files = {
        "a.py": f"{HEAD}{statement}\ndef g(): pass",
        "b.py": "def f(*_, **__): pass",
        "d.py": "class Base:\n    def __init_subclass__(cls): pass\n"
        "class Derived(Base): pass\ntable = {}\ndef compile(x): return x\n"
        "class Kind(type): pass\n"
        "class Assigned:\n    __init_subclass__ = classmethod(print)\n"
        "from dataclasses import dataclass\n@dataclass\nclass Plain:\n    x: int\n"
        "@dataclass\nclass Post:\n    x: int\n    def __post_init__(self): pass\n",
        "p/__init__.py": "from rarelens.d import *\n"
        "from rarelens.d import Base, Derived, Kind, Plain, Post\nfrom rarelens.b import f\n",
    }
    assert ("rarelens.a" in resolved(tmp_path, files, "a.g")) is acts


def test_what_a_subclass_runs_is_reached(tmp_path: Path) -> None:
    files = {
        "a.py": "from rarelens.b import Base\nclass C(Base): pass\ndef g(): pass\n",
        "b.py": "class Base:\n    def __init_subclass__(cls): known.append(cls)\nknown = []\n",
    }
    assert {"rarelens.a", "rarelens.b.Base", "rarelens.b.known"} <= resolved(tmp_path, files, "a.g")


def test_of_a_module_that_is_a_value_what_it_imports_counts(tmp_path: Path) -> None:
    files = {
        "a.py": "from rarelens import b\nMODULES = {'b': b}\ndef g(n): MODULES[n].f()\n",
        "b.py": "from rarelens.c import f, h\n",
        "c.py": "def f(): pass\ndef h(): pass\ndef other(): pass\n",
    }
    found = resolved(tmp_path, files, "a.g")
    assert found == {f"rarelens.{each}" for each in ("a.g", "a.MODULES", "b.*", "c.f", "c.h")}
    before = Closures(tmp_path).of_names(["rarelens.a.g"]).code
    resolved(tmp_path, {"b.py": "from rarelens.c import f as h, h as f\n"})
    assert Closures(tmp_path).of_names(["rarelens.a.g"]).code != before


@pytest.mark.parametrize(
    "body",
    [
        "from importlib import import_module as load\ndef g(): load('rarelens.b')",
        "import importlib as i\ndef g(): i.import_module('rarelens.b')",
        "def g(): __import__('rarelens.b')",
    ],
)
def test_a_module_imported_by_its_name_counts_whole(tmp_path: Path, body: str) -> None:
    assert "rarelens.b.f" in resolved(tmp_path, {"a.py": body, "b.py": "def f(): pass"}, "a.g")


# What closures cannot follow, or follow by what params.yaml names: each place is looked at here.
UNSEEN = {"__subclasses__", "getmembers", "_getframe", "resolve_name", "run_module", "run_path",
          "spec_from_file_location", "entry_points", "eval", "exec", "__globals__", "getsource",
          "getdoc", "__doc__"}  # fmt: skip
READS_ANNOTATIONS = {"get_type_hints", "get_annotations", "__annotations__", "validate_call"}
IMPORTS_BY_NAME = {"import_module", "__import__"}
# No stage runs these; launch starts stages, each as a script of its own.
NOT_OF_STAGES = ("rarelens.nnunet", "rarelens.pipeline.launch", "rarelens.studies.diagnosis")


def test_there_is_nothing_that_closures_cannot_see() -> None:
    found = set()
    for name in CLOSURES.below("rarelens"):
        if name.startswith((*WITHOUT_RESULT, *NOT_OF_STAGES)):
            continue
        for node in ast.walk(ast.parse(source_of(name).read_text())):
            own = getattr(node, "attr", getattr(node, "id", ""))
            plain = isinstance(node, ast.Name) or own not in ("eval", "exec")  # network.eval()
            if own in UNSEEN | READS_ANNOTATIONS | IMPORTS_BY_NAME and plain:
                found.add((name.removeprefix("rarelens."), own))
    assert found == {
        ("rarelens", "import_module"),  # lazy names of the package: test_a_name_of_the_root…
        ("components._lazy", "import_module"),  # lazy names: test_a_name_is_followed…
        # Components and layouts, which `entries.roots` names; their annotations are kept.
        ("studies.building", "get_type_hints"),
        ("studies.building", "import_module"),
        ("studies.data.layout", "import_module"),
        # Of a class with bases, whose annotations are kept.
        ("studies.training.segmentation.builders", "__annotations__"),
    }


def test_data_beside_the_code_is_templates_and_a_viewer_with_its_licence() -> None:
    kinds = {file.suffix for file in source_of("rarelens").parent.rglob("*") if file.is_file()}
    assert kinds - {".pyc"} == {".py", ".typed", ".j2", ".gz", ""}
    resources = CLOSURES.resources(["rarelens.studies.reporting.page.write_report"])
    assert {"niivue.umd.js.gz", "LICENSE", "page.html.j2"} <= {Path(own).name for own in resources}

"""The digest of a file follows what it does, not how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.canonical import canonical
from rarelens.pipeline.lineage.closures import Closures
from rarelens.pipeline.lineage.scopes import top_scope
from rarelens.pipeline.lineage.syntax import parse

SOURCE = '''"""Adds."""

import math


def add(first: float, second: float = 1.0) -> float:
    """The sum."""
    # Of floats.
    return math.fsum([first, second])
'''


def digest(folder: Path, source: str) -> str:
    file = folder / "module.py"
    file.write_text(source)
    (found,) = Closures().of_script(file).code.values()
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# Of floats.", "# Of any numbers."),
        ('"""The sum."""', '"""Something else."""'),
        ('"""Adds."""\n', ""),
        ("[first, second]", "[\n        first,\n        second,\n    ]"),
        ("\n\n\ndef", "\ndef"),
        ('    """The sum."""\n    # Of floats.\n', ""),
        ("import math", "import math  # noqa: F401"),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in SOURCE
    assert digest(tmp_path, SOURCE.replace(old, new)) == digest(tmp_path, SOURCE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0", "1"),
        ("1.0", "1.0000000001"),
        ("first, second]", "second, first]"),
        ("fsum", "prod"),
        ("import math", "import math as other"),
        ("def add", "async def add"),
        ("return math", "return -math"),
        ('"""The sum."""', 'print("The sum.")'),
        ("second: float = 1.0", "*, second: float = 1.0"),
    ],
)
def test_whatever_changes_the_program_changes_the_digest(
    tmp_path: Path, old: str, new: str
) -> None:
    assert old in SOURCE
    assert digest(tmp_path, SOURCE.replace(old, new)) != digest(tmp_path, SOURCE)


LATE = "from __future__ import annotations\n"


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("def f(x: {}): pass", False),
        ("def f() -> {}: pass", False),
        ("@dataclass\nclass A:\n    def f(self, x: {}): pass", False),
        ("@cache\ndef f(x: {}): pass", False),
        ("@singledispatch\ndef f(x: {}): pass", True),
        ("@functools.cache\ndef f(x: {}): pass", False),
        ("from rarelens.x import y as cache\n@cache\ndef f(x: {}): pass", True),
        ("def cache(f): pass\n@cache\ndef f(x: {}): pass", True),
        ("@dataclass\nclass A:\n    x: {}", True),
        ("class A(BaseModel):\n    x: {}", True),
        ("class A(BaseModel):\n    def f(self, x: {}): pass", True),
        ("x: {} = 1", True),
    ],
)
def test_annotations_count_where_something_reads_them(
    tmp_path: Path, source: str, counts: bool
) -> None:
    file = tmp_path / "module.py"
    for head, signatures, differ in [
        (LATE, False, counts), (LATE, True, True), ("", False, True)
    ]:  # fmt: skip
        found = set()
        for annotation in ("int", "float"):
            file.write_text(head + source.format(annotation) + "\n")
            body = parse(file, signatures=signatures).body
            found.add(canonical(body, {}, {}, top_scope(body)))
        assert len(found) == 1 + differ, (head, signatures)


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("raise A('x')", "raise A('y')", False),
        ("raise A('x')", "raise A(f'{x} is wrong')", False),
        ("raise A(f'{x}')", "raise A(f'{y}: {x}')", False),
        ("raise A('x', key=1)", "raise A('y', key=1)", False),
        ("raise A('x' + y if z else 'y')", "raise A('y' + y if z else 'z')", False),
        ("raise A(*(f'{x}' for x in y))", "raise A(*(f'no {x}' for x in y))", False),
        ("raise A(['x %s' % y])", "raise A(['y %s' % y])", False),
        ("raise A('{x}'.format(x='x'))", "raise A('no {x}'.format(x='y'))", False),
        ("raise A(', '.join(x))", "raise A('; '.join(x))", False),
        ("raise A('x')", "raise B('x')", True),
        ("raise A(1)", "raise A(2)", True),
        # Who catches it may use these.
        ("raise A(key='x')", "raise A(key='y')", True),
        ("raise A(x['a'])", "raise A(x['b'])", True),
        ("raise A({'a': 1})", "raise A({'b': 1})", True),
        ("raise A('x' if y == 'a' else z)", "raise A('x' if y == 'b' else z)", True),
        ("raise KeyError('x')", "raise KeyError('y')", True),
        ("raise StopIteration('x')", "raise StopIteration('y')", True),
        # What is called for a sentence may do more.
        ("raise A(f'{x.pop(1)}')", "raise A(f'{x.pop(2)}')", True),
        ("raise A(f'{x.pop()}')", "raise A(f'{x}')", True),
        ("raise A(f'{x:{y(1)}}')", "raise A(f'{x:{y(2)}}')", True),
        ("raise A(f('x'))", "raise A(f('y'))", True),
        ("raise A(x)", "raise A(y)", True),
        ("if x > 1: raise A('x')", "if x > 2: raise A('x')", True),
        ("if x == 'a': raise A('x')", "if x == 'b': raise A('x')", True),
        ("raise A['x']", "raise A['y']", True),
        ("raise A('x') from a", "raise A('x') from b", True),
        ("print('x')", "print('y')", True),
    ],
)
def test_what_a_raise_says_does_not_count_and_whether_it_does(
    tmp_path: Path, old: str, new: str, counts: bool
) -> None:
    assert (digest(tmp_path, old) != digest(tmp_path, new)) is counts


def test_a_string_that_is_no_docstring_counts(tmp_path: Path) -> None:
    assert digest(tmp_path, 'x = "a"\n') != digest(tmp_path, 'x = "b"\n')


def test_a_file_that_is_no_python_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match=r"module\.py: line 2 is no Python; correct it"):
        digest(tmp_path, "x = 1\ndef (\n")

"""The digest of a file follows what it does, not how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.syntax import syntax_digest

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
    return syntax_digest(file)


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


def test_a_string_that_is_no_docstring_counts(tmp_path: Path) -> None:
    assert digest(tmp_path, 'x = "a"\n') != digest(tmp_path, 'x = "b"\n')


def test_a_file_that_is_no_python_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match=r"module\.py: line 2 is no Python; correct it"):
        digest(tmp_path, "x = 1\ndef (\n")

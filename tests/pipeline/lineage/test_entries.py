"""A component's file has to define what it names first."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.entries import roots

MODULE = "rarelens.components.objectives.poly"


def written(folder: Path, body: str) -> Path:
    file = folder / "components/objectives/poly.py"
    file.parent.mkdir(parents=True)
    file.write_text(body)
    return folder


@pytest.mark.parametrize(
    "body",
    [
        "class Poly: ...",
        "def Poly(): ...",
        "Poly = object",
        "from other import Poly",
        "import a as Poly",
        "if True:\n    Poly = 1",
    ],
)
def test_what_is_defined_is_taken(tmp_path: Path, body: str) -> None:
    folder = written(tmp_path, f'__all__ = ["Poly"]\n{body}\n')
    assert roots([MODULE], folder) == {f"{MODULE}.__all__", f"{MODULE}.Poly"}


@pytest.mark.parametrize("body", ["class poly: ...", "def other():\n    Poly = 1"])
def test_a_name_that_the_file_does_not_define_is_told(tmp_path: Path, body: str) -> None:
    folder = written(tmp_path, f'__all__ = ["Poly"]\n{body}\n')
    with pytest.raises(RarelensError, match="__all__ names 'Poly' first, and the file defines no"):
        roots([MODULE], folder)

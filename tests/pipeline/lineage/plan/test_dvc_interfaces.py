"""Each interface of DVC that rarelens rests on and DVC does not document, by its name.

An upgrade of DVC that moves one fails here, with a sentence, and not in a user's run.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[4] / "src/rarelens"
IMPORTS = sorted(
    {
        (str(node.module), each.name)
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(("dvc", "dvc_"))
        for each in node.names
    }
)
# Of objects that DVC hands out: class, and what is asked of it.
ASKED = [
    ("dvc.repo", "Repo", "cache close config dvcignore fs index lock reproduce root_dir"),
    ("dvc.repo", "Repo", "stage_cache tmp_dir"),
    ("dvc.stage", "PipelineStage", "addressing always_changed changed cmd commit deps dvcfile"),
    ("dvc.stage", "PipelineStage", "frozen is_callback outs path_in_repo remove_outs save wdir"),
    ("dvc.stage", "PipelineStage", "save_deps"),
    ("dvc.stage.cache", "StageCache", "restore _get_cache_dir"),
    ("dvc.dependency", "ParamsDependency", "params"),
    ("dvc.output", "Output", "def_path fs_path hash_info is_in_repo is_metric is_plot persist"),
    ("dvc.output", "Output", "protocol use_cache"),
    ("dvc_data.hashfile.db.local", "LocalHashFileDB", "CACHE_MODE fs oid_to_path state"),
    ("dvc_data.hashfile.tree", "Tree", "add digest hash_info load"),
]


@pytest.mark.parametrize(("module", "name"), IMPORTS)
def test_what_is_imported_of_dvc_is_there(module: str, name: str) -> None:
    assert hasattr(import_module(module), name), (
        f"this DVC has no {module}.{name}, on which rarelens rests; keep to dvc<4 or adapt it"
    )


def test_there_are_such() -> None:
    assert ("dvc.stage.cache", "_get_cache_hash") in IMPORTS


@pytest.mark.parametrize(("module", "kind", "names"), ASKED)
def test_what_is_asked_of_its_objects_is_there(module: str, kind: str, names: str) -> None:
    source = (SOURCE.parent / "rarelens").rglob("*.py")
    text = "".join(file.read_text() for file in source)
    for name in names.split():
        assert f".{name}" in text, f"rarelens rests on {name} no more: strike it"
        assert name in _members(getattr(import_module(module), kind)), (
            f"this DVC's {kind} has no {name}, on which rarelens rests"
        )


def _members(kind: type) -> set[str]:
    """Names of a class, of its annotations, and of what its ``__init__`` gives to its objects."""
    found = {*dir(kind)}
    for base in kind.__mro__:
        found |= {*vars(base).get("__annotations__", ())}
        init = vars(base).get("__init__")
        if init is not None and hasattr(init, "__code__"):
            found |= {*init.__code__.co_names}
    return found

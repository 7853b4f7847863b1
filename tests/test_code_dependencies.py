"""No stage runs code that dvc.yaml does not declare for it: the import closure of each script."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
STAGES = YAML(typ="safe", pure=True).load((ROOT / "dvc.yaml").read_text())["stages"]
# Found by name at run time: the whole folder belongs to whatever imports the finder.
BY_NAME = {
    "rarelens.modules": ["networks"],
    "rarelens.training.segmentation.builders": ["objectives", "regularisers"],
    "rarelens.training.classification.builders": ["objectives", "sampling"],
    "rarelens.training.classification.heads": ["retraining"],
    "rarelens.extraction.source": ["adjustments"],
    "rarelens.data.layouts": ["data/layouts"],
}
# MLflow is told what happens; no result depends on it.
NO_RESULT = ("src/rarelens/tracking", "src/rarelens/__init__.py")


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("rarelens", exclude_type_checking_imports=True)


def closure(script: str) -> set[str]:
    """Files of the project that the script imports, directly or not."""
    tree = ast.parse((ROOT / script).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules = {name for name in imported if name and name.startswith("rarelens")}
    for module in set(modules):
        modules |= graph().find_upstream_modules(module)
    files = {path_of(module) for module in modules}
    for finder, folders in BY_NAME.items():
        if finder in modules:
            files |= {f"src/rarelens/{folder}/any.py" for folder in folders}
    return {file for file in files if not file.startswith(NO_RESULT)}


def path_of(module: str) -> str:
    base = Path("src", *module.split("."))
    return f"{base}/__init__.py" if (ROOT / base).is_dir() else f"{base}.py"


@pytest.mark.parametrize("stage", STAGES)
def test_the_import_closure_is_declared(stage: str) -> None:
    script = STAGES[stage]["cmd"].split()[1]
    declared = [dep for dep in STAGES[stage]["deps"] if dep.startswith("src/")]
    missing = {
        file
        for file in closure(script)
        if not any(file == dep or file.startswith(f"{dep}/") for dep in declared)
    }
    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_declared_code_exists(stage: str) -> None:
    for dep in STAGES[stage]["deps"]:
        if dep.startswith(("src/", "stages/")):
            assert (ROOT / dep).exists()

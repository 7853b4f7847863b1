"""What a stage really calls is in its fingerprints: each stage of both studies runs under a tracer.

Of the functions that it calls all are looked for, of the constants those that these functions name.
"""

from __future__ import annotations

import ast
import json
import shlex
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rarelens.pipeline.lineage.closures import Closures
from rarelens.pipeline.lineage.plan.project import Project as Stages
from working_copy import ROOT, Project

if TYPE_CHECKING:
    from dvc.stage import PipelineStage

SOURCE = ROOT / "src/rarelens"
CLOSURES = Closures(without=())
OWN = Closures()
TRACED = str(ROOT / "tests/traced.py")
# No result depends on them: MLflow is told what happens, the fingerprints are taken and compared,
# and an error is printed.
WITHOUT_RESULT = (
    "rarelens.pipeline.tracking.",
    "rarelens.pipeline.lineage.",
    "rarelens.studies.tables.",
)
GUARD = {
    f"rarelens.errors.{name}"
    for name in ("guarded", "_on_sigterm", "_leave", "_terminate", "REMEDIES", "SMALLER")
} | {
    # The columns of tables are declared of these.
    "rarelens.studies.catalogue.measure.Measure",
    # Of modules that are imported for other names: a type of parameters, names of components.
    "rarelens.studies.settings.base.module_in",
    "rarelens.components._lazy.exports",
    # Of lineage, which asks it for the file of a layout.
    "rarelens.studies.data.layout.layout_module",
}


def simulate_little(parameters: Any) -> None:
    parameters["study"]["simulated"] = ["embedded", "embedded_findings"]
    for name in parameters["study"]["simulated"]:
        parameters["datasets"][name]["simulate"] |= {"subjects": 4, "spacing": 6.0}
    for finding in parameters["datasets"]["embedded_findings"]["simulate"]["findings"].values():
        finding["prevalence"] = 0.4


def test_what_a_stage_calls_is_in_its_fingerprints(
    clone: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone.change(simulate_little)
    monkeypatch.chdir(clone.folder)
    missed, scripts, seen = {}, set(), set()
    for stage in Stages(Path()).stages:
        script = shlex.split(stage.cmd)[1]
        # Its own calls are of lineage, but for the reading of parameters, which all others do.
        if script == "stages/fingerprint.py":
            continue
        scripts.add(script)
        called = set(trace(clone, stage, tmp_path / "called.json"))
        seen |= called
        left = called - held(stage)
        left = {each for each in left if not each.startswith(WITHOUT_RESULT)} - GUARD
        if left:
            missed[stage.addressing] = left
    assert not missed
    assert scripts == {f"stages/{each.name}" for each in (ROOT / "stages").glob("[!_]*.py")} - {
        "stages/fingerprint.py"
    }
    assert len(seen) > 500


def trace(project: Project, stage: PipelineStage, target: Path) -> Iterator[str]:
    """Run a stage as DVC does, after its outputs went; full names of what it called."""
    for out in stage.outs:
        if not out.persist:
            shutil.rmtree(out.fs_path, ignore_errors=True)
            Path(out.fs_path).unlink(missing_ok=True)
    python, *arguments = shlex.split(stage.cmd)
    done = project.run(python, TRACED, str(target), *arguments)
    assert done.returncode == 0, done.stderr
    for file, line in json.loads(target.read_text()):
        if line < 0:
            yield file
            continue
        if file.endswith(".j2"):
            folder, _, name = file.rpartition("/")
            yield f"rarelens.{folder.replace('/', '.')}/{name}"
            continue
        module, node = at_line(file, line)
        yield from keys(module, node)
        yield from globals_of(module, node)


def held(stage: PipelineStage) -> set[str]:
    """Names of what stands in the fingerprints that DVC watches for a stage."""
    files: set[Path] = set()
    for each in stage.deps:
        path = Path(each.fs_path)
        if "fingerprints" in path.parts:
            files |= {*path.rglob("*.json")} if path.is_dir() else {path}
    return {name for file in files for name in names_in(file)}


@cache
def names_in(file: Path) -> frozenset[str]:
    """The definitions and files of a fingerprint; it holds their digests."""
    content = json.loads(file.read_text())
    if content["from"]:
        closure = OWN.of_names(content["from"])
    else:
        closure = OWN.of_script(Path("stages", f"{file.stem}.py"))
    assert content.items() >= closure.content().items()
    return frozenset(closure.code)


@cache
def statements(module: str) -> list[ast.stmt]:
    return ast.parse(file_of(module).read_text()).body


def file_of(module: str) -> Path:
    base = SOURCE.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def at_line(file: str, line: int) -> tuple[str, ast.stmt]:
    """The module of a file, and its statement around a line."""
    parts = Path(file).with_suffix("").parts
    module = ".".join(["rarelens", *(part for part in parts if part != "__init__")])
    for each in statements(module):
        first = min(node.lineno for node in (each, *getattr(each, "decorator_list", ())))
        if first <= line <= (each.end_lineno or first):
            return module, each
    raise AssertionError(f"{file}: nothing stands in line {line}")


def keys(module: str, node: ast.stmt) -> Iterator[str]:
    """What stands for a statement in a fingerprint: its name, or its module if it has effects."""
    table = CLOSURES.module(module)
    for name in bound(node):
        yield f"{module}.{name}" if table and name in table.definitions else module


def bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    } or {""}


def globals_of(module: str, node: ast.stmt) -> Iterator[str]:
    """The constants that a function or class names, its module's and those that it imports."""
    for name in set(names(node)):
        yield from constant(module, name)


def names(node: ast.AST, in_function: bool = False) -> Iterator[str]:
    """Without the annotations of functions, which nothing reads."""
    inside = in_function or isinstance(node, (ast.FunctionDef, ast.Lambda))
    for field, value in ast.iter_fields(node):
        if inside and field in ("annotation", "returns"):
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, ast.Name):
                yield each.id
            elif isinstance(each, ast.AST):
                yield from names(each, inside)


@cache
def constant(module: str, name: str) -> frozenset[str]:
    """The key of a constant that a module defines or imports; none if it is something else."""
    for each in statements(module):
        if isinstance(each, (ast.Assign, ast.AnnAssign)) and name in bound(each):
            return frozenset(keys(module, each))
        if isinstance(each, ast.ImportFrom) and str(each.module).startswith("rarelens."):
            for alias in each.names:
                if name == (alias.asname or alias.name) and each.module != module:
                    return constant(str(each.module), alias.name)
    return frozenset()

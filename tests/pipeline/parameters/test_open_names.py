"""A new layout, or shape of a simulated finding, retrains nothing: only its users know of it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rarelens.pipeline.lineage.closures import Closures
from rarelens.pipeline.lineage.modules import source_of
from rarelens.studies.data.classification.simulation.shapes import SHAPES
from rarelens.studies.data.layout import TASKS, layout_module, layouts_of
from rarelens.studies.settings import base

ROOT = Path(__file__).parents[3]
LAYOUTS = [layout for task in TASKS for layout in layouts_of(task)]
# What writes simulated data, and what checks or digests the whole of params.yaml.
USERS = {"simulate", "cells", "fingerprint"}
SCRIPTS = sorted(file for file in (ROOT / "stages").glob("[!_]*.py") if file.stem not in USERS)
CLOSURES = Closures()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_no_other_stage_runs_or_lists_a_layout_or_a_shape(script: Path) -> None:
    closure = CLOSURES.of_script(script).modules
    assert not closure & {layout_module(layout) for layout in LAYOUTS}
    assert not {module for module in closure if ".simulation" in module}
    for file in (script, *map(source_of, closure)):
        told = {
            n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)
        }
        assert not told & {*LAYOUTS, *SHAPES}, file


def test_modules_are_listed_without_private_ones_and_without_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "studies/data/segmentation/layouts"
    package.mkdir(parents=True)
    for name in ("__init__.py", "_shared.py", "bids.py", "msd.py", "notes.txt"):
        (package / name).write_text("raise ImportError")
    monkeypatch.setattr(base, "__file__", str(tmp_path / "studies/settings/base.py"))
    assert base.modules_of("rarelens.studies.data.segmentation.layouts") == ["bids", "msd"]

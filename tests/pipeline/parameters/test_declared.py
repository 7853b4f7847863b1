"""Every stage reads just the parameters that ``dvc.yaml`` declares, and all of them; code likewise.

A path that is read but not declared would leave results stale; one declared but not read would
rerun stages for nothing.
"""

from __future__ import annotations

import importlib.util
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest

from rarelens.pipeline.lineage import stage as lineage
from rarelens.pipeline.parameters.reading import Scope, read_yaml
from rarelens.pipeline.parameters.whole import Parameters

ROOT = Path(__file__).parents[3]


def _stages() -> dict[str, Any]:
    """All stages by their address: ``stage``, or ``task:stage`` for those of a study."""
    found = dict(read_yaml(ROOT / "dvc.yaml")["stages"])
    for file in sorted(ROOT.glob("studies/*/dvc.yaml")):
        own = read_yaml(file)["stages"]
        found |= {f"{file.parent.name}:{name}": stage for name, stage in own.items()}
    return found


STAGES = _stages()
ITEM = {
    "dataset": "embedded",
    "network": "segresnet",
    "method": "asymmetric_focal",
    "fraction": "0.5",
    "seed": "3",
    "adjustment": "threshold",
    "task": "segmentation",
}
CLASSIFICATION_ITEM = ITEM | {
    "dataset": "embedded_findings",
    "network": "light_cnn",
    "method": "weighted_sampling",
    "adjustment": "classifier_retraining",
    "task": "classification",
}
# What a script calls beside Scope: left out, for only the reading of parameters is tested.
CALLS = {
    "fingerprint": ["write_fingerprints"],
    "simulate": ["simulate", "simulate_findings"],
    "segmentation:preprocess": ["prepare_dataset"],
    "segmentation:train": ["PreparedDataset", "train_cell"],
    "segmentation:extract": ["PreparedDataset", "extract"],
    "segmentation:adjust": ["PreparedDataset", "extract"],
    "segmentation:analyse": ["analyse"],
    "segmentation:analyse_adjusted": ["analyse"],
    "segmentation:compare": ["read_cells", "compare", "write_metrics"],
    "segmentation:browse": ["read_cells", "browse"],
    "classification:preprocess": ["prepare_images"],
    "classification:train": ["PreparedImages", "train_cell"],
    "classification:retrain": ["PreparedImages", "retrain_cell"],
    "classification:extract": ["PreparedImages", "extract_cell"],
    "classification:extract_retrained": ["PreparedImages", "extract_cell"],
    "classification:analyse": ["PreparedImages", "analyse_cell"],
    "classification:analyse_retrained": ["PreparedImages", "analyse_cell"],
    "classification:compare": ["read_cells", "compare", "write_metrics"],
    "report": ["read_cells", "read_json", "write_report", "sync_if_possible"],
}


class Recorder(Scope):
    """A scope over the repository's parameters that remembers what is declared and read."""

    declarations: list[str]
    readings: list[str]

    def __init__(self, declared: Any) -> None:
        super().__init__(declared, ROOT / "params.yaml")
        self.declarations.extend(self.declared)

    def get(self, path: str, kind: Any) -> Any:
        self.readings.append(path)
        return super().get(path, kind)


def filled(stage: str, text: str) -> str:
    """``text`` of a stage of dvc.yaml with the items of an example cell of its task."""
    item = CLASSIFICATION_ITEM if stage.startswith("classification") else ITEM
    for key, value in item.items():
        text = text.replace(f"${{item.{key}}}", value)
    assert "${" not in text
    return text


def imported(script: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"stage_{Path(script).stem}", ROOT / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_stage_and_every_script_is_tested_here():
    assert set(STAGES) == {*CALLS, "cells"}
    scripts = {Path(filled(name, stage["cmd"]).split()[1]).stem for name, stage in STAGES.items()}
    assert {file.stem for file in (ROOT / "stages").glob("[!_]*.py")} == scripts


@pytest.mark.parametrize("stage", CALLS)
def test_a_stage_reads_exactly_the_parameters_it_declares(
    stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python, script, *arguments = filled(stage, STAGES[stage]["cmd"]).split()
    assert python == "python"
    module = imported(script)
    Recorder.declarations, Recorder.readings = [], []
    monkeypatch.setattr(module, "Scope", Recorder)
    for name in CALLS[stage]:
        monkeypatch.setattr(module, name, lambda *_, **__: [])
    allow_all_code(monkeypatch, tmp_path)
    module.main(*arguments)
    declared = sorted(filled(stage, path) for path in STAGES[stage]["params"])
    assert sorted(Recorder.declarations) == declared
    assert sorted(Recorder.readings) == declared


def allow_all_code(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """An empty folder to work in, and a decorator that checks no fingerprints there."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(lineage, "_read", lambda _: ['{"code": {}}'])
    monkeypatch.setattr(lineage, "Tree", lambda *_: Mock())


@pytest.mark.parametrize("stage", sorted({*STAGES} - {"fingerprint"}))
def test_a_stage_depends_on_exactly_the_fingerprints_it_answers_for(
    stage: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, script, *arguments = filled(stage, STAGES[stage]["cmd"]).split()
    read: list[str] = []
    allow_all_code(monkeypatch, tmp_path)
    monkeypatch.setattr(lineage, "_read", lambda name: read.append(name) or [])
    module = imported(script)
    for name in {"Scope", "read_parameters"} & set(vars(module)):
        monkeypatch.setattr(module, name, _stop)
    with suppress(_Stopped):
        module.main(*arguments)
    declared = [filled(stage, dep) for dep in STAGES[stage]["deps"]]
    fingerprints = {dep for dep in declared if dep.startswith("fingerprints/")}
    # Of a whole folder, all files.
    folders = {
        f"fingerprints/{name.partition('/')[0]}" if "*" in name else f"fingerprints/{name}"
        for name in read
    }
    assert fingerprints == folders
    assert not [dep for dep in declared if dep.startswith(("src", "stages", "requirements"))]


class _Stopped(Exception):
    """The fingerprints are read; the rest of the stage is not this test's."""


def _stop(*_: object, **__: object) -> None:
    raise _Stopped


def test_stage_cells_declares_all_parameters():
    assert sorted(STAGES["cells"]["params"]) == sorted(Parameters.model_fields)


@pytest.mark.parametrize("task", ["segmentation", "classification"])
@pytest.mark.parametrize("stage", ["train", "extract", "analyse"])
def test_the_stages_of_a_cell_run_over_the_whole_study(stage, task):
    matrix = STAGES[f"{task}:{stage}"]["matrix"]
    lists = ("dataset", "network", "method", "fraction", "seed")
    assert matrix == {key: f"${{study.{task}.{key}s}}" for key in lists}

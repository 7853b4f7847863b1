"""Every stage script reads just the parameters that ``dvc.yaml`` declares for it, and all of them.

A path that is read but not declared would leave results stale; one declared but not read would
rerun stages for nothing.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rarelens.config.whole import Parameters
from rarelens.parameters import Scope, read_yaml

ROOT = Path(__file__).parents[1]
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
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
    "simulate": ["simulate", "simulate_findings"],
    "preprocess_segmentation": ["prepare_dataset"],
    "train_segmentation": ["PreparedDataset", "train_cell"],
    "extract_segmentation": ["PreparedDataset", "extract"],
    "adjust_segmentation": ["PreparedDataset", "extract"],
    "analyse_segmentation": ["analyse"],
    "analyse_adjusted_segmentation": ["analyse"],
    "compare_segmentation": ["read_cells", "compare", "write_metrics"],
    "preprocess_classification": ["prepare_images"],
    "train_classification": ["PreparedImages", "train_cell"],
    "retrain_classification": ["PreparedImages", "retrain_cell"],
    "extract_classification": ["PreparedImages", "extract_cell"],
    "extract_retrained_classification": ["PreparedImages", "extract_cell"],
    "analyse_classification": ["PreparedImages", "analyse_cell"],
    "analyse_retrained_classification": ["PreparedImages", "analyse_cell"],
    "compare_classification": ["read_cells", "compare", "write_metrics"],
    "report": ["read_cells", "write_report", "sync_if_possible"],
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
    item = CLASSIFICATION_ITEM if stage.endswith("classification") else ITEM
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
    assert {file.stem for file in (ROOT / "stages").glob("*.py")} == scripts


@pytest.mark.parametrize("stage", CALLS)
def test_a_stage_reads_exactly_what_it_declares(stage, monkeypatch, tmp_path):
    python, script, *arguments = filled(stage, STAGES[stage]["cmd"]).split()
    assert python == "python"
    assert script in STAGES[stage]["deps"]
    module = imported(script)
    Recorder.declarations, Recorder.readings = [], []
    monkeypatch.setattr(module, "Scope", Recorder)
    for name in CALLS[stage]:
        monkeypatch.setattr(module, name, lambda *_, **__: [])
    monkeypatch.chdir(tmp_path)
    module.main(*arguments)
    declared = sorted(filled(stage, path) for path in STAGES[stage]["params"])
    assert sorted(Recorder.declarations) == declared
    assert sorted(Recorder.readings) == declared


def test_stage_cells_declares_all_parameters():
    assert sorted(STAGES["cells"]["params"]) == sorted(Parameters.model_fields)


@pytest.mark.parametrize("task", ["segmentation", "classification"])
@pytest.mark.parametrize("stage", ["train", "extract", "analyse"])
def test_the_stages_of_a_cell_run_over_the_whole_study(stage, task):
    matrix = STAGES[f"{stage}_{task}"]["matrix"]
    lists = ("dataset", "network", "method", "fraction", "seed")
    assert matrix == {key: f"${{study.{task}.{key}s}}" for key in lists}

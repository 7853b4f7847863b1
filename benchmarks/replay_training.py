"""Trains a tiny cell of each objective: `replay_history.py` puts it among a past commit's tests.

It is given that commit's fixtures; into ``$REPLAY_TARGET`` goes a JSON object with two digests by
objective: of the weights, and of all files of the model (its card and history besides).
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import rarelens
from rarelens.studies.training.classification.cell import train_cell as train_classifier
from rarelens.studies.training.segmentation.cell import train_cell as train_segmenter


def methods(task: str) -> dict[str, dict[str, Any]]:
    """The first plain method of params.yaml for each objective."""
    whole = YAML(typ="safe").load(Path(os.environ["REPLAY_PARAMETERS"]).read_text())
    found: dict[str, dict[str, Any]] = {}
    for method in whole["methods"][task].values():
        if not {"regularisers", "sampling", "foreground_share", "foreground_jitter"} & {*method}:
            found.setdefault(method["objective"], _fixed(method))
    return found


def digest(files: list[Path]) -> str:
    """Of their names and bytes."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.name.encode() + file.read_bytes())
    return found.hexdigest()[:16]


def _fixed(value: Any) -> Any:
    """As read from params.yaml: settings are strict, and have tuples where YAML has lists."""
    if isinstance(value, dict):
        return {name: _fixed(each) for name, each in value.items()}
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


def test_train(
    tiny: Any,
    toy: Any,
    make_job: Any,
    make_classification: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not a test of the code, but of which code it is."""
    assert Path(rarelens.__file__).is_relative_to(Path(os.environ["REPLAY_PARAMETERS"]).parent)
    studies = {
        "segmentation": (train_segmenter, make_job, tiny),
        "classification": (train_classifier, make_classification, toy),
    }
    digests = {}
    for task, (train, make, data) in studies.items():
        for objective, method in methods(task).items():
            folder = tmp_path / objective
            folder.mkdir()
            monkeypatch.chdir(folder)
            try:
                train(make(method=method), data)
            except Exception as error:
                digests[objective] = [f"{type(error).__name__}: {error}"[:200]] * 2
                continue
            (weights,) = folder.rglob("weights.safetensors")
            files = sorted(weights.parent.iterdir())
            digests[objective] = [digest([weights]), digest(files)]
    Path(os.environ["REPLAY_TARGET"]).write_text(json.dumps(digests))

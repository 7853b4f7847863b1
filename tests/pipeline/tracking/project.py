"""A project as DVC leaves it: cells on disk and in a lock, made by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from rarelens.studies.cells import Cell
from rarelens.studies.files import write_json

BCE = Cell("classification", "smears", "light_cnn", "bce", "1", 0)
FOCAL = Cell("classification", "smears", "light_cnn", "focal", "1", 0)
RETRAINED = Cell("classification", "smears", "light_cnn", "bce+classifier_retraining", "1", 0)
PLAIN = Cell("segmentation", "brains", "unet", "cross_entropy", "1", 0)
ADJUSTED = Cell("segmentation", "brains", "unet", "cross_entropy+threshold", "1", 0)
STUDY = [PLAIN, ADJUSTED, BCE, FOCAL, RETRAINED]

CLASSIFICATION = {
    "mean": {"auroc": 0.75},
    "class": {"WBC": {"auroc": 0.5, "average_precision": None}},
    "alignment": {"pointing_game": 0.6},
    "layers": {"stage3": {"effective_rank": 2.5}},
}
SEGMENTATION = {
    "background": {"shift": -0.1},
    "lesion": {"dice": 0.25, "hd95": None, "volume_ratio": 1.5},
}
# The weights of step 4 are kept.
VALIDATED = "step,loss,learning_rate,validation_dice\n2,0.7,0.01,0.9\n4,0.25,0.001,0.5\n"
CARDS = {
    "classification": {"selected_step": 4, "classes": ["WBC", "RBC"], "channels": 3},
    "segmentation": {"selected_step": 4, "classes": ["background", "lesion"], "channels": ["T1"]},
}


def leave(cell: Cell, **changes: Any) -> None:
    """Leave behind what the stages of a cell do, as far as MLflow is told, and lock it.

    Args:
        cell: post-hoc ones of a segmentation leave an extract and an analysis alone.
        changes: ``summary``, ``history``, ``logit_bias``, or keys of the record.
    """
    segmentation = cell.task == "segmentation"
    summary = changes.pop("summary", SEGMENTATION if segmentation else CLASSIFICATION)
    history = changes.pop("history", "step,loss,learning_rate\n2,0.7,0.01\n4,0.25,0.001\n")
    bias = changes.pop("logit_bias", [0.0, 0.5])
    if not (segmentation and "+" in cell.method):
        record = _record(cell) | changes
        write_json(cell.folder("records").with_suffix(".json"), record)
        cell.folder("models").mkdir(parents=True, exist_ok=True)
        (cell.folder("models") / "history.csv").write_text(history)
        (cell.folder("models") / "weights.safetensors").write_bytes(record["identity"].encode())
        write_json(cell.folder("models") / "model.json", CARDS[cell.task])
    write_json(cell.folder("extracts") / "extract.json", {"logit_bias": bias})
    _leave_analysis(cell, summary)
    lock(cell)


def _record(cell: Cell) -> dict[str, Any]:
    return {
        "identity": f"identity-{cell.method}-{cell.seed}",
        "git_commit": "abc+",
        "dataset_digest": f"digest-{cell.dataset}",
        "device": "cpu",
        "parameters": {"method": {"objective": cell.base.method}, "settings": {"steps": 4}},
        "environment": {"python": "3.11", "torch": "2.13"},
        "steps": 4,
        "gradient_evaluations": 4,
        "seconds": 2.0,
        "peak_memory_mib": 300.0,
        "images_per_second": 16.0,
    }


def _leave_analysis(cell: Cell, summary: Any) -> None:
    folder = cell.folder("analyses")
    facts = {"classes": CARDS[cell.task]["classes"], "rare_classes": [1], "bin_width": 0.25}
    write_json(folder / "summary.json", summary)
    write_json(folder / "analysis.json", facts)
    rows = [(side, class_, bin_, 1) for side in ("train", "test") for class_ in (0, 1)
            for bin_ in (-3, 0, 5)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["side", "class", "bin", "count"])
    table.to_parquet(folder / "margins.parquet")


def lock(cell: Cell, analysed: bool = True) -> None:
    """Write the cell into its study's lock as it lies on disk."""
    segmentation = cell.task == "segmentation"
    post_hoc = segmentation and "+" in cell.method
    model = (cell.base if segmentation else cell).folder("models")
    record = (cell.base if segmentation else cell).folder("records").with_suffix(".json")
    extract, analysis = cell.folder("extracts"), cell.folder("analyses")
    entries = {f"extract@{cell.name}": _entry([model], [extract])}
    if post_hoc:
        name = f"adjustments.segmentation.{cell.method.partition('+')[2]}"
        entries[f"extract@{cell.name}"]["params"] = {"params.yaml": {name: {"sweeps": 3}}}
    else:
        entries[f"train@{cell.name}"] = _entry([], [model, record])
    if analysed:
        entries[f"analyse@{cell.name}"] = _entry([extract], [analysis])
    file = Path(f"studies/{cell.task}/dvc.lock")
    stages = YAML(typ="safe").load(file.read_text())["stages"] if file.is_file() else {}
    stages = {name: entry for name, entry in stages.items() if not name.endswith(f"@{cell.name}")}
    file.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML.
    file.write_text(json.dumps({"schema": "2.0", "stages": stages | entries}))


def _entry(deps: list[Path], outs: list[Path]) -> dict[str, Any]:
    def files(paths: list[Path]) -> list[dict[str, str]]:
        return [{"path": path.as_posix(), "hash": "md5", "md5": _digest(path)} for path in paths]

    return {"cmd": "python", "deps": files(deps), "outs": files(outs)}


def _digest(path: Path) -> str:
    inside = [path, *sorted(path.rglob("*"))]
    return hashlib.md5(b"".join(file.read_bytes() for file in inside if file.is_file())).hexdigest()

"""Analyse one classification cell: prediction, shift, representation, alignment, dissection."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rarelens.errors import RarelensError
from rarelens.studies.analysis.classification.alignment_tables import write_alignment
from rarelens.studies.analysis.classification.dissection_tables import write_dissection
from rarelens.studies.analysis.classification.prediction_tables import write_prediction
from rarelens.studies.analysis.classification.representation_tables import write_representation
from rarelens.studies.analysis.classification.scores import Scores, class_groups, read_scores
from rarelens.studies.analysis.classification.shift_tables import BIN_WIDTH, write_shift
from rarelens.studies.analysis.classification.summary import summary
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.files import read_json, write_json
from rarelens.studies.settings.classification.stages import AnalyseClassification


def analyse_cell(
    extract: Path, data: PreparedImages, target: Path, settings: AnalyseClassification
) -> None:
    """Measure all there is to measure of one cell.

    Args:
        extract: ``extracts/classification/<cell>``.
        data: the prepared dataset, for concept masks and pictures.
        target: an existing, empty folder, to be ``analyses/classification/<cell>``.
        settings: replicates, confidence, bins, thresholds and seed.

    Raises:
        RarelensError: if there is no extract, or it is not one of this dataset.
    """
    if not (extract / "extract.json").is_file():
        raise RarelensError(f"{extract}: there is no extract; run stage extract first (dvc repro)")
    about = read_json(extract / "extract.json")
    classes, layers = about["classes"], about["layers"]
    if list(data.classes) != list(classes):
        raise RarelensError(
            f"{extract}: its classes are not those of dataset {data.name}; rerun stage extract"
        )
    write_prediction(extract, classes, target, settings)
    write_shift(extract, classes, target, settings)
    write_representation(extract, classes, layers, target, settings)
    write_alignment(extract, data, target, settings)
    write_dissection(extract, data, target, settings)
    _pass_on(extract, layers, target)
    write_json(target / "analysis.json", _about(extract, about, settings))
    write_json(target / "summary.json", summary(target, classes, about["saliency"]))


def _pass_on(extract: Path, layers: list[str], target: Path) -> None:
    """Hand on the scores and features of the test images, so that compare needs no extract."""
    table = read_scores(extract)
    test = (table["side"] == "test").to_numpy()
    table[test].to_parquet(target / "scores.parquet", index=False)
    (target / "features").mkdir()
    for layer in layers:
        features = np.load(extract / "features" / f"{layer}.npy", mmap_mode="r")
        np.save(target / "features" / f"{layer}.npy", np.asarray(features[test]))
    shutil.copyfile(extract / "history.csv", target / "history.csv")


def _about(extract: Path, about: dict[str, Any], settings: AnalyseClassification) -> dict[str, Any]:
    """The facts that readers of the tables need; a prevalence without known label is null."""
    table = read_scores(extract)
    train = table[table["side"] == "train"]
    prevalence = Scores.of(train, len(about["classes"])).prevalence
    maps = pd.read_parquet(extract / "saliency.parquet")
    zero = {method: maps[f"zero_{method}"].to_numpy(bool) for method in about["saliency"]}
    return {
        "classes": about["classes"],
        "layers": about["layers"],
        "saliency": about["saliency"],
        "bin_width": BIN_WIDTH,
        "training_images": len(train),
        "test_images": int((table["side"] == "test").sum()),
        "test_groups": int(table.loc[table["side"] == "test", "group"].nunique()),
        "probe_images": len(pd.read_parquet(extract / "probe.parquet", columns=["row"])),
        "prevalence": [float(share) if math.isfinite(share) else None for share in prevalence],
        "class_groups": class_groups(prevalence, settings),
        "zero_maps": {name: float(own.mean()) if own.size else 0.0 for name, own in zero.items()},
    }

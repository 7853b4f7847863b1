"""Analyse one segmentation cell: from its extract to tidy tables."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
from nibabel.affines import voxel_sizes

from rarelens.errors import RarelensError
from rarelens.measures.calibration import calibration_errors
from rarelens.measures.overlap import HELD, MEASURES, RULES
from rarelens.measures.subject_overlap import SubjectOverlap
from rarelens.studies.analysis.segmentation.units import dissect_units, units_by_layer
from rarelens.studies.analysis.shift_tables import margin_histograms, shift_table
from rarelens.studies.files import read_json, write_json
from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation

AFFINE_TOLERANCE = 1e-3  # mm, between prediction and reference.
OUTCOMES = ("present", "missed", "absent", "false_alarm")
MARGIN = [("quantity", "==", "margin")]


def analyse(extract: Path, prepared: Path, target: Path, settings: AnalyseSegmentation) -> None:
    """Measure shift, overlap, lesions and calibration of one cell, and dissect its units.

    Overlap and units are those of the test subjects; lesions are of training and test subjects;
    shift and calibration are of all sides.

    Args:
        extract: ``extracts/segmentation/<cell>``.
        prepared: ``data/prepared/<dataset>``, for the reference label maps and the cases' groups.
        target: an existing, empty folder, to be ``analyses/segmentation/<cell>``.
        settings: replicates, confidence, tolerance, IoU of a lesion, dissection and seed.

    Raises:
        RarelensError: for each label map that is missing or whose grid is not its reference's.
    """
    if not (extract / "extract.json").is_file():
        raise RarelensError(f"{extract}: there is no extract; run stage extract first (dvc repro)")
    about = read_json(extract / "extract.json")
    classes = about["classes"]
    cases = pd.read_parquet(extract / "cases.parquet")
    moments = pd.read_parquet(extract / "moments.parquet", filters=MARGIN)
    histograms = pd.read_parquet(extract / "histograms.parquet", filters=MARGIN)
    calibration = pd.read_parquet(extract / "calibration.parquet")
    groups = pd.read_parquet(prepared / "cases.parquet").set_index("case")["group"]

    try:
        sums, bins = (_by_group(table, groups) for table in (moments, histograms))
        shift = shift_table(sums, bins, classes, about["bin_width"], settings)
    except ValueError as error:
        raise RarelensError(f"{extract}: {error}") from error
    test = cases.loc[cases["side"] == "test", "case"].tolist()
    overlap = _overlap_table(
        extract / "predictions", prepared / "references", test, classes, settings
    )
    tables = {
        "shift": shift,
        "shift_by_case": shift_by_case(moments),
        "overlap": overlap,
        "lesions": _lesions(extract, settings),
        "lesion_counts": pd.read_parquet(extract / "lesion_counts.parquet"),
        "calibration": calibration_errors(calibration),
        "margins": margin_histograms(histograms),
        "dissection": dissect_units(extract / "units", settings),
        # Whose cases belong together, for the comparison.
        "subjects": cases.assign(group=cases["case"].map(groups)),
    }
    for name, table in tables.items():
        table.to_parquet(target / f"{name}.parquet", index=False)
    _pass_on(extract, target)
    kept = {key: about[key] for key in ("bin_width", "joint_bin_width", "classes", "rare_classes")}
    sizes = {
        "training_cases": int((cases["side"] == "train").sum()),
        "test_cases": len(test),
    }
    units = units_by_layer(tables["dissection"])
    write_json(target / "analysis.json", kept | sizes | {"units": units})
    summary = _summary(overlap, shift, classes) | ({"layers": units} if units else {})
    write_json(target / "summary.json", summary)


def _by_group(counts: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """The counts of a group's cases added up, for a bootstrap draws its cases together."""
    own = counts.assign(case=counts["case"].map(groups))
    keys = [name for name in ("case", "side", "class", "bin") if name in counts]
    return own.groupby(keys, sort=False, as_index=False).sum(numeric_only=True)


def shift_by_case(moments: pd.DataFrame) -> pd.DataFrame:
    """Mean margin and negative fraction per case and class, from rows of quantity "margin"."""
    table = moments[["case", "side", "class", "count"]].reset_index(drop=True)
    table["mean"] = (moments["sum"] / moments["count"]).to_numpy()
    table["negative_fraction"] = (moments["negative"] / moments["count"]).to_numpy()
    return table


def _lesions(extract: Path, settings: AnalyseSegmentation) -> pd.DataFrame:
    """The extract's lesions, and whether each is detected by IoU."""
    table = pd.read_parquet(extract / "lesions.parquet")
    table.insert(list(table).index("dice"), "detected_iou", table["iou"] > settings.lesion_iou)
    return table


def _overlap_table(
    predictions: Path,
    references: Path,
    cases: list[str],
    classes: list[str],
    settings: AnalyseSegmentation,
) -> pd.DataFrame:
    pairs = {case: (_open(predictions, case), _open(references, case)) for case in cases}
    problems = [_mismatch(case, *pair) for case, pair in pairs.items()]
    if any(problems):
        raise RarelensError(*filter(None, problems))
    overlap = SubjectOverlap(len(classes), tolerance=settings.surface_tolerance)
    for case, images in pairs.items():
        predicted, truth = (np.asarray(image.dataobj, dtype=np.uint16) for image in images)
        overlap.update(predicted, truth, case, voxel_sizes(images[1].affine).tolist())
    columns = ["case", "side", "class", "rule", *MEASURES, "outcome"]
    table = pd.DataFrame(overlap.compute()).rename(columns={"subject": "case"}).assign(side="test")
    return table.reindex(columns=[*columns, "truth_voxels", "predicted_voxels"])


def _open(folder: Path, case: str) -> Any:
    file = folder / f"{case}.nii.gz"
    try:
        return nib.load(file)
    except FileNotFoundError as error:
        raise RarelensError(f"{file}: no such label map; rerun the stage that writes it") from error


def _mismatch(case: str, predicted: Any, truth: Any) -> str | None:
    """What is wrong with the grids of a prediction and its reference, as a sentence."""
    if predicted.shape != truth.shape:
        found = f"shape {predicted.shape} is not the reference's {truth.shape}"
    elif not np.allclose(predicted.affine, truth.affine, atol=AFFINE_TOLERANCE, rtol=0):
        found = f"affine is not the reference's (to {AFFINE_TOLERANCE} mm)"
    else:
        return None
    return f"{case}: the predicted label map's {found}; rerun extract for this dataset"


def _pass_on(extract: Path, target: Path) -> None:
    """Hand small files on, so that compare and report need the analyses only."""
    for name in ("joint.parquet", "history.csv"):
        shutil.copyfile(extract / name, target / name)
    (target / "panels").mkdir()
    for panel in sorted((extract / "panels").glob("*.npz")):
        shutil.copyfile(panel, target / "panels" / panel.name)


def _summary(overlap: pd.DataFrame, shift: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    """Per class name: means over the test subjects who have it (rule "all"), outcomes, shift.

    Specificity is over all subjects. The background has no overlap. What is not defined is null.
    """
    plain = overlap[overlap["rule"] == RULES[0]]
    moved = shift[shift["statistic"] == "mean"].set_index("class")["difference"]
    summary: dict[str, dict[str, float | int | None]] = {}
    for index, name in enumerate(classes):
        summary[name] = {"shift": _null(moved[index])}
        if index > 0:
            own = plain[plain["class"] == index]
            held = own[own["outcome"].isin(HELD)]
            summary[name] |= {measure: _null(held[measure].mean()) for measure in MEASURES}
            summary[name]["specificity"] = _null(own["specificity"].mean())
            summary[name] |= {kind: int((own["outcome"] == kind).sum()) for kind in OUTCOMES}
    return summary


def _null(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None

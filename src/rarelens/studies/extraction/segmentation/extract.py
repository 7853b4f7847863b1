"""Apply a trained model to its training, validation and test cases and keep what it says."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rarelens.studies.data.segmentation.collection import save_labels
from rarelens.studies.data.segmentation.geometry import restore_labels_and_logits
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.progress import told
from rarelens.studies.extraction.segmentation import voxels
from rarelens.studies.extraction.segmentation.lesions import (
    SIDES,
    lesion_tables,
    load_reference,
)
from rarelens.studies.extraction.segmentation.logits import CaseLogits
from rarelens.studies.extraction.segmentation.panels import write_panel
from rarelens.studies.extraction.segmentation.units import extract_units
from rarelens.studies.extraction.tables import TableWriter
from rarelens.studies.files import write_json
from rarelens.studies.models.storage import fix_algorithms, sides
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation


def extract(
    model: Path,
    data: PreparedDataset,
    target: Path,
    settings: ExtractSegmentation,
    adjustment: Adjustment | None = None,
    units: Sequence[str] = (),
) -> None:
    """Write label maps, lesions, voxel statistics, panels, units and, on request, full logits.

    All cases go through the same deterministic preprocessing and the network's evaluation mode.
    Memory holds one case at a time.

    Args:
        model: the model's folder.
        data: the prepared dataset.
        target: an existing, empty folder.
        settings: what to take out.
        adjustment: a post-hoc control, fitted on the validation cases, for every logit.
        units: layers whose channels are looked into, on patches of the test cases.

    Raises:
        RarelensError: if there is no model, or it has no such layers.
    """
    fix_algorithms(settings.threads)
    logits_of = CaseLogits(model, data, settings, adjustment)
    card = logits_of.card
    own = sides(data.table, card.training_cases, card.validation_cases)
    cases = [
        (case, side)
        for side in ("train", "validation", "test")
        for case in sorted(data.table.index[np.array(own) == side])
    ]
    pd.DataFrame(cases, columns=["case", "side"]).to_parquet(target / "cases.parquet", index=False)
    for folder in ("predictions", "panels", *(["logits"] if settings.full_logits else [])):
        (target / folder).mkdir()
    joint: list[pd.DataFrame] = []
    with TableWriter(target) as tables:
        for case, side in told(cases, f"extract, {len(card.classes)} classes: cases"):
            logits, labels = logits_of.of(case), np.asarray(data.label(case))
            found = _lesions(data, case, logits, target / "predictions")
            frames = _statistics(case, logits, labels, settings) | (found if side in SIDES else {})
            for name, frame in frames.items():
                frame.insert(0, "case", case)
                frame.insert(1, "side", side)
                tables.append(name, frame)
            joint = _merge(joint, side, logits, labels, settings.joint_bin_width)
            shown = len(list((target / "panels").iterdir()))
            rare = card.rare_classes
            if side == "test" and shown < settings.panels and np.isin(labels, rare).any():
                file = target / "panels" / f"{shown + 1}.npz"
                write_panel(file, data.image(case), labels, logits, rare)
            if settings.full_logits:
                with h5py.File(target / "logits" / f"{case}.h5", "w") as file5:
                    file5.create_dataset("logits", data=logits.astype(np.float16))
    if units and settings.units_patches:
        (target / "units").mkdir()
        # Test cases are the same for all models of a dataset, so all see the same patches.
        extract_units(
            logits_of.network,
            data,
            data.cases("test"),
            card.rare_classes,
            units,
            target / "units",
            card.patch_size,
            settings.units_patches,
            settings.seed,
        )
    # Passed on, so that later stages need the small analyses only.
    shutil.copyfile(model / "history.csv", target / "history.csv")
    joint[0].to_parquet(target / "joint.parquet", index=False)
    chosen = {key: getattr(settings, key) for key in ("bin_width", "joint_bin_width")}
    facts = {
        "calibration_bins": settings.calibration_bins,
        "classes": list(card.classes),
        "rare_classes": list(card.rare_classes),
        "logit_bias": logits_of.bias.tolist(),
    }
    write_json(target / "extract.json", chosen | facts)


def _lesions(
    data: PreparedDataset, case: str, logits: NDArray[np.float32], predictions: Path
) -> dict[str, pd.DataFrame]:
    """Write the label map in the case's own geometry, and measure the lesions there."""
    row, name = data.table.loc[case], f"{case}.nii.gz"
    affine, source_affine = (np.reshape(row[key], (4, 4)) for key in ("affine", "source_affine"))
    truth, spacing = load_reference(data.folder / "references" / name)
    predicted, own = restore_labels_and_logits(
        logits, affine, tuple(row["source_shape"]), source_affine, truth > 0
    )
    save_labels(predictions / name, predicted, source_affine)
    rows, counts = lesion_tables(predicted, truth, own, spacing)
    return {"lesions": rows, "lesion_counts": counts}


def _statistics(
    case: str, logits: NDArray[np.float32], labels: NDArray[Any], settings: ExtractSegmentation
) -> dict[str, pd.DataFrame]:
    flat, truth = logits.reshape(len(logits), -1), labels.reshape(-1)
    return {
        "moments": voxels.moments(flat, truth),
        "histograms": voxels.histograms(flat, truth, settings.bin_width),
        "calibration": voxels.calibration(flat, truth, settings.calibration_bins),
        "sample": voxels.sample(
            flat, truth, labels.shape, settings.sample_voxels, settings.seed, case
        ),
    }


def _merge(
    joint: list[pd.DataFrame],
    side: str,
    logits: NDArray[np.float32],
    labels: NDArray[Any],
    width: float,
) -> list[pd.DataFrame]:
    """Add a case's joint histograms to those so far, summed over the cases of a side."""
    frame = voxels.joint_histograms(logits.reshape(len(logits), -1), labels.reshape(-1), width)
    frame.insert(0, "side", side)
    keys = ["side", "class", "foreground", "bin_x", "bin_y"]
    summed = pd.concat([*joint, frame]).groupby(keys)["count"].sum()
    return [summed.reset_index()]

"""A synthetic segmentation study on disk: analyses from drawn voxel logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.metrics import write_metrics
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.results import Compare

WIDTH = 0.25
JOINT = 0.5
VOXELS = {0: 3000, 1: 150, 2: 120}


@dataclass(frozen=True)
class Study:
    """Where a synthetic study lies."""

    root: Path
    cells: list[Cell]
    classes: list[str]

    analyses = property(lambda self: self.root / "analyses")
    metrics = property(lambda self: self.root / "metrics" / "segmentation.csv")
    browse = property(lambda self: self.root / "browse")


def build_study(
    root: Path,
    methods: tuple[str, ...] = ("cross_entropy", "focal", "asymmetric_large_margin"),
    seeds: tuple[int, ...] = (0, 1, 2),
    rare: tuple[str, ...] = ("lesion",),
    subjects: int = 8,
    dataset: str = "brain",
    panels: int = 1,
    units: Callable[[Cell], dict[str, dict[str, float]]] = lambda _: {},
) -> Study:
    """Write analyses, histories and the comparison; the first method is the baseline.

    ``units``: numbers of each layer of a cell.
    """
    classes = ["background", *rare]
    cells = [
        Cell("segmentation", dataset, "unet", method, "0.5", seed)
        for method in methods
        for seed in seeds
    ]
    study = Study(root, cells, classes)
    for cell in cells:
        gain = 0.6 * methods.index(cell.method)
        rng = np.random.default_rng([cell.seed, methods.index(cell.method)])
        _write_cell(study, cell, gain, rng, subjects, units(cell))
        _write_panels(study, cell, gain, panels)
    _write_browse(study, methods, seeds[0])
    table = compare(
        cells,
        study.analyses,
        methods[0],
        Compare(bootstrap=300, confidence=0.95, equivalence=0.02, least_positives=1, seed=0),
    )
    write_metrics(root / "metrics", "segmentation", *table)
    return study


def _write_cell(study: Study, cell: Cell, gain: float, rng, subjects: int, units) -> None:
    folder = cell.folder(str(study.analyses))
    folder.mkdir(parents=True)
    by_case, overlap, voxels = [], [], []
    for side in ("train", "test"):
        for number in range(subjects if side == "test" else 4):
            case = f"patient_{side}_{number:03d}"
            shared = np.random.default_rng([cell.seed, number, side == "test"]).normal(0, 1.2)
            for class_ in range(len(study.classes)):
                logits = _logits(class_, side, gain, shared, len(study.classes), rng)
                margin = logits[:, class_] - np.delete(logits, class_, axis=1).max(axis=1)
                by_case.append(
                    (case, side, class_, len(margin), margin.mean(), (margin < 0).mean())
                )
                voxels.append((side, class_, margin, logits))
                if class_ and side == "test":
                    overlap += _overlap(case, class_, (margin > 0).mean(), gain, rng)
    columns = ["case", "side", "class", "count", "mean", "negative_fraction"]
    margins = pd.DataFrame(by_case, columns=columns)
    margins.to_parquet(folder / "shift_by_case.parquet")
    patients = margins[["case", "side"]].drop_duplicates()
    patients.assign(group=patients["case"]).to_parquet(folder / "subjects.parquet")
    pd.DataFrame(overlap).to_parquet(folder / "overlap.parquet")
    _write_lesions(folder, by_case, rng)
    _write_pooled(study, folder, voxels)
    facts = {
        "bin_width": WIDTH, "joint_bin_width": JOINT, "classes": study.classes,
        "rare_classes": list(range(1, len(study.classes))), "training_cases": 4,
        "test_cases": subjects, "units": units,
    }  # fmt: skip
    (folder / "analysis.json").write_text(json.dumps(facts))
    steps = np.arange(50, 1001, 50)
    history = pd.DataFrame(
        {
            "step": steps,
            "loss": 0.6 * np.exp(-steps / 300) + 0.02 * rng.random(len(steps)) + 0.01,
            "learning_rate": 1e-3,
            "validation_dice": np.where(steps % 200 == 0, 0.5 * (1 - np.exp(-steps / 400)), np.nan),
        }
    )
    for class_ in range(len(study.classes)):
        history[f"margin_train_{class_}"] = steps / 500
        history[f"margin_validation_{class_}"] = (steps if class_ == 0 else 0.5 * steps) / 500
    model = cell.folder(str(study.analyses))
    model.mkdir(parents=True, exist_ok=True)
    history.to_csv(model / "history.csv", index=False)


def _write_lesions(folder: Path, by_case: list, rng) -> None:
    """Two lesions of each rare class and case, the larger ones of larger margin."""
    rows, counts = [], []
    for case, side, class_, _, margin, _ in by_case:
        if not class_:
            continue
        volumes = rng.uniform(10, 1000, 2)
        margins = margin + np.log(volumes / 100)
        iou = np.clip(0.3 + 0.1 * margins, 0, 1)
        about = {"case": case, "side": side, "class": class_}
        own = {
            **about, "lesion": [1, 2], "voxels": volumes.astype(int), "volume": volumes,
            "detected": iou > 0, "iou": iou, "detected_iou": iou > 0.1,
            "dice": 2 * iou / (1 + iou), "margin": margins,
        }  # fmt: skip
        rows.append(pd.DataFrame(own))
        found = {"lesions": 2, "detected": int((iou > 0).sum()), "predicted": 2, "false_alarms": 1}
        counts.append(about | found)
    pd.concat(rows).to_parquet(folder / "lesions.parquet")
    pd.DataFrame(counts).to_parquet(folder / "lesion_counts.parquet")


def _logits(class_: int, side: str, gain: float, shared: float, classes: int, rng):
    count = VOXELS.get(class_, 40)
    if class_ == 0:
        margin = rng.normal(7.5, 2.0, count)
    elif side == "train":
        margin = rng.normal(2.0 + 0.2 * gain, 1.8, count)
    else:
        margin = rng.normal(-3.0 + gain + shared, 3.0, count)
    logits = rng.normal(-4, 0.8, (count, classes))
    rival = 0 if class_ else 1
    logits[:, class_] = margin / 2 + rng.normal(0, 0.5, count)
    logits[:, rival] = logits[:, class_] - margin
    return logits


def _overlap(case: str, class_: int, sensitivity: float, gain: float, rng) -> list[dict]:
    precision = float(np.clip(0.8 - 0.08 * gain + rng.normal(0, 0.1), 0.05, 1))
    total = sensitivity + precision
    dice = 2 * sensitivity * precision / total if total else 0.0
    return [
        {
            "case": case, "side": "test", "class": class_, "rule": rule, "dice": dice,
            "sensitivity": sensitivity, "precision": precision, "specificity": 0.999,
            "volume_ratio": sensitivity / precision, "hd95": 40 * (1 - dice),
            "assd": 9 * (1 - dice), "surface_dice": min(1.0, dice * 1.2),
            "outcome": "present" if sensitivity else "missed", "truth_voxels": 150,
            "predicted_voxels": 90,
        }
        for rule in ("all", "largest_component")
    ]  # fmt: skip


def _write_pooled(study: Study, folder: Path, voxels: list) -> None:
    margins, joint, shift, calibration = [], [], [], []
    for class_ in range(len(study.classes)):
        for side in ("train", "test"):
            own = [(m, z) for s, c, m, z in voxels if (s, c) == (side, class_)]
            margin = np.concatenate([m for m, _ in own])
            logits = np.concatenate([z for _, z in own])
            bins, counts = np.unique(np.floor(margin / WIDTH).astype(int), return_counts=True)
            margins.append(
                pd.DataFrame({"side": side, "class": class_, "bin": bins, "count": counts})
            )
            for foreground in [class_] if class_ else range(1, len(study.classes)):
                cells = np.floor(logits[:, [0, foreground]] / JOINT).astype(int)
                places, counts = np.unique(cells, axis=0, return_counts=True)
                joint.append(
                    pd.DataFrame(
                        {
                            "side": side, "class": class_, "foreground": foreground,
                            "bin_x": places[:, 0], "bin_y": places[:, 1], "count": counts,
                        }
                    )
                )  # fmt: skip
            calibration.append((side, class_, 0.02 if side == "train" else 0.06))
        statistics = ("median", "standardised_difference", "wasserstein")
        shift += [(class_, statistic, -2.0) for statistic in statistics]
    pd.concat(margins).to_parquet(folder / "margins.parquet")
    pd.concat(joint).to_parquet(folder / "joint.parquet")
    pd.DataFrame(shift, columns=["class", "statistic", "difference"]).to_parquet(
        folder / "shift.parquet"
    )
    pd.DataFrame(calibration, columns=["side", "class", "ece"]).to_parquet(
        folder / "calibration.parquet"
    )


def _write_browse(study: Study, methods: tuple[str, ...], seed: int) -> None:
    """Three small subjects, the methods in reversed order: as stage browse writes them."""
    cell = study.cells[0]
    folder = study.browse / "segmentation" / cell.dataset / cell.network / cell.fraction
    folder.mkdir(parents=True)
    own = methods[::-1]
    abouts = []
    for number, name in enumerate(("worst", "median", "best")):
        rng = np.random.default_rng([7, number])
        x, y, z = np.mgrid[:20, :24, :16]
        truth = np.zeros(x.shape, np.uint8)
        for class_ in range(1, len(study.classes)):
            truth[(x - 8) ** 2 + (y - 10) ** 2 + (z - 3 - number - class_) ** 2 < 12] = class_
        margins, predictions = [], []
        for method in own:
            soft = gaussian_filter((truth > 0).astype(float), 1.0) * 40
            soft += 9 * methods.index(method) - 20 - 20 * (x < 8)
            margins.append(np.clip(np.round(soft), -15, 15).astype(np.int8))
            predictions.append(np.where(margins[-1] > 0, np.maximum(truth, 1), 0).astype(np.uint8))
        np.savez_compressed(
            folder / f"{name}.npz", image=rng.integers(0, 32, truth.shape, np.uint8), truth=truth,
            prediction=np.stack(predictions), margin=np.stack(margins), limit=np.float64(6.2),
            turned=np.diag([2.0, 2.0, 3.0]),
        )  # fmt: skip
        dice = {method: 0.2 + 0.3 * number + 0.1 * methods.index(method) for method in own}
        abouts.append({"name": name, "dice": dice})
    known = {"methods": list(own), "seed": seed, "cases": abouts}
    (folder / "cases.json").write_text(json.dumps(known))


def _write_panels(study: Study, cell: Cell, gain: float, panels: int) -> None:
    folder = cell.folder(str(study.analyses)) / "panels"
    folder.mkdir()
    for number in range(1, panels + 1):
        rng = np.random.default_rng(number)
        image = gaussian_filter(rng.normal(size=(72, 86)), 2.5) * 6
        x, y = np.mgrid[:72, :86]
        head = ((x - 36) / 31) ** 2 + ((y - 43) / 38) ** 2 < 1
        truth = np.zeros(image.shape, np.uint8)
        for class_ in range(1, len(study.classes)):
            centre = (24 + 14 * class_, 40 + 6 * number)
            truth[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 30] = class_
        image = np.where(head, image + 2 - 2.0 * (truth > 0), 0)
        soft = gaussian_filter((truth > 0).astype(float), 1.5) * 12
        noise = gaussian_filter(np.random.default_rng([cell.seed, number]).normal(size=(72, 86)), 2)
        margin = np.where(head, soft - 7 + 0.8 * gain + 9 * noise, -9)
        prediction = np.where(margin > 0, np.maximum(truth, 1), 0).astype(np.uint8)
        np.savez(
            folder / f"{number}.npz",
            image=image.astype(np.float32),
            truth=truth,
            prediction=prediction,
            margin=margin.astype(np.float32),
        )

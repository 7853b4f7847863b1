"""An extract and its references as the stages before `analyse` write them, from plain arrays."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation

SPACING = (1.0, 1.5, 2.0)
BIN_WIDTH = 0.05
BINS = 15


@dataclass
class Subject:
    """One case: truth (X, Y, Z) and logits (C, X, Y, Z)."""

    case: str
    side: str
    truth: np.ndarray
    logits: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        return self.logits.argmax(axis=0)

    def margins(self, index: int) -> np.ndarray:
        own = self.logits[:, self.truth == index].astype(float)
        return own[index] - np.delete(own, index, axis=0).max(axis=0)

    @property
    def probabilities(self) -> np.ndarray:
        powers = np.exp(self.logits - self.logits.max(axis=0))
        return powers / powers.sum(axis=0)


Write = Callable[[Path, list[Subject], list[str]], tuple[Path, Path]]


def make_subject(
    case: str, side: str, seed: int, move: float = 0.0, shape: tuple[int, ...] = (9, 10, 8)
) -> Subject:
    """Three classes in boxes; ``move`` is added to the margin of class 1."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(shape, dtype=np.uint8)
    truth[2:6, 2:6, 2:6] = 1
    truth[6:8, 6:9, 3:7] = 2
    logits = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    for index in range(3):
        logits[index][truth == index] += 3.0
    logits[1][truth == 1] += move
    return Subject(case, side, truth, logits)


@pytest.fixture
def subject() -> Callable[..., Subject]:
    return make_subject


@pytest.fixture
def settings() -> AnalyseSegmentation:
    return AnalyseSegmentation(
        bootstrap=300,
        confidence=0.95,
        surface_tolerance=1.0,
        lesion_iou=0.5,
        quantile=0.05,
        iou_threshold=0.04,
        maps="native",
        ceiling_share=0.25,
        permutations=20,
        null_level=0.95,
        exact_quantile_values=10**6,
        seed=3,
    )


@pytest.fixture
def write_extract() -> Write:
    """Write ``(extract, prepared)`` for subjects and class names below a folder."""
    return _write


def _write(root: Path, subjects: list[Subject], classes: list[str]) -> tuple[Path, Path]:
    extract, prepared = root / "extract", root / "prepared"
    for folder in (extract / "predictions", extract / "panels", prepared / "references"):
        folder.mkdir(parents=True)
    affine = np.diag([*SPACING, 1.0])
    for one in subjects:
        for folder, labels in (
            (extract / "predictions", one.predicted),
            (prepared / "references", one.truth),
        ):
            nib.save(
                nib.Nifti1Image(labels.astype(np.uint8), affine), folder / f"{one.case}.nii.gz"
            )
    tables = {
        "cases": pd.DataFrame([{"case": one.case, "side": one.side} for one in subjects]),
        "moments": _moments(subjects, len(classes)),
        "histograms": _histograms(subjects, len(classes)),
        "calibration": _calibration(subjects, len(classes)),
        **_lesions(subjects),
        "joint": pd.DataFrame(
            {
                "side": ["train"],
                "class": [0],
                "foreground": [1],
                "bin_x": [0],
                "bin_y": [1],
                "count": [5],
            }
        ),
    }
    for name, table in tables.items():
        table.to_parquet(extract / f"{name}.parquet", index=False)
    groups = [{"case": one.case, "group": one.case} for one in subjects]
    pd.DataFrame(groups).to_parquet(prepared / "cases.parquet", index=False)
    np.savez(extract / "panels" / "1.npz", image=np.zeros((3, 3), dtype=np.float32))
    about = {
        "bin_width": BIN_WIDTH,
        "joint_bin_width": 0.25,
        "calibration_bins": BINS,
        "classes": classes,
        "rare_classes": [1],
    }
    (extract / "extract.json").write_text(json.dumps(about))
    (extract / "history.csv").write_text("step,loss,learning_rate,validation_dice\n1,0.5,0.1,\n")
    return extract, prepared


def _lesions(subjects: list[Subject]) -> dict[str, pd.DataFrame]:
    """One lesion of class 1 a case, of every second case detected."""
    numbers = [number for number, one in enumerate(subjects) if one.side != "validation"]
    about = {
        "case": [subjects[number].case for number in numbers],
        "side": [subjects[number].side for number in numbers],
        "class": 1,
    }
    found = np.array(numbers) % 2 == 0
    iou = np.where(found, np.array(numbers) / 8, 0.0)
    rows = {"lesion": 1, "voxels": 64, "volume": 192.0, "detected": found, "iou": iou}
    rows |= {"dice": 2 * iou / (1 + iou), "margin": -1.0}
    counts = {"lesions": 1, "detected": found.astype(int), "predicted": 2, "false_alarms": 1}
    return {
        "lesions": pd.DataFrame(about | rows),
        "lesion_counts": pd.DataFrame(about | counts),
    }


def _moments(subjects: list[Subject], classes: int) -> pd.DataFrame:
    rows = []
    for one in subjects:
        for index in range(classes):
            d = one.margins(index)
            key = {"case": one.case, "side": one.side, "class": index, "quantity": "margin"}
            sums = {"count": d.size, "sum": d.sum(), "sum_squares": (d**2).sum()}
            if d.size:
                rows.append({**key, **sums, "negative": int((d < 0).sum())})
    return pd.DataFrame(rows)


def _histograms(subjects: list[Subject], classes: int) -> pd.DataFrame:
    rows = []
    for one in subjects:
        for index in range(classes):
            values = {"margin": one.margins(index)}
            for k in range(classes):
                values[f"logit_{k}"] = one.logits[k][one.truth == index].astype(float)
            for quantity, value in values.items():
                bins, counts = np.unique(
                    np.floor(value / BIN_WIDTH).astype(int), return_counts=True
                )
                key = {"case": one.case, "side": one.side, "class": index, "quantity": quantity}
                rows += [{**key, "bin": b, "count": n} for b, n in zip(bins, counts, strict=True)]
    return pd.DataFrame(rows).astype({"bin": np.int32})


def _calibration(subjects: list[Subject], classes: int) -> pd.DataFrame:
    rows = []
    for one in subjects:
        for k in range(classes):
            p = one.probabilities[k].ravel()
            y = (one.truth == k).ravel()
            bins = np.minimum((p * BINS).astype(int), BINS - 1)
            for b in np.unique(bins):
                here = bins == b
                key = {"case": one.case, "side": one.side, "class": k, "bin": int(b)}
                sums = {"sum_confidence": float(p[here].sum()), "sum_positive": int(y[here].sum())}
                rows.append({**key, "count": int(here.sum()), **sums})
    return pd.DataFrame(rows)

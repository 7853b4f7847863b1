"""A synthetic classification study on disk: analyses and comparison, from drawn numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from rarelens.studies.catalogue import with_role
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.classification.claims import PERFORMANCE, QUESTIONS
from rarelens.studies.comparison.classification.compare import COLUMNS
from rarelens.studies.comparison.classification.pairs import COLUMNS as PAIR_COLUMNS

CLASSES = ("wide", "mid_size", "pale", "dark", "speckled", "ring", "tiny", "never_in_test")
PREVALENCE = (0.31, 0.18, 0.11, 0.06, 0.04, 0.025, 0.0110, 0.0102)
UNDEFINED = len(CLASSES) - 1
LAYERS = ("early", "late")
STUDY = {"dataset": "slices", "network": "light_cnn", "fraction": "1"}
CONTROLS = {"random_weights": 0.11, "centre": 0.14, "uniform": 0.07}


@dataclass(frozen=True)
class ClassificationStudy:
    """Where a synthetic study lies."""

    root: Path
    cells: list[Cell]

    analyses = property(lambda self: self.root / "analyses")
    metrics = property(lambda self: self.root / "metrics")


def build_classification(
    root: Path,
    methods: tuple[str, ...] = ("bce", "focal", "weighted_bce", "bce+classifier_retraining"),
    seeds: tuple[int, ...] = (0, 1, 2),
    classes: tuple[str, ...] = CLASSES,
    panels: int = 2,
    channels: int = 1,
) -> ClassificationStudy:
    """Write a study in which the last class has no positive in test; the first is the baseline."""
    cells = [
        Cell("classification", *list(STUDY.values())[:2], method, STUDY["fraction"], seed)
        for method in methods
        for seed in seeds
    ]
    study = ClassificationStudy(root, cells)
    for cell in cells:
        rank = methods.index(cell.method)
        rng = np.random.default_rng([cell.seed, rank])
        folder = cell.folder(str(study.analyses))
        folder.mkdir(parents=True)
        _write_tables(folder, classes, rank, rng)
        _write_pictures(folder, classes, rank, panels, channels)
    study.metrics.mkdir()
    _write_metrics(study, methods, seeds, classes)
    _write_pairs(study, methods, len(seeds))
    return study


def _write_tables(folder: Path, classes: tuple[str, ...], rank: int, rng) -> None:
    reliability, shift, dissection = [], [], []
    for class_ in range(len(classes)):
        for calibrated in (False, True):
            predicted = np.sort(rng.beta(0.4, 4, 8))
            bent = predicted if calibrated else predicted ** (1.4 - 0.1 * rank)
            for place in range(8):
                observed = float(np.clip(bent[place] + rng.normal(0, 0.02), 0, 1))
                reliability.append((class_, calibrated, place, predicted[place], observed, 25))
        for sign, middle in (("positive", -1.5 + 0.3 * rank), ("negative", -0.1)):
            lost = class_ == UNDEFINED and sign == "positive"
            value = np.nan if lost else middle - 0.1 * class_ + rng.normal(0, 0.1)
            numbers = (1, 1 + value, value, value, value)
            shift += [(class_, sign, name, *numbers) for name in ("mean", "median")]
        for layer in LAYERS:
            found = rng.poisson(max(0.0, 3 - 0.4 * class_) * (1 + rank / 3))
            for unit in range(12):
                detects = unit < found
                dissection.append(
                    (layer, unit, class_, 0.09 - 0.005 * unit, detects, unit + 1 < found)
                )
    _table(
        folder, "reliability", reliability,
        "class calibrated bin predicted observed count",
    )  # fmt: skip
    _table(
        folder, "shift", shift,
        "class sign statistic train test difference ci_low ci_high",
    )  # fmt: skip
    table = pd.DataFrame(
        dissection, columns=["layer", "unit", "class", "iou", "detects", "detects_beyond_null"]
    )
    table.assign(ceiling=0.2, dead=table["unit"] == 11).to_parquet(folder / "dissection.parquet")
    facts = {
        "classes": list(classes), "layers": list(LAYERS), "saliency": ["grad_cam"],
        "bin_width": 0.25, "training_images": 400, "test_images": 200, "probe_images": 60,
        "prevalence": list(PREVALENCE[: len(classes)]), "zero_maps": {"grad_cam": 0.02 * rank},
    }  # fmt: skip
    (folder / "analysis.json").write_text(json.dumps(facts))
    steps = np.arange(50, 601, 50)
    validation = 0.4 * (1 - np.exp(-steps / 200))
    pd.DataFrame(
        {
            "step": steps, "loss": 0.3 * np.exp(-steps / 200) + 0.02, "learning_rate": 1e-3,
            "validation_average_precision": np.where(steps % 100 == 0, validation, np.nan),
        }
    ).to_csv(folder / "history.csv", index=False)  # fmt: skip


def _table(folder: Path, name: str, rows: list[tuple], columns: str) -> None:
    pd.DataFrame(rows, columns=columns.split()).to_parquet(folder / f"{name}.parquet")


def _image(seed: int, channels: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = [gaussian_filter(rng.normal(size=(64, 64)), 4) for _ in range(channels)]
    scaled = [(plane - plane.min()) / np.ptp(plane) for plane in smooth]
    return (255 * np.stack(scaled)).astype(np.uint8)


def _write_pictures(
    folder: Path, classes: tuple[str, ...], rank: int, panels: int, channels: int
) -> None:
    (folder / "panels").mkdir()
    (folder / "units").mkdir()
    y, x = np.mgrid[:64, :64]
    for number in range(1, panels + 1):
        left, top = 12 + 6 * number, 20
        mask = (x >= left) & (x < left + 18) & (y >= top) & (y < top + 14)
        heat = gaussian_filter(mask.astype(float), 3 + 2 * rank)
        heat = np.roll(heat, 4 * rank, axis=1)
        np.savez(
            folder / "panels" / f"{number}.npz", image=_image(number, channels), mask=mask,
            map=(heat / heat.max()).astype(np.float32), **{"class": number % len(classes)},
            logit=np.float32(1.2 - rank), boxes=np.array([[left, top, 18, 14]], float),
        )  # fmt: skip
    # The second method has no detector.
    for number in range(1, 1 if rank == 1 else 4):
        images = np.stack([_image(100 + 10 * number + k, channels) for k in range(5)])
        masks = np.stack([(x - 30) ** 2 + (y - 20 - 4 * k) ** 2 < 90 for k in range(5)])
        np.savez(
            folder / "units" / f"{number}.npz", images=images, masks=masks,
            active=np.roll(masks, 3 * (rank + number), axis=2), layer="late", unit=4 + number,
            iou=np.float64(0.12 / number), **{"class": (number - 1) % len(classes)},
        )  # fmt: skip


def _write_metrics(
    study: ClassificationStudy,
    methods: tuple[str, ...],
    seeds: tuple[int, ...],
    classes: tuple[str, ...],
) -> None:
    rows = []
    for rank, method in enumerate(methods):
        for (class_, layer, measure), mean in _means(classes, rank).items():
            difference = np.nan if rank == 0 else 0.01 * rank
            p = np.nan if rank == 0 or not np.isfinite(mean) else 0.4 / rank
            rows.append(
                STUDY
                | {
                    "method": method, "baseline": methods[0], "class": class_, "layer": layer,
                    "measure": measure, "mean": mean, "sd_over_seeds": 0.01,
                    "ci_low": mean - 0.03, "ci_high": mean + 0.03, "confidence": 0.95,
                    "baseline_difference": difference, "difference_low": difference - 0.02,
                    "difference_high": difference + 0.02, "p": p, "p_holm": p,
                    "few_positives": int(class_ in ("tiny", "never_in_test")),
                    "seeds": len(seeds), "sufficient_seeds": len(seeds) >= 3,
                }
            )  # fmt: skip
    pd.DataFrame(rows, columns=COLUMNS).to_csv(study.metrics / "classification.csv", index=False)


def _means(classes: tuple[str, ...], rank: int) -> dict[tuple[str, str, str], float]:
    """By class, layer and measure."""
    means: dict[tuple[str, str, str], float] = {}
    for index, name in enumerate(classes):
        lost = index == UNDEFINED
        means[name, "", "auroc"] = np.nan if lost else 0.85 - 0.03 * index + 0.008 * rank
        precision = np.nan if lost else 0.5 * PREVALENCE[index] ** 0.5 + 0.01 * rank
        means[name, "", "average_precision"] = precision
        means[name, "", "average_precision_over_prevalence"] = precision / PREVALENCE[index]
    for group, value in (("mean", 0.3), ("head", 0.5), ("mid", 0.3), ("tail", 0.1)):
        means[group, "", "auroc"] = 0.6 + value / 2 + 0.004 * rank
        means[group, "", "average_precision"] = value + 0.01 * rank
    means["mean", "", "average_precision_over_prevalence"] = 4.0 + rank
    means["mean", "", "ece"] = 0.08 + 0.01 * rank
    means["mean", "", "ece_calibrated"] = 0.02
    for measure in with_role("alignment"):
        means["mean", "", measure] = 0.25 + 0.06 * rank
        for control, value in CONTROLS.items():
            means["mean", "", f"{measure}_{control}"] = value
    for layer in LAYERS:
        means["mean", layer, "detectors"] = 9.0 + 3 * rank
        means["mean", layer, "detectors_beyond_null"] = 6.0 + 3 * rank
        means["mean", layer, "unique_concepts"] = 5.0
        means["mean", layer, "dead_units"] = 1.0
        means["mean", layer, "effective_rank"] = 12.5 - rank
        means["mean", layer, "linear_probe_auroc"] = 0.78
    return means


def _write_pairs(study: ClassificationStudy, methods: tuple[str, ...], seeds: int) -> None:
    """The first two methods perform alike and differ inside; others differently, or undecided."""
    rows = []
    for (one, a), (two, b) in combinations(enumerate(methods), 2):
        rng = np.random.default_rng([one, two])
        alike = two - one < 3
        inside = 1.0 if (one, two) == (0, 1) else rng.normal(0, 0.3)
        common = STUDY | {
            "method_a": a, "method_b": b, "confidence": 0.95, "claim": False,
            "seeds": seeds, "sufficient_seeds": seeds >= 3,
        }  # fmt: skip
        gap = rng.normal(0, 0.005) if alike else 0.08
        own = [(name, "mean", "", gap, 0.5 if alike else 0.001) for name in PERFORMANCE]
        p = 0.0004 if abs(inside) > 0.9 else 0.6
        own += [(name, "mean", "", 0.1 * inside, p) for name in with_role("alignment")]
        own += [("energy_inside_matched", "mean", "", 0.08 * inside, 0.2)]
        for layer in LAYERS:
            own += [("detectors", "mean", layer, 4 * inside, 0.3)]
            own += [("unique_concepts", "mean", layer, 0.0, np.nan)]
        rows += [common | _difference(*numbers) for numbers in own]
        floor = (_floor(one) + _floor(two)) / 2
        for layer in LAYERS:
            between = 0.9 - 0.2 * abs(inside)
            row = common | _difference("cka", "mean", layer, between - floor, np.nan)
            rows.append(row | {"value_a": between, "value_b": floor})
        claimed = (0.01 if (one, two) == (0, 1) else 0.2, 0.3 if alike else 0.01, p)
        for name, value in zip(QUESTIONS, claimed, strict=True):
            row = common | _difference(name, "mean", "", np.nan, value)
            margins = {"value_a": 0.015, "value_b": 0.02} if name == QUESTIONS[0] else {}
            rows.append(row | {"claim": True} | margins)
    table = pd.DataFrame(rows, columns=PAIR_COLUMNS)
    table.to_csv(study.metrics / "classification_pairs.csv", index=False)


def _floor(rank: int) -> float:
    """CKA between seeds of a method."""
    return 0.85 - 0.02 * rank


def _difference(quantity: str, class_: str, layer: str, difference: float, p: float) -> dict:
    return {
        "quantity": quantity, "class": class_, "layer": layer, "value_a": 0.5 + difference,
        "value_b": 0.5, "difference": difference, "low": difference - 0.02,
        "high": difference + 0.02, "p": p, "p_holm": p,
    }  # fmt: skip

"""Level, coverage and power of a study's comparison, on simulated studies through the real one.

    python benchmarks/null_studies.py                # both tasks, every setting; hours
    python benchmarks/null_studies.py --task segmentation --seeds 3 5 --patients 60 --studies 60

Each study's analyses are written as the stages write them, of methods that do not differ but by the
chance of their training, and compared by `studies.comparison`. A value is the sum of a patient's,
a training's (seed), a training's of one method (seed × method), a case's and of what remains; the
standard deviations are those seen on hippocampus (METHODS: residual .04, patients .025, seed ×
method .006 to .033). A patient has two cases. The last method of a study with ``--effect`` truly
gains as much.

Printed for each setting, in per cent: single comparisons with p < .05 (level; beside it that of
Wilcoxon's test over patient means, which stood here before), studies that claim any difference at
all, intervals that hold the truth, true effects that are found (p < .05), and pairs of classifiers
that are shown to be equivalent.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.classification.compare import compare as compare_classifiers
from rarelens.studies.comparison.segmentation.compare import compare as compare_segmenters
from rarelens.studies.settings.results import Compare

Array = NDArray[np.float64]
PATIENT, CASE, RESIDUAL = 0.025, 0.02, 0.04
CASES = 2  # Of a patient.
METHODS = ("a_baseline", "b", "c", "d")
CLASSES, LAYER = ("a", "b", "c"), "layer"
SETTINGS = Compare(bootstrap=300, confidence=0.95, equivalence=0.02, least_positives=5, seed=0)


@dataclass(frozen=True)
class Setting:
    """A kind of study: how many trainings and patients, and how far trainings scatter."""

    task: str
    seeds: int
    patients: int
    scatter: float  # Standard deviation of seed × method.
    effect: float = 0.0

    def __str__(self) -> str:
        text = f"{self.task}, {self.seeds} seeds, {self.patients} patients, {self.scatter}"
        return text + (f", effect {self.effect}" if self.effect else "")

    def cells(self) -> list[Cell]:
        """All models."""
        names = ("simulated", "network")
        return [
            Cell(self.task, *names, method, "1", seed)
            for method in METHODS
            for seed in range(self.seeds)
        ]


def values(rng: np.random.Generator, own: Setting) -> Array:
    """Around 0: (methods, seeds, patients, cases)."""
    shape = (len(METHODS), own.seeds, own.patients, CASES)
    parts = [
        rng.normal(0, PATIENT, (1, 1, own.patients, 1)),
        rng.normal(0, CASE, (1, 1, own.patients, CASES)),
        rng.normal(0, 0.01, (1, own.seeds, 1, 1)),
        rng.normal(0, own.scatter, (len(METHODS), own.seeds, 1, 1)),
        rng.normal(0, RESIDUAL, shape),
    ]
    found: Array = np.broadcast_to(sum(parts), shape).copy()
    found[-1] += own.effect
    return found


def write_segmenters(rng: np.random.Generator, own: Setting, analyses: Path) -> None:
    """Every table that the comparison reads; Dice around .7, margins around 0."""
    dice = np.clip(0.7 + values(rng, own), 0, 1)
    also = {name: np.clip(0.7 + values(rng, own), 0, 1) for name in ("sensitivity", "precision")}
    margins = 10 * values(rng, own)
    pool = 10 * values(rng, own)  # Of patients to train on; a seed draws half of them.
    drawn = [np.sort(rng.permutation(own.patients)[: own.patients // 2]) for _ in range(own.seeds)]
    cases = [f"p{p:03d}_{c}" for p in range(own.patients) for c in range(CASES)]
    for cell in own.cells():
        folder, m = cell.folder(str(analyses)), METHODS.index(cell.method)
        folder.mkdir(parents=True)
        at = (m, cell.seed)
        trained = [f"t{p:03d}_{c}" for p in drawn[cell.seed] for c in range(CASES)]
        subjects = pd.DataFrame({"case": trained + cases})
        subjects["side"] = ["train"] * len(trained) + ["test"] * len(cases)
        subjects["group"] = subjects["case"].str[:4]
        by_case = subjects[["case", "side"]].copy()
        by_case["mean"] = np.concatenate([pool[at][drawn[cell.seed]].ravel(), margins[at].ravel()])
        by_case["negative_fraction"] = np.clip(0.5 - by_case["mean"] / 10, 0, 1)
        by_case = by_case.assign(count=100, **{"class": 1})
        overlap = pd.DataFrame({"case": cases, "side": "test", "class": 1, "rule": "all"})
        overlap["dice"] = dice[at].ravel()
        overlap = overlap.assign(**{name: found[at].ravel() for name, found in also.items()})
        overlap = overlap.assign(specificity=0.99, volume_ratio=overlap["sensitivity"] + 0.3)
        overlap = overlap.assign(hd95=20 * (1 - overlap["precision"]), assd=1.0, surface_dice=0.5)
        overlap = overlap.assign(outcome="present", truth_voxels=100, predicted_voxels=100)
        lesions = overlap[["case", "side", "class", "dice"]].assign(
            lesion=1, voxels=100, volume=100.0 + np.arange(len(cases)), margin=margins[at].ravel()
        )
        found = lesions["dice"] > 0.65
        lesions = lesions.assign(detected=found, detected_iou=found, iou=0.5)
        counts = overlap[["case", "side", "class"]].assign(
            lesions=1, detected=found.astype(int), predicted=1, false_alarms=0
        )
        tables = {
            "overlap": overlap,
            "lesions": lesions,
            "lesion_counts": counts,
            "shift_by_case": by_case,
            "subjects": subjects,
            "shift": pd.DataFrame(columns=["class", "statistic", "difference"]),
            "calibration": pd.DataFrame(columns=["side", "class", "ece"]),
        }
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        about = {"classes": ["background", "lesion"], "rare_classes": [1]}
        (folder / "analysis.json").write_text(json.dumps(about))


def judge_segmenters(own: Setting, analyses: Path) -> dict[str, float]:
    """What the comparison said of one study."""
    table, pairs = compare_segmenters(own.cells(), analyses, METHODS[0], SETTINGS)
    lesion = table[(table["class"] == "lesion") & (table["rule"] == "all")]
    gains = lesion[lesion["measure"].isin(["dice", "sensitivity"])]
    gains = gains[gains["method"] != METHODS[0]]
    truth = np.where(gains["method"] == METHODS[-1], own.effect, 0.0)
    shift = lesion[(lesion["measure"] == "shift_mean") & (lesion["method"] == METHODS[0])]
    return _judged(gains, truth, [table, pairs]) | {
        "wilcoxon": float(np.nanmean(_wilcoxon(own, analyses) < 0.05)),
        "shift level": float((shift["p"] < 0.05).mean()) if shift["p"].notna().any() else np.nan,
        "shift coverage": float(((shift["ci_low"] <= 0) & (shift["ci_high"] >= 0)).mean()),
    }


def _judged(gains: pd.DataFrame, truth: Array, tables: list[pd.DataFrame]) -> dict[str, float]:
    """Of differences with columns p, difference_low and difference_high."""
    null = truth == 0
    held = (gains["difference_low"] <= truth) & (gains["difference_high"] >= truth)
    tested = gains["p"].notna()
    claimed = any(bool((table["p_holm"] < 0.05).any()) for table in tables)
    return {
        "level": float((gains["p"] < 0.05)[null & tested].mean()),
        "any claim": float(claimed),
        "coverage": float(held[gains["difference_low"].notna() & np.isfinite(truth)].mean()),
        "power": float((gains["p"] < 0.05)[~null & tested].mean()),
    }


def _wilcoxon(own: Setting, analyses: Path) -> Array:
    """What stood here before: p over the means of patients, as if the trainings were given."""
    means = {}
    for cell in own.cells():
        table = pd.read_parquet(cell.folder(str(analyses)) / "overlap.parquet")
        by_patient = table.groupby(table["case"].str[:4])["dice"].mean().to_numpy()
        means.setdefault(cell.method, []).append(by_patient)
    base = np.mean(means[METHODS[0]], axis=0)
    others = METHODS[1:-1] if own.effect else METHODS[1:]
    return np.array([wilcoxon(np.mean(means[m], axis=0) - base).pvalue for m in others])


def write_classifiers(rng: np.random.Generator, own: Setting, analyses: Path) -> None:
    """Every table that the comparison reads: logits of three classes, maps, units, features."""
    images = [f"p{p:03d}_{c}" for p in range(own.patients) for c in range(CASES)]
    number, patients = len(images), np.repeat(np.arange(own.patients), CASES)
    labels = (rng.random((number, len(CLASSES))) < (0.4, 0.3, 0.2)).astype(float)
    hard = rng.normal(0, 0.5, (own.patients, len(CLASSES)))[patients]
    hard += rng.normal(0, 0.6, labels.shape)
    difficult = rng.normal(0.5, 0.1, (own.patients, 1))[patients] + rng.normal(0, 0.1, labels.shape)
    at = np.argwhere(labels == 1)
    for cell in own.cells():
        folder = cell.folder(str(analyses))
        (folder / "features").mkdir(parents=True)
        better = own.effect if cell.method == METHODS[-1] else 0.0
        skill = 1.5 + rng.normal(0, 10 * own.scatter, len(CLASSES)) + 10 * better
        logits = labels * skill + hard + rng.normal(0, 0.6, labels.shape)
        scores = pd.DataFrame({"image": images, "side": "test", "row": range(number)})
        scores["group"] = scores["image"].str[:4]
        for place in range(len(CLASSES)):
            scores[f"logit_{place}"], scores[f"label_{place}"] = logits[:, place], labels[:, place]
        energy = difficult + rng.normal(0, own.scatter) + rng.normal(0, 0.1, labels.shape)
        maps = pd.DataFrame({"image": [images[i] for i, _ in at], "class": at[:, 1]})
        maps = maps.assign(side="test", method="grad_cam", map="model", logit=logits[tuple(at.T)])
        shown = ("energy_inside", "pointing_game", "soft_iou")
        alignment = [
            maps.assign(
                measure=name, value=(energy + rng.normal(0, 0.1, labels.shape))[tuple(at.T)]
            )
            for name in shown
        ]
        units = pd.DataFrame({"unit": range(32), "class": rng.integers(0, len(CLASSES), 32)})
        units = units.assign(layer=LAYER, dead=False, detects=rng.random(32) < 0.3)
        known = {"effective_rank": rng.normal(12, 1), "linear_probe_auroc": rng.normal(0.8, 0.01)}
        representation = pd.DataFrame(
            [{"layer": LAYER, "measure": m, "class": -1, "value": v} for m, v in known.items()]
        )
        tables = {
            "scores": scores,
            "alignment": pd.concat(alignment),
            "dissection": units.assign(detects_beyond_null=units["detects"]),
            "representation": representation,
            "prediction": pd.DataFrame(columns=["side", "class", "group", "measure", "value"]),
            "shift": pd.DataFrame(columns=["class", "sign", "statistic", "difference"]),
            "components": pd.DataFrame({"layer": [LAYER], "class": [0], "components": [1.0]}),
        }
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        np.save(folder / "features" / f"{LAYER}.npy", rng.normal(size=(number, 4)))
        about = {"classes": CLASSES, "layers": [LAYER], "saliency": ["grad_cam"]}
        about["class_groups"] = ["head", "mid", "tail"]
        (folder / "analysis.json").write_text(json.dumps(about))


def judge_classifiers(own: Setting, analyses: Path) -> dict[str, float]:
    """What the comparison said of one study; that methods are alike is true, and no error."""
    table, pairs = compare_classifiers(own.cells(), analyses, METHODS[0], SETTINGS)
    gains = table[table["measure"].isin(["auroc", "average_precision", "energy_inside"])]
    gains = gains[(gains["method"] != METHODS[0]) & (gains["class"] == "mean")]
    improved = (gains["method"] == METHODS[-1]) & (gains["measure"] != "energy_inside")
    truth = np.where(improved & (own.effect > 0), np.nan, 0.0)
    wrong = pairs[pairs["quantity"] != "performs_alike"]
    alike = pairs[pairs["quantity"] == "performs_alike"]
    return _judged(gains, truth, [table, wrong]) | {
        "equivalent": float((alike["p_holm"] < 0.05).mean())
    }


TASKS = {
    "segmentation": (write_segmenters, judge_segmenters),
    "classification": (write_classifiers, judge_classifiers),
}


def study(own: Setting, seed: int) -> dict[str, float]:
    """Simulate one study, and judge it."""
    rng = np.random.default_rng([seed, own.seeds, own.patients, round(1000 * own.scatter)])
    write, judge = TASKS[own.task]
    with tempfile.TemporaryDirectory() as folder:
        write(rng, own, Path(folder))
        return judge(own, Path(folder))


def settings(arguments: argparse.Namespace) -> Iterator[Setting]:
    """Those that are asked for; without, all that the documentation shows."""
    for task in arguments.task:
        for seeds in arguments.seeds:
            for patients in arguments.patients:
                for scatter in arguments.scatter:
                    for effect in arguments.effect:
                        yield Setting(task, seeds, patients, scatter, effect)


def main() -> None:
    """Print a line a setting, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[2, 3, 5, 10])
    parser.add_argument("--patients", nargs="+", type=int, default=[20, 60])
    parser.add_argument("--scatter", nargs="+", type=float, default=[0.01, 0.03])
    parser.add_argument("--effect", nargs="+", type=float, default=[0.0])
    parser.add_argument("--studies", type=int, default=100)
    arguments = parser.parse_args()
    head = ["task", "seeds", "patients", "scatter", "effect"]
    shown = ""
    for own in settings(arguments):
        rows = pd.DataFrame([study(own, seed) for seed in range(arguments.studies)])
        means = {name: f"{100 * value:.1f}" for name, value in rows.mean().items()}
        if own.task != shown:
            print("\n|", " | ".join([*head, *means]), "|\n|", "--- | " * (len(head) + len(means)))
            shown = own.task
        line = [own.task, own.seeds, own.patients, own.scatter, own.effect, *means.values()]
        print("|", " | ".join(map(str, line)), "|", flush=True)


if __name__ == "__main__":
    main()

"""Compute the table of a segmentation study once more, from label maps and logits alone.

It shares no code with rarelens: NiBabel, h5py, NumPy and SciPy, and the formulas as
docs/explanation/statistics.md gives them. For datasets whose cases are prepared on their own grid
(neither spacing nor crop_foreground), with one case a patient, extracted with
``extract.segmentation.full_logits: true``. From the project's root, after `dvc repro`:
``python docs/results/recompute.py hippocampus unet 0.3 cross_entropy asymmetric_focal``
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
from scipy import ndimage

DRAWS = 2000
SIMULATED = 400_000
# What is compared: the measure in metrics/segmentation.csv, and what stands in the table of a case.
MEANS = {
    "dice": ("dice", "test"),
    "sensitivity": ("sensitivity", "test"),
    "precision": ("precision", "test"),
    "false_alarms": ("false_alarms", "test"),
    "margin_test": ("margin", "test"),
    "negative_fraction_test": ("wrong", "test"),
}


def case_values(label: np.ndarray, predicted: np.ndarray, logits: np.ndarray, own: int) -> dict:
    """All numbers of one class in one case that holds it."""
    true, found = label == own, predicted == own
    both = np.count_nonzero(true & found)
    rivals = np.sort(logits, axis=0)
    best_other = np.where(logits[own] == rivals[-1], rivals[-2], rivals[-1])
    margins = (logits[own] - best_other)[true]
    parts, number = ndimage.label(found, np.ones((3, 3, 3)))
    touched = set(np.unique(parts[true])) - {0}
    return {
        "dice": 2 * both / (true.sum() + found.sum()),
        "sensitivity": both / true.sum(),
        "precision": both / found.sum() if found.any() else np.nan,
        "false_alarms": number - len(touched),
        "margin": margins.mean(dtype=np.float64),
        "wrong": np.mean(margins < 0),
    }


def cell_values(dataset: str, cell: Path) -> pd.DataFrame:
    """One row a case and class, with its side."""
    raw = Path("data/raw") / dataset
    names = json.loads((raw / "dataset.json").read_text())["labels"]
    rows = []
    for case, side in pd.read_parquet(cell / "cases.parquet").itertuples(index=False):
        if side == "validation":
            continue
        label = np.asarray(nib.load(raw / "labelsTr" / f"{case}.nii.gz").dataobj)
        predicted = np.asarray(nib.load(cell / "predictions" / f"{case}.nii.gz").dataobj)
        with h5py.File(cell / "logits" / f"{case}.h5") as file:
            logits = file["logits"][:].astype(np.float64)
        agree = np.mean(logits.argmax(0) == predicted)
        assert agree > 0.999, f"{case}: logits and label map agree in {agree:.4f}"
        for value, name in names.items():
            if (label == int(value)).any():
                values = case_values(label, predicted, logits, int(value))
                rows.append({"case": case, "side": side, "class": name, **values})
    return pd.DataFrame(rows)


def interval(mean: float, parts: list[tuple[float, int]]) -> tuple[float, float]:
    """95 % of a mean that varies by the sum of independent t, by simulation."""
    rng = np.random.default_rng(1)
    total = sum(size * rng.standard_t(freedom, SIMULATED) for size, freedom in parts if size > 0)
    reach = np.quantile(np.abs(total), 0.95)
    return mean - reach, mean + reach


def crossed(table: np.ndarray) -> tuple[float, float, float]:
    """Mean and interval of (seeds, patients), both random: Dorfman, Berbaum and Metz."""
    s, n = table.shape
    mean, seed, patient = table.mean(), table.mean(1), table.mean(0)
    ms_seed = n * seed.var(ddof=1)
    ms_patient = s * patient.var(ddof=1)
    rest = table - seed[:, None] - patient[None] + mean
    ms_rest = (rest**2).sum() / ((s - 1) * (n - 1))
    sizes = np.sqrt(np.array([ms_seed, max(ms_patient - ms_rest, 0)]) / (s * n))
    return (mean, *interval(mean, [(sizes[0], s - 1), (sizes[1], n - 1)]))


def shift(seeds: list[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, int]:
    """Values (S,), resamples (B, S) of the mean margin, test minus train, and the rarer number."""
    rng = np.random.default_rng(2)
    sides = []
    for side in ("test", "train"):
        tables = [own[own["side"] == side].set_index("case")["margin"] for own in seeds]
        patients = sorted(set().union(*(table.index for table in tables)))
        values = np.array([table.reindex(patients) for table in tables])
        drawn = rng.multinomial(len(patients), np.full(len(patients), 1 / len(patients)), DRAWS)
        weights = np.vstack([np.ones(len(patients)), drawn])
        known = np.isfinite(values)
        sides.append((weights @ np.where(known, values, 0).T) / (weights @ known.T))
        sides.append(len(patients))
    both = sides[0] - sides[2]
    return both[0], both[1:], min(sides[1], sides[3])


def crossed_shift(values: np.ndarray, draws: np.ndarray, n: int) -> tuple[float, float, float]:
    """Mean and interval of a statistic of resampled patients: Obuchowski and Rockette."""
    s = len(values)
    draws = draws[np.isfinite(draws).all(1)]
    covariance = np.cov(draws.T)
    shared = covariance[~np.eye(s, dtype=bool)].mean() * n / (n - 1)
    sizes = np.sqrt(np.array([values.var(ddof=1) / s, max(shared, 0)]))
    return (values.mean(), *interval(values.mean(), [(sizes[0], s - 1), (sizes[1], n - 1)]))


def wide(seeds: list[pd.DataFrame], column: str, side: str) -> np.ndarray:
    """(seeds, patients) of those that every seed has."""
    tables = [own[own["side"] == side].set_index("case")[column] for own in seeds]
    return pd.concat(tables, axis=1, join="inner").dropna().to_numpy().T


def main() -> None:
    """Print each number beside the study's, and the largest departures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("network")
    parser.add_argument("fraction")
    parser.add_argument("methods", nargs="+", help="the baseline first")
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"])
    given = parser.parse_args()
    cells = {
        (method, seed): cell_values(
            given.dataset,
            Path(
                "extracts/segmentation", given.dataset, given.network, method, given.fraction, seed
            ),
        )
        for method in given.methods
        for seed in given.seeds
    }
    with Path("metrics/segmentation.csv").open() as file:
        known = {
            (row["method"], row["class"], row["measure"]): row
            for row in csv.DictReader(file)
            if (row["dataset"], row["network"], row["fraction"])
            == (given.dataset, given.network, given.fraction)
            and row["rule"] in ("all", "")
        }
    worst = {"mean": 0.0, "bound": 0.0}
    base = given.methods[0]
    for name in next(iter(cells.values()))["class"].unique():
        for method in given.methods:
            own, other = (
                [cells[m, s][cells[m, s]["class"] == name] for s in given.seeds]
                for m in (method, base)
            )
            found = {}
            for measure, (column, side) in MEANS.items():
                mine, theirs = wide(own, column, side), wide(other, column, side)
                found[measure, "own"] = crossed(mine)
                if method != base:
                    found[measure, "gain"] = crossed(mine - theirs)
            values, draws, n = shift(own)
            found["shift_mean", "own"] = crossed_shift(values, draws, n)
            if method != base:
                more = shift(other)
                found["shift_mean", "gain"] = crossed_shift(values - more[0], draws - more[1], n)
            wrong = [own_seed[own_seed["side"] == "train"]["wrong"].mean() for own_seed in own]
            found["negative_fraction_train", "own"] = (float(np.mean(wrong)), np.nan, np.nan)
            for (measure, kind), numbers in found.items():
                row = known.get((method, name, measure))
                if row is None:
                    continue
                columns = ("mean", "ci_low", "ci_high")
                if kind == "gain":
                    columns = ("baseline_difference", "difference_low", "difference_high")
                theirs = [float(row[c]) if row[c] else np.nan for c in columns]
                width = theirs[2] - theirs[1]
                off = abs(numbers[0] - theirs[0])
                bound = max(abs(numbers[1] - theirs[1]), abs(numbers[2] - theirs[2])) / width
                worst["mean"] = max(worst["mean"], off)
                worst["bound"] = np.nanmax([worst["bound"], bound])
                print(f"{name:12} {method:18} {measure:24} {kind:4} "
                      + " ".join(f"{v:+.5f}" for v in (*numbers, *theirs)))  # fmt: skip
    print(
        f"largest departure of a mean {worst['mean']:.2g}; "
        f"of a bound {worst['bound']:.1%} of the width"
    )


if __name__ == "__main__":
    main()

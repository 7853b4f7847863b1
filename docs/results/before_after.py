"""Print what changed between diagnoses of two kinds of network, as a table in Markdown.

    python docs/results/before_after.py BEFORE AFTER

Each is the folder of a diagnosis, or of several, one a training (``BEFORE/0``, ``BEFORE/1``, …), of
the same cases. Differences are paired by patient. Intervals (95 %): with one training on either
side Student's t over patients, which holds for these two networks and other patients; with several
the crossed t over trainings and patients, which holds for other trainings, too. The change of the
shift has Welch's t over patients of both sides, of their means over the trainings.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from rarelens.measures.statistics.crossed import crossed_difference
from rarelens.measures.statistics.sides import difference_of_sides

MEASURES = ("sensitivity", "precision", "dice", "margin_mean")


def read(folder: Path) -> pd.DataFrame:
    """Measures by class, side, training and patient."""
    found = sorted(folder.glob("*/cases.csv")) or [folder / "cases.csv"]
    frames = [pd.read_csv(file).assign(training=number) for number, file in enumerate(found)]
    keys = ["class", "side", "training", "patient"]
    return pd.concat(frames).pivot_table(list(MEASURES), keys)


def interval(mean: float, low: float, high: float) -> str:
    """A number with its interval, signed."""
    return f"{mean:+.3f} ({low:+.3f} to {high:+.3f})" if np.isfinite(low) else f"{mean:+.3f}"


def change(before: pd.Series, after: pd.Series) -> str:
    """The mean paired difference of two series by training and patient."""
    table = (after - before).reset_index().pivot_table(after.name, "training", "patient")
    if len(table) > 1:
        return interval(*crossed_difference(table.to_numpy())[:3])
    own = table.iloc[0].to_dict()
    return interval(*difference_of_sides(dict.fromkeys(own, 0.0), own)[:3])


def main() -> None:
    """One row for each class and measure."""
    before, after = (read(Path(name)) for name in sys.argv[1:3])
    print("| class | | before | after | change |\n|---|---|---|---|---|")
    for name in before.index.unique("class"):
        shifts, changes = [], []
        for side in ("train", "unseen"):
            own, other = before.loc[name, side], after.loc[name, side]
            for measure in MEASURES:
                numbers = f"{own[measure].mean():.3f} | {other[measure].mean():.3f}"
                row = change(own[measure], other[measure])
                print(f"| {name} | {side}: {measure} | {numbers} | {row} |")
            margins = [each["margin_mean"].groupby("training").mean() for each in (own, other)]
            shifts.append(margins)
            changes.append((other - own)["margin_mean"].groupby("patient").mean().to_dict())
        moved = [unseen - train for train, unseen in zip(*shifts, strict=True)]
        texts = [f"{own.mean():+.3f}" for own in moved]
        if len(moved[0]) > 1:
            texts = [
                f"{text}: {', '.join(f'{value:+.2f}' for value in own)}"
                for text, own in zip(texts, moved, strict=True)
            ]
        row = interval(*difference_of_sides(*changes)[:3])
        print(f"| {name} | logit shift | {' | '.join(texts)} | {row} |")


if __name__ == "__main__":
    main()

"""The segmentation study in four sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from rarelens.studies.reporting.answer import NO_CLAIM, differing, holding, plural, significant
from rarelens.studies.reporting.segmentation.results import SegmentationResults


def answer(study: Sequence[SegmentationResults]) -> list[str]:
    """The baseline's shift, then the methods' sensitivity, Dice and shift."""
    if not all(own.enough_seeds("dice", own.classes) for own in study):
        return [NO_CLAIM]
    told = [
        differing(study, "sensitivity", "Sensitivity to rare classes", "rare class", _rare),
        differing(study, "dice", "Dice of rare classes", "rare class", _rare),
        differing(study, "shift_mean", "The logit shift of rare classes", "rare class", _rare),
    ]
    return [baseline_shift(study), *filter(None, told)]


def baseline_shift(study: Sequence[SegmentationResults]) -> str:
    """In how many classes the baseline's shift is below 0, also after the correction."""
    claimed, below = [], []
    for names, kind in ((_rare, "rare class"), (_background, "background")):
        rows = pd.DataFrame(
            [
                own.entry(own.baseline, "shift_mean", name)
                for own in study
                for name in names(own)
            ]
        )  # fmt: skip
        held = significant(rows, 1 - study[0].confidence)
        claimed.append((int((held & (rows["mean"] < 0)).sum()), len(rows), kind))
        below.append((int((rows["ci_high"] < 0).sum()), len(rows), kind))
    where = f"Over {len(study)} {plural('comparison')}, the" if len(study) > 1 else "The"
    below_0 = holding("is significantly below 0", "is not significantly below 0", *claimed)
    text = f"{where} baseline's logit shift from training to test subjects {below_0}"
    if claimed == below:
        return f"{text}."
    lies = holding("lies below 0", "does not lie below 0", *below)
    return f"{text}; its interval, which no correction widens, {lies}."


def _rare(own: SegmentationResults) -> list[str]:
    return [own.classes[class_] for class_ in own.rare]


def _background(own: SegmentationResults) -> list[str]:
    return [own.classes[0]]

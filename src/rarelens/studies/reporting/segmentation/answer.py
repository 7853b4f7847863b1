"""The segmentation study in three sentences."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from rarelens.studies.reporting.answer import NO_CLAIM, differing, many, significant
from rarelens.studies.reporting.segmentation.results import SegmentationResults


def answer(study: Sequence[SegmentationResults]) -> list[str]:
    """The baseline's shift, then the methods' Dice and shift."""
    if not all(own.enough_seeds("dice", own.classes) for own in study):
        return [NO_CLAIM]
    told = [
        differing(study, "dice", "Dice of rare classes", _rare),
        differing(study, "shift_mean", "The logit shift of rare classes", _rare),
    ]
    return [baseline_shift(study), *filter(None, told)]


def baseline_shift(study: Sequence[SegmentationResults]) -> str:
    """In how many classes the baseline's shift is below 0, also after the correction."""
    counts = []
    for names in (_rare, _background):
        rows = pd.DataFrame(
            [
                own.entry(own.baseline, "shift_mean", name)
                for own in study
                for name in names(own)
            ]
        )  # fmt: skip
        held = significant(rows, 1 - study[0].confidence)
        below = int((rows["ci_high"] < 0).sum())
        counts.append((int((held & (rows["mean"] < 0)).sum()), len(rows), below))
    (claimed, rare, below), (others, backgrounds, below_others) = counts
    return (
        "The baseline's logit shift from training to test subjects is significantly below 0 in "
        f"{claimed} of {many(rare, 'rare class')} and {others} of "
        f"{many(backgrounds, 'background')} ({many(len(study), 'comparison')}); its interval, "
        f"which no correction widens, lies below 0 in {below} and {below_others}."
    )


def _rare(own: SegmentationResults) -> list[str]:
    return [own.classes[class_] for class_ in own.rare]


def _background(own: SegmentationResults) -> list[str]:
    return [own.classes[0]]

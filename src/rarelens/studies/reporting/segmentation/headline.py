"""The paragraph at the head of a section, computed from its numbers."""

from __future__ import annotations

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting.headline import clear_differences, no_claim
from rarelens.studies.reporting.number_text import interval, signed, words
from rarelens.studies.reporting.segmentation.results import SegmentationResults

COMPARED = [(name, SEGMENTATION[name]) for name in ("dice", "shift_mean")]


def headline(results: SegmentationResults) -> list[str]:
    """What happened, a sentence or two each: the baseline's shift, then the other methods.

    A difference is claimed only with at least three seeds, and named as found, whatever its
    direction.
    """
    sentences = [_shift(results, class_) for class_ in results.shown_classes]
    if not results.enough_seeds("dice", results.classes):
        sentences.append(no_claim(len(results.seeds)))
    elif results.others:
        names = [results.classes[class_] for class_ in results.rare]
        sentences += [clear_differences(f"For {n}, methods", results, COMPARED, n) for n in names]
    return sentences


def _shift(results: SegmentationResults, class_: int) -> str:
    name = results.classes[class_]
    shift, train, test = (
        results.entry(results.baseline, measure, name)
        for measure in ("shift_mean", "margin_train", "margin_test")
    )
    means = (train["mean"], test["mean"])
    before, after = (signed(mean, 2) for mean in means)
    text = (
        f"With {words(results.baseline)} (the baseline), the mean margin of {name} voxels goes "
        f"from {before} in training subjects to {after} in test subjects"
    )
    if not class_:
        text = f"The margin of {name} voxels goes from {before} to {after}"
    bounds = interval(shift["ci_low"], shift["ci_high"], 2)
    return (
        f"{text}: a shift of {signed(shift['mean'], 2)} "
        f"({shift['confidence']:.0%} interval {bounds}), {_meaning(shift, *means)}."
    )


def _meaning(shift: pd.Series, train: float, test: float) -> str:
    if shift["ci_low"] > 0:
        side = "away from" if train > 0 else "towards the correct side of"
        return f"{side} the decision boundary"
    if shift["ci_high"] < 0:
        if train < 0:
            return "further beyond the decision boundary"
        return "over the decision boundary" if test < 0 else "towards the decision boundary"
    return "an interval that includes 0"

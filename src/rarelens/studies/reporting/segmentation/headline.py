"""The paragraph at the head of a section, computed from its numbers."""

from __future__ import annotations

import pandas as pd

from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.reporting.headline import clear_differences, no_claim
from rarelens.studies.reporting.number_text import interval, relation, signed, words
from rarelens.studies.reporting.segmentation.results import SegmentationResults
from rarelens.studies.reporting.segmentation.tables import COMPARED


def headline(results: SegmentationResults) -> list[str]:
    """What happened, a sentence or two each: the baseline's shift, then the other methods.

    A difference is claimed only with at least three seeds, and named as found, whatever its
    direction.
    """
    sentences = [_shift(results, class_) for class_ in results.shown_classes]
    if not results.enough_seeds("dice", results.classes):
        sentences.append(no_claim(len(results.seeds)))
    elif results.others:
        names = [results.classes[class_] for class_ in results.drawn]
        measures = [(measure, SEGMENTATION[measure]) for measure in COMPARED]
        sentences += [clear_differences(f"For {n}, methods", results, measures, n) for n in names]
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
    text = f"{text}: a shift of {signed(shift['mean'], 2)}"
    bounds = interval(shift["ci_low"], shift["ci_high"], 2)
    if not bounds:
        return f"{text}, without interval."
    level = shift["confidence"]
    text = f"{text} ({level:.0%} interval {bounds}), {_meaning(shift, train, test)}"
    if shift["p"] < 1 - level <= shift["p_holm"]:
        return f"{text}, but not after Holm's correction ({relation(shift['p_holm'])})."
    return f"{text}."


def _meaning(shift: pd.Series, train: pd.Series, test: pd.Series) -> str:
    """Only what the intervals say: of the shift, and of the margins, on which side they lie."""
    if shift["ci_low"] > 0:
        return "away from the boundary" if train["ci_low"] > 0 else "to larger margins"
    if not shift["ci_high"] < 0:
        return "an interval that includes 0"
    if train["ci_high"] < 0:
        return "further beyond the decision boundary"
    if train["ci_low"] > 0 and test["ci_high"] < 0:
        return "over the decision boundary"
    return "towards the decision boundary" if train["mean"] > 0 else "to smaller margins"

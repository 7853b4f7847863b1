"""The paragraph at the head of a block, computed from its numbers."""

from __future__ import annotations

import pandas as pd

from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.segmentation.figures.margins import shown_classes
from rarelens.studies.reporting.segmentation.tables import entry
from rarelens.studies.reporting.wording import interval, no_claim, number, relation, signed, words


def headline(block: Block) -> list[str]:
    """What happened, a sentence or two each: the baseline's shift, then the other methods.

    A difference is claimed only with at least three seeds, and named as found, whatever its
    direction.
    """
    sentences = [_shift(block, class_) for class_ in shown_classes(block)]
    if not _enough(block):
        sentences.append(no_claim(len(block.seeds)))
    elif len(block.methods) > 1:
        names = [block.classes[class_] for class_ in shown_classes(block) if class_]
        sentences += [_differences(block, name) for name in names]
    return sentences


def _enough(block: Block) -> bool:
    dice = block.metrics[block.metrics["measure"] == "dice"]
    return bool(dice["sufficient_seeds"].all())


def _shift(block: Block, class_: int) -> str:
    name = block.classes[class_]
    shift = entry(block, name, block.baseline, "shift_mean")
    train = entry(block, name, block.baseline, "margin_train")["mean"]
    test = entry(block, name, block.baseline, "margin_test")["mean"]
    text = (
        f"With {words(block.baseline)} (the baseline), the mean margin of {name} voxels goes from "
        f"{signed(train, 2)} in training subjects to {signed(test, 2)} in test subjects"
    )
    if not class_:
        text = f"The margin of {name} voxels goes from {signed(train, 2)} to {signed(test, 2)}"
    bounds = interval(shift["ci_low"], shift["ci_high"], 2)
    return (
        f"{text}: a shift of {signed(shift['mean'], 2)} "
        f"({shift['confidence']:.0%} interval {bounds}), {_meaning(shift, train, test)}."
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


def _differences(block: Block, name: str) -> str:
    """Which methods differ from the baseline after Holm's correction."""
    others = [method for method in block.methods if method != block.baseline]
    found = []
    for measure, word, digits in (("dice", "Dice", 3), ("shift_mean", "shift", 2)):
        rows = {method: entry(block, name, method, measure) for method in others}
        clear = [
            f"{words(method)} ({signed(row['baseline_difference'], digits)}, "
            f"p\u00a0{relation(row['p_holm'])})"
            for method, row in rows.items()
            if row["p_holm"] < 1 - row["confidence"]
        ]
        baseline = number(entry(block, name, block.baseline, measure)["mean"], digits)
        listed = ", ".join(clear) if clear else "none"
        found.append(f"in {word} (baseline {baseline}): {listed}")
    return (
        f"For {name}, methods that differ from the baseline after Holm's correction over "
        f"{len(others)}: {'; '.join(found)}."
    )

"""The paragraph at the head of a results, computed from its numbers."""

from __future__ import annotations

import math

import numpy as np

from rarelens.studies.catalogue import CLASSIFICATION
from rarelens.studies.reporting.classification.pairs import ORDER
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.headline import clear_differences, no_claim
from rarelens.studies.reporting.number_text import interval, number, words

COMPARED = [
    (name, CLASSIFICATION[name]) for name in ("auroc", "average_precision", "energy_inside")
]
NAMED = 3


def headline(results: ClassificationResults) -> list[str]:
    """What happened, a sentence or two each: the baseline, the methods, the study's question.

    A difference is claimed only with at least three seeds, and named as found, whatever its
    direction.
    """
    sentences = [_baseline(results), *_undefined(results)]
    if not results.enough_seeds("auroc", ["mean"]):
        return [*sentences, no_claim(len(results.seeds))]
    if results.others:
        sentences.append(clear_differences("Methods", results, COMPARED))
    if results.pairs:
        sentences += [_question(results), _features(results)]
    return sentences


def _baseline(results: ClassificationResults) -> str:
    area = results.entry(results.baseline, "auroc")
    precision = results.entry(results.baseline, "average_precision")
    groups = []
    for group in ("head", "mid", "tail"):
        own = results.entry(results.baseline, "average_precision", group)["mean"]
        if math.isfinite(own):
            groups.append(f"{number(own)} for {group} classes")
    bounds = interval(area["ci_low"], area["ci_high"]).replace("+", "")
    return (
        f"With {words(results.baseline)} (the baseline), the mean AUROC is {number(area['mean'])} "
        f"({results.confidence:.0%} interval {bounds}) and the mean AP {number(precision['mean'])}"
        f"{': ' if groups else ''}{', '.join(groups)}."
    )


def _undefined(results: ClassificationResults) -> list[str]:
    lost = [
        words(name)
        for name in results.classes
        if not math.isfinite(results.entry(results.baseline, "auroc", name)["mean"])
    ]
    if not lost:
        return []
    return [
        f"Undefined on the test images, which are all positive or all negative, and left out of "
        f"every mean: {', '.join(lost)}."
    ]


def _question(results: ClassificationResults) -> str:
    pairs = results.pairs
    by_answer = {
        name: [pair for pair in pairs if pair.answer.performance == name] for name in ORDER
    }
    alike, undecided, apart = (len(own) for own in by_answer.values())
    text = (
        f"Of {_count(len(pairs))}, {alike} perform equivalently (AUROC and AP within "
        f"±{results.margin:g}, in the mean and in every class), {apart} differently, and of "
        f"{undecided} it is undecided"
    )
    inside = sum(pair.answer.inside for pair in pairs)
    hidden = [pair for pair in pairs if pair.answer.hidden]
    if hidden:
        named = "; ".join(f"{words(p.method_a)} and {words(p.method_b)}" for p in hidden[:NAMED])
        more = f"; and {len(hidden) - NAMED} more" if len(hidden) > NAMED else ""
        return (
            f"{text}. Of the equivalent ones {len(hidden)} differ inside, which AUROC and AP do "
            f"not show: {named}{more}."
        )
    found = f"{inside} of all differ inside, in alignment, units or features, but none of these is "
    found += "shown to perform equivalently"
    return (
        f"{text}. {found if inside else 'None is shown to differ inside'}: that methods of equal "
        "performance differ inside is not shown here."
    )


def _features(results: ClassificationResults) -> str:
    """CKA of the pairs, against that of seeds."""
    layer = results.layers[-1]
    rows = [pair.row("cka", layer) for pair in results.pairs]
    known = [row for row in rows if math.isfinite(row["difference"])]
    if not known:
        return f"CKA of layer {layer} is undefined: there are not two seeds of the same method."
    between = float(np.mean([row["value_a"] for row in known]))
    seeds = float(np.mean([row["value_b"] for row in known]))
    return (
        f"The features of the pairs at layer {layer} have a CKA of {number(between, 2)} on "
        f"average, against {number(seeds, 2)} between seeds of the same method."
    )


def _count(pairs: int) -> str:
    return "1 pair of methods" if pairs == 1 else f"{pairs} pairs of methods"

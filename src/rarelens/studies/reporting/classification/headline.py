"""The paragraph at the head of a results, computed from its numbers."""

from __future__ import annotations

import math

import numpy as np

from rarelens.studies.catalogue import CLASSIFICATION, with_role
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.headline import clear_differences, no_claim
from rarelens.studies.reporting.number_text import interval, number, relation, signed, words

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
    pairs, level = results.pairs, 1 - results.confidence
    alike = [pair for pair in pairs if pair.alike]
    apart = [pair for pair in alike if pair.inside]
    text = f"Of {_count(len(pairs))}, {len(alike)} show no significant difference in AUROC and AP"
    if not alike:
        return f"{text}: equal performance with different features cannot be asked here."
    if not apart:
        return f"{text}, and none of these differs inside: in alignment, concepts or CKA."
    parts = []
    looking = [pair for pair in apart if pair.alignment]
    if looking:
        listed = "; ".join(_described(pair, level) for pair in looking[:NAMED])
        more = f"; and {len(looking) - NAMED} more" if len(looking) > NAMED else ""
        parts.append(f"{len(looking)} in where the saliency maps look ({listed}{more})")
    counting = sum(pair.concepts for pair in apart)
    if counting:
        parts.append(f"{counting} in how many units detect findings, or how many findings")
    features = sum(pair.features for pair in apart)
    if features:
        parts.append(f"{features} in features, less alike by CKA than any two seeds of a method")
    verb = "differs" if len(apart) == 1 else "differ"
    return f"{text}; of these, {len(apart)} nevertheless {verb} inside: {'; '.join(parts)}."


def _described(pair: Pair, level: float) -> str:
    rows = {name: pair.row(name) for name in with_role("alignment")}
    clear = [
        f"{CLASSIFICATION[name].title} {signed(row['difference'])}, {relation(row['p_holm'])}"
        for name, row in rows.items()
        if row["p_holm"] < level
    ]
    return f"{words(pair.method_a)} minus {words(pair.method_b)}: {', '.join(clear)}"


def _features(results: ClassificationResults) -> str:
    """CKA of the pairs that perform alike, against that of seeds."""
    pairs = results.pairs
    alike = [pair for pair in pairs if pair.alike] or pairs
    layer = results.layers[-1]
    rows = [pair.row("cka", layer) for pair in alike]
    known = [row for row in rows if math.isfinite(row["difference"])]
    if not known:
        return f"CKA of layer {layer} is undefined: there are not two seeds of the same method."
    between = float(np.mean([row["value_a"] for row in known]))
    seeds = float(np.mean([row["value_b"] for row in known]))
    which = "these pairs" if any(pair.alike for pair in pairs) else "the pairs"
    return (
        f"The features of {which} at layer {layer} have a CKA of {number(between, 2)} on average, "
        f"against {number(seeds, 2)} between seeds of the same method."
    )


def _count(pairs: int) -> str:
    return "1 pair of methods" if pairs == 1 else f"{pairs} pairs of methods"

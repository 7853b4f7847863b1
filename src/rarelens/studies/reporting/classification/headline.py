"""The paragraph at the head of a block, computed from its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from rarelens.studies.comparison.classification.claims import ALIGNMENT
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.classification.comparison import enough_seeds, entry
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.classification.question import NAMES
from rarelens.studies.reporting.wording import interval, no_claim, number, relation, signed, words

NAMED = 3


def headline(block: Block, pairs: Sequence[Pair]) -> list[str]:
    """What happened, a sentence or two each: the baseline, the methods, the study's question.

    A difference is claimed only with at least three seeds, and named as found, whatever its
    direction.
    """
    sentences = [_baseline(block), *_undefined(block)]
    if not enough_seeds(block):
        return [*sentences, no_claim(len(block.seeds))]
    if len(block.methods) > 1:
        sentences.append(_differences(block))
    if pairs:
        sentences += [_question(pairs, 1 - block.confidence), _likeness(block, pairs)]
    return sentences


def _baseline(block: Block) -> str:
    area = entry(block, block.baseline, "auroc")
    precision = entry(block, block.baseline, "average_precision")
    groups = []
    for group in ("head", "mid", "tail"):
        own = entry(block, block.baseline, "average_precision", group)["mean"]
        if math.isfinite(own):
            groups.append(f"{number(own)} for {group} classes")
    bounds = interval(area["ci_low"], area["ci_high"]).replace("+", "")
    return (
        f"With {words(block.baseline)} (the baseline), the mean AUROC is {number(area['mean'])} "
        f"({block.confidence:.0%} interval {bounds}) and the mean AP {number(precision['mean'])}"
        f"{': ' if groups else ''}{', '.join(groups)}."
    )


def _undefined(block: Block) -> list[str]:
    lost = [
        words(name)
        for name in block.classes
        if not math.isfinite(entry(block, block.baseline, "auroc", name)["mean"])
    ]
    if not lost:
        return []
    return [
        f"Undefined on the test images, which are all positive or all negative, and left out of "
        f"every mean: {', '.join(lost)}."
    ]


def _differences(block: Block) -> str:
    """Which methods differ from the baseline after Holm's correction."""
    others = [method for method in block.methods if method != block.baseline]
    found = []
    for measure in ("auroc", "average_precision", "energy_inside"):
        rows = {method: entry(block, method, measure) for method in others}
        clear = [
            f"{words(method)} ({signed(row['baseline_difference'], 3)}, "
            f"p\u00a0{relation(row['p_holm'])})"
            for method, row in rows.items()
            if row["p_holm"] < 1 - block.confidence
        ]
        baseline = number(entry(block, block.baseline, measure)["mean"])
        found.append(f"in {NAMES[measure]} (baseline {baseline}): {', '.join(clear) or 'none'}")
    return (
        f"Methods that differ from the baseline after Holm's correction over {len(others)}: "
        f"{'; '.join(found)}."
    )


def _question(pairs: Sequence[Pair], level: float) -> str:
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
    rows = {name: pair.row(name) for name in ALIGNMENT}
    clear = [
        f"{NAMES[name]} {signed(row['difference'])}, p\u00a0{relation(row['p_holm'])}"
        for name, row in rows.items()
        if row["p_holm"] < level
    ]
    return f"{words(pair.method_a)} minus {words(pair.method_b)}: {', '.join(clear)}"


def _likeness(block: Block, pairs: Sequence[Pair]) -> str:
    """CKA of the pairs that perform alike, against that of seeds."""
    alike = [pair for pair in pairs if pair.alike] or list(pairs)
    layer = block.layers[-1]
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

"""The figures of a block, each drawn by the module of its name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from rarelens.studies.reporting import curves
from rarelens.studies.reporting.classification.block import Block
from rarelens.studies.reporting.classification.figures import (
    concepts,
    likeness,
    prevalence,
    question,
    reliability,
    saliency,
    shift,
    units,
)
from rarelens.studies.reporting.classification.pairs import Pair
from rarelens.studies.reporting.drawing import Drawn, Plan, draw_all
from rarelens.studies.reporting.wording import words


def write_figures(block: Block, pairs: Sequence[Pair], folder: Path, dpi: int) -> list[Drawn]:
    """Draw every figure of a block as ``<folder>/<block>-<figure>.png``.

    Args:
        block: what is drawn.
        pairs: of its methods.
        folder: an existing folder.
        dpi: dots per inch.

    Returns:
        The figures in the order of the report.
    """
    about = f"{block.title}; methods {', '.join(words(method) for method in block.methods)}."
    plans = [*_answers(block, pairs), *_pictures(block), *_inside(block, pairs), *_logits(block)]
    return draw_all(plans, folder, block.name, about, dpi)


def _answers(block: Block, pairs: Sequence[Pair]) -> Iterator[Plan]:
    if pairs:
        yield Plan(
            "question",
            "question",
            "Pairs of methods: performance against what is inside",
            "Every cross is a pair, written so that the first performs better; its arms are the "
            "intervals. Coloured pairs show no significant difference in AUROC and AP: those "
            "far from the horizontal line look elsewhere nevertheless. Right: how alike the "
            "features are; the grey bar is what two seeds of the same method reach. Numbers are "
            "those of the table above.",
            partial(question.draw, block, pairs),
        )
    yield Plan(
        "prevalence",
        "prevalence",
        "Performance of each class against its prevalence",
        "From rare (left) to frequent. The dashed line is guessing. Markers of a class stand "
        "beside one another, so that equal values can be seen.",
        partial(prevalence.draw, block),
    )


def _pictures(block: Block) -> Iterator[Plan]:
    if block.panels:
        yield Plan(
            "saliency",
            "saliency",
            f"Saliency ({words(block.saliency)}) beside the finding",
            "A row is an image and a finding present in it, chosen from the data alone, rare "
            f"classes first; seed {block.seeds[0]}. Where the method looks at the finding, the "
            "bright part lies within the outline. Below each map the logit: above 0 the "
            "finding is called present.",
            partial(saliency.draw, block),
        )
    if any(block.examples.values()):
        yield Plan(
            "units",
            "units",
            "Units that detect a finding",
            "The images that excite a unit most, for the best detector of each method (by the "
            "rule or beyond chance) and the best of another finding, if any; seed "
            f"{block.seeds[0]}. A unit that has learnt "
            "the finding is active within the outline, and only there.",
            partial(units.draw, block),
        )


def _inside(block: Block, pairs: Sequence[Pair]) -> Iterator[Plan]:
    yield Plan(
        "concepts",
        "concepts",
        "Detectors of each finding",
        "How many units detect it, from frequent to rare findings; the baseline is black. "
        "Diamonds count units beyond chance, which can be more: a large finding cannot reach "
        "the fixed threshold of the rule.",
        partial(concepts.draw, block),
    )
    if pairs:
        yield Plan(
            "likeness",
            "likeness",
            "Likeness of the features",
            "CKA of two methods, from the same images. The framed diagonal is the noise floor: "
            "two seeds of the same method. A pair differs where its number is below those of "
            "its two methods; ? is undefined (a single seed).",
            partial(likeness.draw, block, pairs),
        )


def _logits(block: Block) -> Iterator[Plan]:
    yield Plan(
        "reliability",
        "reliability",
        "Reliability diagrams",
        "A line a class, in bins with equally many test images, pooled over seeds. Below the "
        "dashed line the method is overconfident. Above, as the network predicts; beneath, "
        "after calibration on validation images.",
        partial(reliability.draw, block),
    )
    yield Plan(
        "shift",
        "shift",
        "Logit shift of each class",
        "Mean over seeds; the line spans the seeds. Left of 0, test images lie nearer the "
        "decision boundary, or further beyond it, than those the network was trained on.",
        partial(shift.draw, block),
    )
    yield Plan(
        "curves",
        "curves",
        "Training curves",
        "Losses of different objectives are not on one scale: compare their course, not their "
        "height.",
        partial(curves.draw, block.history, block.methods, block.validation),
    )

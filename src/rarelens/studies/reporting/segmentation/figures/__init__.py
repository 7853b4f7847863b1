"""The figures of a block, each drawn by the module of its name."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rarelens.studies.reporting import curves
from rarelens.studies.reporting.drawing import Drawn, Plan, draw_all
from rarelens.studies.reporting.segmentation.block import Block
from rarelens.studies.reporting.segmentation.figures import joint, margins, overlap, panel, shift


def write_figures(block: Block, folder: Path, dpi: int) -> list[Drawn]:
    """Draw every figure of a block as ``<folder>/<block>-<figure>.png``.

    Args:
        block: what is drawn.
        folder: an existing folder.
        dpi: dots per inch.

    Returns:
        The figures in the order of the report.
    """
    about = f"{block.title}; methods {', '.join(block.methods)}."
    plans = [*_logits(block), *_predictions(block)]
    return draw_all(plans, folder, block.name, about, dpi)


def _logits(block: Block) -> Iterator[Plan]:
    yield Plan(
        "shift",
        "shift",
        "Logit shift by class",
        "Mean over subjects and seeds, with interval. Left of 0, the voxels of test subjects lie "
        "nearer the decision boundary, or further beyond it, than those of training subjects.",
        partial(shift.draw, block),
    )
    yield Plan(
        "margins",
        "margins",
        "Logit margins, training and test",
        "Voxels of all subjects and seeds. What lies in the grey zone, left of the dashed line, "
        "is misclassified. The number is the difference of the two means marked by triangles; "
        "here large structures weigh more, for they have more voxels.",
        partial(margins.draw, block),
    )
    for class_ in margins.shown_classes(block)[:-1]:
        yield Plan(
            f"joint-{class_}",
            "joint",
            f"Logits of {block.classes[class_]} against background",
            "Above the dashed line the class beats the background. The deeper the colour, the "
            "more voxels (logarithmic). Voxels of the class that sink below the line in test "
            "subjects, but not in training subjects, are the shift.",
            partial(joint.draw, block, class_),
        )


def _predictions(block: Block) -> Iterator[Plan]:
    yield Plan(
        "overlap",
        "overlap",
        "Overlap of every test subject",
        "Each dot is a subject (mean over seeds), at the same sideways place in every column. "
        "The baseline is black.",
        partial(overlap.draw, block),
    )
    for number in range(1, len(block.panels) + 1):
        yield Plan(
            f"panel-{number}",
            "panel",
            f"Test subject {number}",
            f"The axial slice with most rare-class voxels; seed {block.seeds[0]}. The white frame "
            "is what the other pictures show; the patient's left is on the left, anterior is up. "
            "Margin maps: above 0 the network says rare class; the outline is the truth.",
            partial(panel.draw, block, number),
        )
    yield Plan(
        "curves",
        "curves",
        "Training curves",
        "Losses of different objectives are not on one scale: compare their course, not their "
        "height.",
        partial(curves.draw, block.history, block.methods, "dice"),
    )

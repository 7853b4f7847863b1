"""The figures of a block, each drawn by the module of its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from rarelens.reporting import style
from rarelens.reporting.block import Block
from rarelens.reporting.figures import curves, joint, margins, overlap, panel, shift


@dataclass(frozen=True)
class Drawn:
    """A figure on disk.

    Attributes:
        kind: shift, margins, joint, overlap, panel or curves.
        title: its heading.
        caption: what the reader sees and how to read it.
        alt: the same for those who do not see it, in short.
        file: the PNG.
    """

    kind: str
    title: str
    caption: str
    alt: str
    file: Path


def write_figures(block: Block, folder: Path, dpi: int) -> list[Drawn]:
    """Draw every figure of a block as ``<folder>/<block>-<figure>.png``.

    Args:
        block: what is drawn.
        folder: an existing folder.
        dpi: dots per inch.

    Returns:
        The figures in the order of the report.
    """
    written = []
    for name, kind, title, caption, draw in _figures(block):
        file = folder / f"{block.name}-{name}.png"
        with style.styled():
            style.save(draw(), file, dpi)
        alt = f"{title}: {block.title}; methods {', '.join(block.methods)}."
        written.append(Drawn(kind, title, caption, alt, file))
    return written


Plan = tuple[str, str, str, str, Callable[[], Figure]]


def _figures(block: Block) -> Iterator[Plan]:
    """Name, kind, title, caption and drawing of each figure."""
    yield (
        "shift",
        "shift",
        "Logit shift by class",
        "Mean over subjects and seeds, with interval. Left of 0, the voxels of test subjects lie "
        "nearer the decision boundary, or further beyond it, than those of training subjects.",
        partial(shift.draw, block),
    )
    yield (
        "margins",
        "margins",
        "Logit margins, training and test",
        "Voxels of all subjects and seeds. What lies in the grey zone, left of the dashed line, "
        "is misclassified. The number is the difference of the two means marked by triangles; "
        "here large structures weigh more, for they have more voxels.",
        partial(margins.draw, block),
    )
    for class_ in margins.shown_classes(block)[:-1]:
        yield (
            f"joint-{class_}",
            "joint",
            f"Logits of {block.classes[class_]} against background",
            "Above the dashed line the class beats the background. The deeper the colour, the "
            "more voxels (logarithmic). Voxels of the class that sink below the line in test "
            "subjects, but not in training subjects, are the shift.",
            partial(joint.draw, block, class_),
        )
    yield (
        "overlap",
        "overlap",
        "Overlap of every test subject",
        "Each dot is a subject (mean over seeds), at the same sideways place in every column. "
        "The baseline is black.",
        partial(overlap.draw, block),
    )
    for number in range(1, len(block.panels) + 1):
        yield (
            f"panel-{number}",
            "panel",
            f"Test subject {number}",
            f"The axial slice with most rare-class voxels; seed {block.seeds[0]}. The white frame "
            "is what the other pictures show; the patient's left is on the left, anterior is up. "
            "Margin maps: above 0 the network says rare class; the outline is the truth.",
            partial(panel.draw, block, number),
        )
    yield (
        "curves",
        "curves",
        "Training curves",
        "Losses of different objectives are not on one scale: compare their course, not their "
        "height.",
        partial(curves.draw, block),
    )

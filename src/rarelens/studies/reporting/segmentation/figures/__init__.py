"""The figures of a section, each drawn by the module of its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rarelens.studies.reporting import curves
from rarelens.studies.reporting.figures import FigureWriter, PageFigure
from rarelens.studies.reporting.segmentation.figures import (
    gap,
    intervals,
    joint,
    lesions,
    margins,
    overlap,
    panel,
)
from rarelens.studies.reporting.segmentation.results import SegmentationResults


def write_figures(results: SegmentationResults, folder: Path, dpi: int) -> list[PageFigure]:
    """Draw every figure of a section into an existing folder, in the order of the page."""
    write = FigureWriter(results, list(results.methods), folder, dpi)
    return list(_figures(results, write))


def _figures(results: SegmentationResults, write: FigureWriter) -> Iterator[PageFigure]:
    for name, own in intervals.FIGURES.items():
        yield write(
            intervals.draw, own.title, own.caption, own, name=name,
            numbers=intervals.numbers, chart=intervals.chart,
        )  # fmt: skip
    yield write(
        margins.draw,
        "Logit margins, training and test",
        "Voxels of all subjects and seeds. What lies in the grey zone, left of the dashed line, "
        "is misclassified. The number is the difference of the two means marked by triangles; "
        "here large structures weigh more, for they have more voxels.",
        numbers=margins.numbers,
        chart=margins.chart,
        columns=True,
    )
    if gap.followed(results):
        yield write(
            gap.draw,
            "Margins through training",
            "Mean margin on patches that stay the same from the first epoch to the last, of "
            "training and of validation subjects: where the lines part, the network begins to fit "
            "the class in its training subjects only. Below the dashed line a mean voxel is "
            "misclassified.",
            numbers=gap.numbers,
            columns=True,
        )
    for class_ in results.drawn:
        yield write(
            joint.draw,
            f"Logits of {results.classes[class_]} against background",
            "Above the dashed line the class beats the background. The deeper the colour, the "
            "more voxels (logarithmic). Voxels of the class that sink below the line in test "
            "subjects, but not in training subjects, are the shift.",
            class_,
            name=f"joint-{class_}",
            numbers=joint.numbers,
            columns=True,
        )
    for class_ in results.drawn:
        yield write(
            lesions.draw,
            f"{results.classes[class_]} by lesion and size",
            "A lesion is a connected component of the truth; the quarters are those of the volumes "
            "in the test subjects. Means over a subject's lesions, then over subjects and seeds. "
            "Small lesions whose margin lies below 0 in test subjects alone are what is lost.",
            class_,
            name=f"lesions-{class_}",
            numbers=lesions.numbers,
            columns=True,
        )
    yield write(
        overlap.draw,
        "Overlap of every test subject",
        "Each dot is a subject (mean over seeds), at the same sideways place in every column. "
        "The baseline is black.",
        numbers=overlap.numbers,
    )
    for number in range(1, len(results.panels) + 1):
        yield write(
            panel.draw,
            f"Test subject {number}",
            f"The axial slice with most rare-class voxels; seed {results.seeds[0]}. The white "
            "frame is what the other pictures show; the patient's left is on the left, anterior "
            "is up. Margin maps: above 0 the network says rare class; the outline is the truth.",
            number,
            name=f"panel-{number}",
            vector=False,
            columns=True,
        )
    yield write(curves.draw, *curves.WORDS, numbers=curves.numbers, columns=True)

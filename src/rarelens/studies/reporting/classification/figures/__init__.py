"""The figures of a section, each drawn by the module of its name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rarelens.studies.reporting import curves
from rarelens.studies.reporting.classification.figures import (
    cka,
    concepts,
    prevalence,
    question,
    reliability,
    saliency,
    shift,
    units,
)
from rarelens.studies.reporting.classification.results import ClassificationResults
from rarelens.studies.reporting.figures import FigureWriter, PageFigure
from rarelens.studies.reporting.number_text import words


def write_figures(results: ClassificationResults, folder: Path, dpi: int) -> list[PageFigure]:
    """Draw every figure of a section into an existing folder, in the order of the page.

    What answers the study's question comes first.
    """
    write = FigureWriter(results, [words(method) for method in results.methods], folder, dpi)
    return list(_figures(results, write))


def _figures(results: ClassificationResults, write: FigureWriter) -> Iterator[PageFigure]:
    if results.pairs:
        yield write(
            question.draw,
            "Pairs of methods: performance against what is inside",
            "Every cross is a pair, written so that the first performs better; its arms are the "
            "intervals. Coloured pairs show no significant difference in AUROC and AP: those "
            "far from the horizontal line look elsewhere nevertheless. Right: how alike the "
            "features are; the grey bar is what two seeds of the same method reach. Numbers are "
            "those of the table above.",
            numbers=question.numbers,
            chart=question.chart,
        )
    yield write(
        prevalence.draw,
        "Performance of each class against its prevalence",
        "From rare (left) to frequent. The dashed line is guessing. Markers of a class stand "
        "beside one another, so that equal values can be seen.",
        numbers=prevalence.numbers,
        chart=prevalence.chart,
    )
    if results.panels:
        yield write(
            saliency.draw,
            f"Saliency ({words(results.saliency)}) beside the finding",
            "A row is an image and a finding present in it, chosen from the data alone, rare "
            f"classes first; seed {results.seeds[0]}. Where the method looks at the finding, the "
            "bright part lies within the outline. Below each map the logit: above 0 the "
            "finding is called present.",
            numbers=saliency.numbers,
            vector=False,
            columns=True,
        )
    if any(results.examples.values()):
        yield write(
            units.draw,
            "Units that detect a finding",
            "The images that excite a unit most, for the best detector of each method (by the "
            "rule or beyond chance) and the best of another finding, if any; seed "
            f"{results.seeds[0]}. A unit that has learnt the finding is active within the "
            "outline, and only there.",
            numbers=units.numbers,
            vector=False,
            columns=True,
        )
    yield write(
        concepts.draw,
        "Detectors of each finding",
        "How many units detect it, from frequent to rare findings; the baseline is black. "
        "Diamonds count units beyond chance, which can be more: a large finding cannot reach "
        "the fixed threshold of the rule.",
        numbers=concepts.numbers,
    )
    if results.pairs:
        yield write(
            cka.draw,
            "Likeness of the features",
            "CKA of two methods, from the same images. The framed diagonal is the noise floor: "
            "two seeds of the same method. A pair differs where its number is below those of "
            "its two methods; ? is undefined (a single seed).",
            numbers=cka.numbers,
        )
    yield write(
        reliability.draw,
        "Reliability diagrams",
        "A line a class, in bins with equally many test images, pooled over seeds. Below the "
        "dashed line the method is overconfident. Above, as the network predicts; beneath, "
        "after calibration on validation images.",
        numbers=reliability.numbers,
        columns=True,
    )
    yield write(
        shift.draw,
        "Logit shift of each class",
        "Mean over seeds; the line spans the seeds. Left of 0, test images lie nearer the "
        "decision boundary, or further beyond it, than those the network was trained on.",
        numbers=shift.numbers,
    )
    yield write(curves.draw, *curves.WORDS, numbers=curves.numbers, columns=True)

"""What each number of the page means: the catalogue's terms, and those of the page itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from rarelens.studies import catalogue
from rarelens.studies.catalogue import DETECTOR, Term

_SPREAD = Term(
    "±",
    "The standard deviation of the means of the seeds: how much a repetition of the training "
    "changes the number.",
)

# By the name of the measure's term that they follow.
_BETWEEN: Mapping[str, tuple[Term, ...]] = {
    "AP, AP / prevalence": (
        Term(
            "Head, mid, tail",
            "Classes parted by their prevalence in the training images: frequent, in between, "
            "rare; undefined where no class falls there.",
        ),
        Term(
            "Undefined",
            "A number that does not exist: for example AUROC of a class of which the test images "
            "are all positive or all negative. It enters no mean and stands for neither 0 nor a "
            "guess.",
        ),
    ),
    "ECE": (
        Term(
            "Saliency map",
            "Which places of an image speak for a finding, by the first attribution method of the "
            "study, one map per image and present finding. Each is scaled to 0 to 1; a map that "
            "is 0 everywhere stays so and counts.",
        ),
    ),
    "Soft IoU": (
        Term(
            "Controls",
            "The same measures for maps that know nothing of the finding: from the same network "
            "with random weights, a blob at the image's centre, and the same value everywhere. "
            "Alignment is evidence only as far as it exceeds them.",
        ),
    ),
}
# Margins of labels close the list, as their figure closes the section.
_LAST = "Logit margin and shift of a label"

_STATISTICS: Mapping[str, tuple[Term, ...]] = {
    "segmentation": (
        Term(
            "Interval",
            "For the next training and the next patient: seeds and test patients are both random, "
            "and crossed; each part of the error has a Student's t of its own. Of a shift the "
            "patients of both sides are resampled.",
        ),
        Term(
            "Difference",
            "Method minus baseline, paired: the same seed (thus the same training subjects), the "
            "same test subject.",
        ),
        Term(
            "p (Holm)",
            "That the difference is 0, by the t of the interval, corrected by Holm over every "
            "claim of this page. With fewer than three seeds there is none.",
        ),
        Term(
            "Win / tie / loss",
            "On how many test subjects the method's Dice is above, equal to and below the "
            "baseline's.",
        ),
        DETECTOR,
    ),
    "classification": (
        Term(
            "Interval of a classifier",
            "For AUROC, AP and alignment: for the next training and the next patient, from the "
            "seeds' values and resampled patients (all images of one together; Obuchowski and "
            "Rockette). For counts of units, effective rank and linear probe Student's t over "
            "seeds, from three seeds on.",
        ),
        Term(
            "Difference, p (Holm) of classifiers",
            "Method minus baseline (or first minus second of a pair), paired by seed and patient; "
            "p corrected by Holm over every claim of this page. With fewer than three seeds there "
            "is none.",
        ),
    ),
}


def glossary(tasks: Collection[str]) -> list[Term]:
    """The terms of the studies that the page shows, each once."""
    return list(dict.fromkeys([_SPREAD, *(term for task in tasks for term in _of(task))]))


def _of(task: str) -> Iterator[Term]:
    for term in sorted(catalogue.glossary(task), key=lambda term: term.name == _LAST):
        yield term
        yield from _BETWEEN.get(term.name, ())
    yield from _STATISTICS[task]

"""The classification study in three sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rarelens.studies.reporting.answer import NO_CLAIM, differing
from rarelens.studies.reporting.classification.results import ClassificationResults


def answer(study: Sequence[ClassificationResults]) -> list[str]:
    """The methods' AUROC, where they look, and pairs that perform alike and differ inside."""
    if not all(own.enough_seeds("auroc", ["mean"]) for own in study):
        return [NO_CLAIM]
    told = [
        differing(study, "auroc", "Mean AUROC", "comparison", _mean),
        differing(
            study,
            "energy_inside",
            "The saliency maps' energy inside findings",
            "comparison",
            _mean,
        ),
        _pairs(study),
    ]
    return [sentence for sentence in told if sentence]


def _mean(_: ClassificationResults) -> list[str]:
    return ["mean"]


def _pairs(study: Sequence[ClassificationResults]) -> str:
    pairs = [pair for own in study for pair in own.pairs]
    if not pairs:
        return ""
    alike = [pair for pair in pairs if pair.answer.performance == "equivalent"]
    hidden = sum(pair.answer.hidden for pair in pairs)
    inside = sum(pair.answer.inside for pair in pairs)
    where = "in alignment, units or features"
    if len(pairs) == 1:
        alike_text = "are" if alike else "are not"
        inside_text = "differ" if inside else "are not shown to differ"
        link = "and" if bool(alike) == bool(inside) else "but"
        return (
            f"The two methods {alike_text} shown to perform equivalently by AUROC and AP, {link} "
            f"{inside_text} significantly inside ({where})."
        )
    every = f"{len(pairs)} pairs of methods"
    if not alike:
        differing_inside = f"{inside or 'none'} of them {'differs' if inside <= 1 else 'differ'}"
        return (
            f"None of the {every} is shown to perform equivalently by AUROC and AP; "
            f"{differing_inside} significantly inside ({where})."
        )
    shown = f"{len(alike)} of the {every} {'performs' if len(alike) == 1 else 'perform'}"
    return (
        f"{shown} equivalently by AUROC and AP; of these {hidden or 'none'} "
        f"{'differs' if hidden <= 1 else 'differ'} significantly inside ({where}), of all pairs "
        f"{inside or 'none'}."
    )

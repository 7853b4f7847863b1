"""The classification study in three sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rarelens.studies.reporting.answer import NO_CLAIM, differing, many
from rarelens.studies.reporting.classification.results import ClassificationResults


def answer(study: Sequence[ClassificationResults]) -> list[str]:
    """The methods' AUROC, where they look, and pairs that perform alike and differ inside."""
    if not all(own.enough_seeds("auroc", ["mean"]) for own in study):
        return [NO_CLAIM]
    told = [
        differing(study, "auroc", "Mean AUROC", _mean),
        differing(study, "energy_inside", "The saliency maps' energy inside findings", _mean),
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
    return (
        f"Of {many(len(pairs), 'pair')} of methods, {len(alike)} perform equivalently by AUROC and "
        f"AP. Of these {hidden} differ significantly inside (in alignment, units or features), of "
        f"all {inside}."
    )

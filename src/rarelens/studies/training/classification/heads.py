"""The retraining of a head, from parameters."""

from __future__ import annotations

from rarelens.components.contracts import Retraining
from rarelens.studies.building import build
from rarelens.studies.settings.methods import Adjustment


def check_retraining(name: str, settings: Adjustment) -> None:
    """Build a retraining of the head.

    Raises:
        RarelensError: if there is no such retraining, or it does not take its options.
    """
    build_retraining(name, settings)


def build_retraining(name: str, settings: Adjustment) -> Retraining:
    """The retraining of ``settings``, a file of `rarelens.components.retraining`.

    Raises:
        RarelensError: if there is no such retraining, or it does not take its options.
    """
    path = f"adjustments.classification.{name}"
    retraining: Retraining = build("retraining", settings.adjustment, settings.options, path, {})
    return retraining

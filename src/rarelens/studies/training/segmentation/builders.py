"""Objective and regularisers from parameters."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial

import torch

from rarelens.components.contracts import KEPT, GivenForSegmentation
from rarelens.components.objectives._labels import LabelLoss
from rarelens.errors import RarelensError
from rarelens.studies.building import build, check_loss, find, needs
from rarelens.studies.settings.methods import Method
from rarelens.studies.training.segmentation.losses import StepLosses

# No options of the user's.
GIVEN = (*GivenForSegmentation.__annotations__, *KEPT)


def check_method(name: str, method: Method) -> None:
    """Build a method as if for two classes, the second of them rare, and try its objective.

    Raises:
        RarelensError: if parts of the method do not exist, do not take their options, or do not
            fit together, or if the objective is no number.
    """
    losses = build_losses(name, method, class_counts=(1, 1), rare=(1,))
    logits, target = torch.zeros(2, 2, 8, 8, 8), torch.zeros(2, 8, 8, 8, dtype=torch.long)
    target[:, 2:6, 2:6, 2:6] = 1
    check_loss(losses.objective(logits, target), f"methods.segmentation.{name}")


def _check_asymmetric(path: str, method: Method) -> None:
    """Refuse ``asymmetric`` where nothing takes the rare classes."""
    named = [method.objective, *(loss.objective for loss in method.losses)]
    wrong = []
    if method.asymmetric and not any(_takes_rare("objectives", each) for each in named):
        wrong.append((path, method.objective))
    for kind, regulariser in method.regularisers.items():
        if regulariser.asymmetric and not _takes_rare("regularisers", kind):
            wrong.append((f"{path}.regularisers.{kind}", kind))
    if wrong:
        raise RarelensError(
            *(
                f"params.yaml: {at}.asymmetric: {kind} has no asymmetric form; set false"
                for at, kind in wrong
            )
        )


def _check_task(path: str, method: Method) -> None:
    """Refuse losses of labels, which the classification study has."""
    problems = []
    for key, objective in method.objectives.items():
        component = find("objectives", objective, f"{path}.{key}")
        if inspect.isclass(component) and issubclass(component, LabelLoss):
            problems.append(
                f"params.yaml: {path}.{key}: {objective} is for the classification study; choose "
                "an objective for segmentation"
            )
    if problems:
        raise RarelensError(*problems)


def _check_losses(path: str, method: Method) -> None:
    """Losses belong to a compound, and a compound stands nowhere else."""
    path = f"params.yaml: {path}"
    if _is_compound(method.objective) and not method.losses:
        raise RarelensError(f"{path}.losses: missing; {method.objective} needs at least one")
    if method.losses and not _is_compound(method.objective):
        raise RarelensError(
            f"{path}.losses: {method.objective} takes no losses; remove them, or choose the "
            "objective compound"
        )
    for number, loss in enumerate(method.losses):
        if _is_compound(loss.objective):
            raise RarelensError(
                f"{path}.losses.{number}.objective: {loss.objective} within a compound; name its "
                "losses here instead"
            )
    if method.base is not None and _is_compound(method.base):
        raise RarelensError(f"{path}.base: {method.base} needs losses; choose a single loss")


def _is_compound(objective: str) -> bool:
    return bool(needs(find("objectives", objective), ["losses"]))


def _takes_rare(package: str, kind: str) -> bool:
    return bool(needs(find(package, kind), ["rare_classes"]))


def build_losses(
    name: str, method: Method, class_counts: Sequence[int], rare: Sequence[int]
) -> StepLosses:
    """What a step of this method minimises.

    Args:
        name: the method, for messages.
        method: its parameters.
        class_counts: voxels of each class in the training subset.
        rare: the dataset's rare classes, given to what is asymmetric.

    Raises:
        RarelensError: if parts of the method do not exist, or do not fit together.
    """
    path = f"methods.segmentation.{name}"
    _check_task(path, method)
    _check_losses(path, method)
    _check_asymmetric(path, method)
    given: GivenForSegmentation = {
        "class_counts": list(class_counts),
        # A class that the subset lacks counts as one voxel: priors of 0 have no logarithm.
        "class_priors": [max(count, 1) / sum(class_counts) for count in class_counts],
        "classes": len(class_counts),
        "losses": [],
        "rare_classes": list(rare) if method.asymmetric else None,
    }
    make = partial(build, kept=GIVEN)
    given["losses"] = [
        make("objectives", loss.objective, loss.options, f"{path}.losses.{number}", given)
        for number, loss in enumerate(method.losses)
    ]
    objective = make("objectives", method.objective, method.options, path, given)
    chosen = method.base_objective
    base = make("objectives", chosen, {}, f"{path}.base", given) if chosen else None
    regularisers = []
    for kind, settings in method.regularisers.items():
        own = {**given, "rare_classes": list(rare) if settings.asymmetric else None}
        at = f"{path}.regularisers.{kind}"
        regularisers.append(make("regularisers", kind, settings.options, at, own))
    clean_statistics = method.running_statistics == "clean_pass"
    return StepLosses(objective, base, regularisers, clean_statistics)

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from rarelens.components.objectives import FocalLoss
from rarelens.errors import RarelensError
from rarelens.studies.settings.methods import Method
from rarelens.studies.training.segmentation.builders import (
    build_losses,
    check_method,
)
from rarelens.studies.training.segmentation.job import SegmentationJob

MakeJob = Callable[..., SegmentationJob]


def test_rare_classes_go_to_asymmetric_methods_only() -> None:
    given = [
        build_losses("m", Method(objective="focal", asymmetric=flag), [9, 1, 1], [2]).objective
        for flag in (True, False)
    ]
    assert given[0].rare_classes == [2]
    assert given[1].rare_classes == ()


def test_an_objective_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_method("m", Method(objective="focal"))
    monkeypatch.setattr(FocalLoss, "forward", lambda _, logits, target: logits[:, 0] * target)
    with pytest.raises(RarelensError, match=r"segmentation\.m: the loss .* shape \[2, 8, 8, 8\]; "):
        check_method("m", Method(objective="focal"))


ADVERSARIAL = {"adversarial": {"epsilon": 1.0}}
TERMS = ({"objective": "focal"}, {"objective": "focal_dice"})


@pytest.mark.parametrize(
    ("method", "base"),
    [
        ({"objective": "focal"}, None),
        ({"objective": "focal", "regularisers": ADVERSARIAL}, "CrossEntropyLoss"),
        ({"objective": "compound", "losses": TERMS}, None),
        (
            {"objective": "compound", "losses": TERMS, "regularisers": ADVERSARIAL},
            "DiceCrossEntropyLoss",
        ),
        ({"objective": "dice_cross_entropy", "regularisers": ADVERSARIAL}, "DiceCrossEntropyLoss"),
        (
            {"objective": "compound", "losses": TERMS, "regularisers": ADVERSARIAL, "base": "dice"},
            "DiceLoss",
        ),
    ],
)
def test_base_is_cross_entropy_and_beside_overlaps_dice_with_it(
    method: dict, base: str | None
) -> None:
    built = build_losses("m", Method(**method), [9, 1], [1]).base
    assert (None if built is None else type(built).__name__) == base


def test_class_counts_decide_the_weights() -> None:
    logits = torch.zeros(1, 3, 3, 1, 1)
    target = torch.tensor([0, 1, 2]).view(1, 3, 1, 1)
    method = Method(objective="weighted_cross_entropy", power=1.0)
    # Weights 1/n, normalised to mean 1; every term of the loss is log 3.
    loss = build_losses("m", method, [4, 2, 1], [1]).objective(logits, target)
    assert loss.item() == pytest.approx(math.log(3), rel=1e-6)
    only_last = build_losses("m", method, [4, 2, 1], [1]).objective(
        logits[:, :, :1], torch.full((1, 1, 1, 1), 2)
    )
    assert only_last.item() == pytest.approx(math.log(3) * 3 / (1 + 0.5 + 0.25), rel=1e-6)


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ({"objective": "nothing"}, "there is no 'nothing'; choose one of"),
        ({"objective": "focal", "gama": 1.0}, r"methods.segmentation.mine.gama: unknown key"),
        ({"objective": "focal", "gamma": -1.0}, r"methods.segmentation.mine.gamma: .* not -1.0"),
        ({"objective": "cross_entropy", "asymmetric": True}, "has no asymmetric form; set false"),
        ({"objective": "focal", "rare_classes": [1]}, r"mine.rare_classes: unknown key"),
        ({"objective": "compound"}, r"^params.yaml: methods.segmentation.mine.losses: missing;"),
        ({"objective": "focal", "base": "compound"}, r"mine.base: compound needs losses"),
        ({"objective": "focal", "losses": ({"objective": "ldam"},)}, "mine.losses: focal takes no"),
        (
            {"objective": "compound", "losses": ({"objective": "compound"},)},
            "mine.losses.0.objective: compound within a compound",
        ),
        (
            {"objective": "compound", "losses": ({"objective": "focal"},), "weights": [1.0, 1.0]},
            "mine: compound: there are 1 losses and 2 weights",
        ),
    ],
)
def test_impossible_methods_are_refused(method: dict, sentence: str) -> None:
    with pytest.raises(RarelensError, match=sentence):
        check_method("mine", Method(**method))

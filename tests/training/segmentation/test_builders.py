from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from rarelens.config.methods import Method
from rarelens.errors import RarelensError
from rarelens.training.builders import (
    build_optimiser,
    build_schedule,
    build_terms,
    check_method,
)
from rarelens.training.job import Job

MakeJob = Callable[..., Job]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1, 1]),
        ("polynomial", [1, 0.75**0.9, 0.5**0.9, 0.25**0.9, 0]),
        ("cosine", [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0]),
    ],
)
def test_schedules_by_hand(make_job: MakeJob, schedule: str, expected: list[float]) -> None:
    settings = make_job(steps=4, schedule=schedule, learning_rate=0.2).settings
    network = torch.nn.Linear(1, 1)
    optimiser = build_optimiser(network, settings)
    schedule_ = build_schedule(optimiser, settings, settings.steps)
    rates = []
    for _ in range(5):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule_.step()
    assert rates == pytest.approx([0.2 * factor for factor in expected])


@pytest.mark.parametrize(("name", "kind"), [("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)])
def test_optimisers_take_their_settings(make_job: MakeJob, name: str, kind: type) -> None:
    settings = make_job(optimiser=name, learning_rate=0.3, weight_decay=0.02).settings
    optimiser = build_optimiser(torch.nn.Linear(1, 1), settings)
    assert isinstance(optimiser, kind)
    assert (optimiser.defaults["lr"], optimiser.defaults["weight_decay"]) == (0.3, 0.02)
    if name == "sgd":
        assert (optimiser.defaults["momentum"], optimiser.defaults["nesterov"]) == (0.99, True)


def test_rare_classes_go_to_asymmetric_methods_only() -> None:
    given = [
        build_terms("m", Method(objective="focal", asymmetric=flag), [9, 1, 1], [2]).objective
        for flag in (True, False)
    ]
    assert given[0].rare_classes == [2]
    assert given[1].rare_classes == ()


def test_class_counts_decide_the_weights() -> None:
    logits = torch.zeros(1, 3, 3, 1, 1)
    target = torch.tensor([0, 1, 2]).view(1, 3, 1, 1)
    method = Method(objective="weighted_cross_entropy", power=1.0)
    # Weights 1/n, normalised to mean 1; every term of the loss is log 3.
    loss = build_terms("m", method, [4, 2, 1], [1]).objective(logits, target)
    assert loss.item() == pytest.approx(math.log(3), rel=1e-6)
    only_last = build_terms("m", method, [4, 2, 1], [1]).objective(
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

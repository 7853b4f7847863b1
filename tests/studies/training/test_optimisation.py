from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from rarelens.studies.training.optimisation import build_optimiser, build_schedule
from rarelens.studies.training.segmentation.job import SegmentationJob

MakeJob = Callable[..., SegmentationJob]


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
    optimiser = build_optimiser(network, torch.nn.Identity(), settings)
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
    optimiser = build_optimiser(torch.nn.Linear(1, 1), torch.nn.Identity(), settings)
    assert isinstance(optimiser, kind)
    assert (optimiser.defaults["lr"], optimiser.defaults["weight_decay"]) == (0.3, 0.02)
    if name == "sgd":
        assert (optimiser.defaults["momentum"], optimiser.defaults["nesterov"]) == (0.99, True)


def test_an_objective_learns_without_weight_decay(make_job: MakeJob) -> None:
    settings = make_job(weight_decay=0.02).settings
    network, objective = torch.nn.Linear(1, 1), torch.nn.Linear(2, 1)
    groups = build_optimiser(network, objective, settings).param_groups
    assert [len(group["params"]) for group in groups] == [2, 2]
    assert [group["weight_decay"] for group in groups] == [0.02, 0.0]
    assert groups[1]["params"][0] is objective.weight

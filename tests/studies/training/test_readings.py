from __future__ import annotations

import math

import pytest
import torch

from rarelens.studies.training.readings import Readings

LOSSES = [0.7, 1.1, 0.3]


def refuse(what: str, step: int) -> ValueError:
    return ValueError(f"{what} of step {step}")


def filled(at_once: bool) -> Readings:
    readings = Readings(at_once, refuse)
    for step, loss in enumerate(LOSSES):
        readings.add("loss", step, torch.tensor(loss, requires_grad=True))
        readings.add("loss", step, torch.tensor(2 * loss))
        readings.add("gradient", step, torch.tensor(100.0))
    return readings


@pytest.mark.parametrize("at_once", [True, False])
def test_losses_are_summed_over_a_step_and_averaged_over_steps(at_once: bool) -> None:
    # As `.item()` gives them, added in float64.
    single = [torch.tensor(loss).item() + torch.tensor(2 * loss).item() for loss in LOSSES]
    readings = filled(at_once)
    assert readings.mean_loss() == sum(single) / 3
    assert readings.last == single[-1]
    readings.add("loss", 3, torch.tensor(5.0))
    assert readings.mean_loss() == 5.0


def test_nothing_is_read_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("a GPU would be waited for")

    with monkeypatch.context() as patch:
        for name in ("item", "tolist", "__float__", "__bool__", "cpu"):
            patch.setattr(torch.Tensor, name, read)
        readings = filled(at_once=False)
    assert math.isnan(readings.last)
    assert readings.mean_loss() > 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_the_first_that_is_not_finite_is_told_late(bad: float) -> None:
    readings = filled(at_once=False)
    readings.add("gradient", 3, torch.tensor(bad))
    readings.add("loss", 4, torch.tensor(math.nan))
    with pytest.raises(ValueError, match="gradient of step 3"):
        readings.mean_loss()


def test_on_a_cpu_it_is_told_at_once() -> None:
    readings = filled(at_once=True)
    with pytest.raises(ValueError, match="loss of step 3"):
        readings.add("loss", 3, torch.tensor(math.nan))

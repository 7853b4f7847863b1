from __future__ import annotations

import pytest
import torch
from torch import nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.classification.random_weights import with_random_weights


def test_every_weight_is_drawn_anew_and_statistics_are_reset(network) -> None:
    control = with_random_weights(network, 0)
    for key, value in control.state_dict().items():
        changed = not torch.equal(value, network.state_dict()[key])
        assert changed or key in {
            "block.1.weight", "block.1.bias", "block.1.running_var", "block.1.num_batches_tracked"
        }  # fmt: skip
    assert control.block[1].running_mean.abs().max() == 0
    assert not control.training


def test_the_control_depends_on_the_seed_and_not_on_the_model(network) -> None:
    first = with_random_weights(network, 0).state_dict()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    torch.manual_seed(99)
    same, other = with_random_weights(network, 0), with_random_weights(network, 1)
    assert all(torch.equal(value, same.state_dict()[key]) for key, value in first.items())
    assert not torch.equal(first["stem.weight"], other.stem.weight)


def test_the_model_and_the_random_state_stay(network) -> None:
    before = {key: value.clone() for key, value in network.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    with_random_weights(network, 0)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_weights_that_cannot_be_drawn_anew_are_an_error() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(RarelensError, match="Sequential: 1 holds weights of its own"):
        with_random_weights(nn.Sequential(nn.Linear(1, 1), Scaled()), 0)

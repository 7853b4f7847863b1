"""What a model's weights are checked against."""

from __future__ import annotations

import torch

from rarelens.components.networks.light_cnn import LightCNN
from rarelens.studies.models.storage import without_numbers


def test_a_network_without_numbers_has_its_shapes_and_draws_nothing():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    with without_numbers():
        empty = LightCNN(1, 3)
    assert torch.equal(torch.get_rng_state(), state)
    full = LightCNN(1, 3)
    assert all(value.is_meta for value in empty.state_dict().values())
    shapes = [
        {name: tuple(value.shape) for name, value in network.state_dict().items()}
        for network in (empty, full)
    ]
    assert shapes[0] == shapes[1]
    # Outside, weights are drawn as ever.
    assert full.stage1[0].weight.std() > 0

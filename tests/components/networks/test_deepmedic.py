from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarelens.components.networks._tiles import segment_wise
from rarelens.components.networks.deepmedic import DeepMedic
from rarelens.errors import RarelensError
from rarelens.studies.building import check_options, find

SMALL = {"widths": (3,) * 8, "hidden": (6,)}


def build(**options: object) -> DeepMedic:
    """In evaluation mode, with batch statistics that are not 0 and 1."""
    torch.manual_seed(0)
    network = DeepMedic(1, 3, **(SMALL | options)).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
    return network


def positive(**options: object) -> DeepMedic:
    """One feature per layer and no negative weight, so that no path through it is blocked."""
    network = DeepMedic(1, 1, widths=(1,) * 8, hidden=(1,), **options).double().eval()
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    return network


def receptive_field(network: DeepMedic, size: int, voxel: int) -> list[tuple[int, int]]:
    """The voxels of the image that one voxel of the logits sees: first and last, each axis."""
    images = torch.rand(1, 1, *[size + 2 * network.context] * 3, dtype=torch.float64)
    images.requires_grad_()
    network(images)[0, 0, voxel, voxel, voxel].backward()
    where = images.grad[0, 0].nonzero() - network.context
    assert len(where) == (where.amax(0) - where.amin(0) + 1).prod()
    return list(zip(where.amin(0).tolist(), where.amax(0).tolist(), strict=True))


def test_full_resolution_pathway_sees_17_voxels_around_its_own() -> None:
    network = positive(factors=(1,))
    assert network.context == 8
    assert receptive_field(network, 5, 2) == [(2 - 8, 2 + 8)] * 3


@pytest.mark.parametrize(("factor", "field"), [(3, 51), (5, 85)])
def test_coarse_pathway_sees_17_blocks_around_its_own(factor: int, field: int) -> None:
    network = positive(factors=(factor,))
    # Voxel 7 lies in block 2 of ÷3 and block 1 of ÷5.
    own = 7 // factor * factor
    first, last = own - 8 * factor, own + 9 * factor - 1
    assert last - first + 1 == field
    assert receptive_field(network, 15, 7) == [(first, last)] * 3


def test_whole_network_sees_85_voxels_and_no_voxel_of_the_patch_is_beyond_use() -> None:
    network = positive()
    assert network.context == 42
    assert receptive_field(network, 15, 7) == [(5 - 40, 5 + 45 - 1)] * 3
    # 21 is no multiple of 5: blocks reach 2 voxels past the logits on both sides.
    assert receptive_field(network, 21, 0)[0][0] == -42
    assert receptive_field(network, 21, 20)[0][1] == 20 + 42


def test_perturbation_outside_the_receptive_field_does_not_reach_a_voxel() -> None:
    network = positive()
    images = torch.rand(1, 1, *[15 + 2 * 42] * 3, dtype=torch.float64)
    with torch.no_grad():
        before = network(images)[0, :, 7, 7, 7]
        outside, inside = images.clone(), images.clone()
        outside[..., 42 - 36] += 5.0
        inside[..., 42 - 35] += 5.0
        assert torch.equal(network(outside)[0, :, 7, 7, 7], before)
        assert not torch.equal(network(inside)[0, :, 7, 7, 7], before)


def test_coarse_pathway_is_fed_block_means_and_repeated() -> None:
    # A pathway that copies the middle voxel shows what reaches it.
    network = DeepMedic(1, 1, widths=(1, 1), factors=(3,), hidden=(1,), training_segment=5).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.zeros_(module.weight)
            module.weight.data[0, 0, *(k // 2 for k in module.kernel_size)] = 1
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    size, context = 6, network.context
    images = torch.rand(1, 1, *[size + 2 * context] * 3)
    with torch.no_grad():
        logits = network(images)[0, 0]
    middle = images[0, 0, *[slice(context, context + size)] * 3]
    means = nn.functional.avg_pool3d(middle[None, None], 3)
    expected = nn.functional.interpolate(means, scale_factor=3, mode="nearest")[0, 0]
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("segment", "side"), [(37, 21), (45, 29), (46, 30)])
def test_segments_of_the_paper_give_their_logits(segment: int, side: int) -> None:
    with torch.device("meta"):
        network = DeepMedic(2, 4, training_segment=segment, inference_segment=segment)
        assert network.training_patch == network.inference_patch == (side,) * 3
        images = torch.empty(2, 2, *[side + 2 * network.context] * 3)
        assert network(images).shape == (2, 4, side, side, side)


def test_axes_may_differ_in_size_and_factors_may_be_even() -> None:
    network = build(factors=(1, 2, 4))
    assert network.context == 8 * 4 + 2
    images = torch.rand(1, 1, 1 + 68, 7 + 68, 10 + 68)
    with torch.no_grad():
        assert network(images).shape == (1, 3, 1, 7, 10)


@pytest.fixture(scope="module")
def dense() -> tuple[DeepMedic, np.ndarray, np.ndarray]:
    """A network, a volume, and its logits computed at once."""
    network = build()
    image = np.random.default_rng(0).normal(size=(1, 37, 33, 20)).astype(np.float32)
    return network, image, segment_wise(network, image, (45, 45, 30), 1)


@pytest.mark.parametrize("side", [15, 30])
def test_tiles_of_multiples_of_15_equal_dense_inference(dense, side: int) -> None:
    network, image, whole = dense
    tiled = segment_wise(network, image, (side,) * 3, 2)
    assert tiled.shape == (3, 37, 33, 20)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)


def test_other_tiles_differ_a_little_by_where_blocks_begin(dense) -> None:
    network, image, whole = dense
    tiled = segment_wise(network, image, (29,) * 3, 2)
    difference = np.abs(tiled - whole)
    assert 1e-3 < difference.max() < whole.std()
    # The full-resolution pathway alone does not depend on the tiles.
    plain = build(factors=(1,))
    a, b = (segment_wise(plain, image, (side,) * 3, 2) for side in (29, 40))
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_segment_wise_inference_keeps_the_mode_and_is_in_evaluation(dense) -> None:
    network, image, whole = dense
    network.train()
    again = segment_wise(network, image, (45, 45, 30), 1)
    assert network.training
    network.eval()
    np.testing.assert_array_equal(again, whole)


def test_tile_is_the_network_on_its_own_surroundings_with_zeros_outside(dense) -> None:
    network, image, _ = dense
    tiled = segment_wise(network, image, (15,) * 3, 1)
    around = np.pad(image, [(0, 0)] + [(42, 42 + 15)] * 3)[:, 15:114, 15:114, :99]
    with torch.no_grad():
        own = network(torch.from_numpy(around)[None])[0].numpy()
    np.testing.assert_allclose(tiled[:, 15:30, 15:30, :15], own, rtol=0, atol=1e-5)


def test_residual_connections_add_the_input_of_the_layer_before() -> None:
    # Layers that give 0 leave only the connections: none before layer 4, which adds the input of
    # layer 3, and so on.
    network = build(widths=(2, 2, 2, 2, 3), factors=(1,), residual=True, training_segment=11)
    pathway = network.pathways[0]
    given: list[Tensor] = []
    for layer in pathway.layers:
        layer.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    images = torch.rand(1, 1, 13, 13, 13)
    with torch.no_grad():
        pathway(images)
        fourth = pathway.layers[3](given[3])
    expected = fourth + given[2][..., 2:-2, 2:-2, 2:-2]
    torch.testing.assert_close(given[4], expected)


def test_residual_connection_fills_up_missing_features() -> None:
    network = build(widths=(2, 2, 2, 5), factors=(1,), residual=True, training_segment=9)
    images = torch.rand(1, 1, 9, 9, 9)
    with torch.no_grad():
        assert network.pathways[0](images).shape == (1, 5, 1, 1, 1)


def test_dropout_acts_in_training_only() -> None:
    network = build(dropout=0.5, factors=(1,))
    images = torch.rand(2, 1, 21, 21, 21)
    assert torch.equal(network(images), network(images))
    network.train()
    assert not torch.equal(network(images), network(images))


def test_a_few_steps_reduce_the_loss() -> None:
    network = build().train()
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    images = torch.randn(2, 1, *[6 + 84] * 3, generator=torch.Generator().manual_seed(0))
    labels = (images[:, 0, *[slice(42, 48)] * 3] > 0.5).long()
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_sizes_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 17"):
        DeepMedic(1, 2, training_segment=16)
    with pytest.raises(ValueError, match="smaller than its context"):
        build()(torch.rand(1, 1, 84, 90, 90))


def test_options_are_checked_by_the_signature() -> None:
    component, given = find("networks", "deepmedic"), ("in_channels", "out_channels")
    options = {"widths": [4] * 8, "hidden": [8], "residual": True, "dropout": 0.5}
    assert check_options(component, options, given, "x")["widths"] == (4,) * 8
    with pytest.raises(RarelensError, match="dropout"):
        check_options(component, {"dropout": 1.0}, given, "x")

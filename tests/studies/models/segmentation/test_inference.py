from __future__ import annotations

import numpy as np
import pytest
import torch

from rarelens.studies.models.segmentation.inference import dense_logits


def pointwise(channels: int = 2, classes: int = 3) -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Conv3d(channels, classes, 1)


def image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float16)


@pytest.mark.parametrize("shape", [(20, 17, 9), (8, 8, 8), (5, 4, 3), (20, 4, 9)])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_a_pointwise_network_needs_no_windows(shape: tuple[int, int, int], overlap: float) -> None:
    network, volume = pointwise(), image(*shape)
    logits = dense_logits(network, volume, (8, 8, 8), overlap, 3)
    weight = network.weight.detach().numpy()[:, :, 0, 0, 0]
    expected = np.einsum("kc,cxyz->kxyz", weight, volume.astype(np.float32))
    expected += network.bias.detach().numpy()[:, None, None, None]
    assert logits.dtype == np.float32
    assert logits.shape == (3, *shape)
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_a_volume_of_one_window_is_just_the_network() -> None:
    network = torch.nn.Conv3d(2, 3, 3, padding=1)
    volume = image(8, 8, 8)
    with torch.no_grad():
        expected = network(torch.from_numpy(volume.astype(np.float32))[None])[0].numpy()
    np.testing.assert_allclose(
        dense_logits(network, volume, (8, 8, 8), 0.25, 1), expected, atol=1e-5
    )


def test_a_small_volume_is_padded_with_zeros() -> None:
    torch.manual_seed(0)
    network = torch.nn.Conv3d(2, 3, 3, padding=1)
    volume = image(6, 8, 4)
    padded = np.pad(volume, ((0, 0), (1, 1), (0, 0), (2, 2))).astype(np.float32)
    with torch.no_grad():
        whole = network(torch.from_numpy(padded)[None])[0].numpy()
    np.testing.assert_allclose(
        dense_logits(network, volume, (8, 8, 8), 0.25, 1), whole[:, 1:7, :, 2:6], atol=1e-5
    )


def test_the_number_of_windows_at_once_does_not_matter() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv3d(2, 4, 3, padding=1), torch.nn.BatchNorm3d(4), torch.nn.Conv3d(4, 3, 1)
    )
    volume = image(20, 17, 9)
    one, many = (dense_logits(network, volume, (8, 8, 8), 0.25, batch) for batch in (1, 7))
    np.testing.assert_allclose(one, many, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode_within_and_the_same_mode_after(training: bool) -> None:
    network = torch.nn.Sequential(pointwise(), torch.nn.Dropout(0.9)).train(training)
    first, second = (dense_logits(network, image(8, 8, 8), (8, 8, 8), 0.25, 1) for _ in range(2))
    assert np.array_equal(first, second)
    assert network.training == training

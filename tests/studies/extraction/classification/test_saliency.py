from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.classification.saliency import (
    check_window,
    explainer,
    grad_cam,
    integrated_gradients,
    occlusion,
    write_maps,
)


@pytest.mark.parametrize("layer", ["act", "block.0", "block"])
def test_grad_cam_is_its_formula(network: nn.Module, tensor: Tensor, layer: str) -> None:
    classes = [0, 1, 2, 2, 1, 0]
    seen: list[Tensor] = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *a: seen.append(a[2]))
    logits = network(tensor)
    hook.remove()
    chosen = logits[range(6), classes].sum()
    (gradient,) = torch.autograd.grad(chosen, seen[0])
    weights = gradient.mean((2, 3), keepdim=True)
    expected = (weights * seen[0]).sum(1).clamp(min=0).detach()

    maps = grad_cam(network, layer)(tensor, classes)

    assert expected.max() > 0
    torch.testing.assert_close(maps, expected)


def test_grad_cam_leaves_no_hooks(network: nn.Module, tensor: Tensor) -> None:
    explain = grad_cam(network, "block")
    for _ in range(3):
        explain(tensor, [0] * 6)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def test_grad_cam_works_on_frozen_weights(network: nn.Module, tensor: Tensor) -> None:
    expected = grad_cam(network, "block")(tensor, [0] * 6)
    network.requires_grad_(requires_grad=False)
    torch.testing.assert_close(grad_cam(network, "block")(tensor.detach(), [0] * 6), expected)


def test_integrated_gradients_are_complete(network: nn.Module) -> None:
    """On one channel and positive gradients absolute values change nothing: the sum is exact."""
    with torch.no_grad():
        net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Softplus(), nn.Flatten(), nn.Linear(32, 2))
        for parameter in net.parameters():
            parameter.abs_()
    images = torch.rand(3, 1, 6, 6)
    baseline = torch.full((1, 1, 1, 1), -0.5)
    maps = integrated_gradients(net, baseline, 32, 4)(images, [0, 1, 1])
    assert (maps >= 0).all()
    gained = (net(images) - net(baseline.expand_as(images)))[range(3), [0, 1, 1]]
    torch.testing.assert_close(maps.sum((1, 2)), gained.detach(), rtol=1e-4, atol=1e-4)


def test_integrated_gradients_of_a_linear_model_sum_over_channels() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * 4 * 4, 3))
    images, baseline = torch.randn(2, 2, 4, 4), torch.tensor([-1.0, 0.5]).reshape(1, 2, 1, 1)
    weights = net[1].weight.detach().reshape(3, 2, 4, 4)[[2, 0]]
    expected = (weights * (images - baseline)).abs().sum(1)
    maps = integrated_gradients(net, baseline, 5, 2)(images, [2, 0])
    torch.testing.assert_close(maps, expected)


@pytest.mark.parametrize("window", [1, 3, 4, 10])
def test_occlusion_is_a_loop_over_windows(network: nn.Module, tensor: Tensor, window: int) -> None:
    classes = [0, 1, 2, 2, 1, 0]
    total, count = torch.zeros(6, 12, 10), torch.zeros(12, 10)
    stride = max(1, window // 2)
    with torch.no_grad():
        before = network(tensor)[range(6), classes]
        for i in starts(12, window, stride):
            for j in starts(10, window, stride):
                hidden = tensor.clone()
                hidden[:, :, i : i + window, j : j + window] = 0
                fall = before - network(hidden)[range(6), classes]
                total[:, i : i + window, j : j + window] += fall[:, None, None]
                count[i : i + window, j : j + window] += 1
    expected = (total / count).clamp(min=0)
    torch.testing.assert_close(occlusion(network, window)(tensor, classes), expected)


def starts(size: int, window: int, stride: int) -> range:
    """Where windows start: the last one ends at the border or beyond it."""
    return range(0, size - window + stride, stride)


def test_the_baseline_of_integrated_gradients_is_a_black_image(
    network, tiny_images, make_settings
) -> None:
    settings = make_settings(integrated_gradients_steps=16)
    explain = explainer("integrated_gradients", network, "block", tiny_images, settings)
    tiny_images._pixels[2] = 0
    black = torch.from_numpy(tiny_images.images(np.array([2])))
    assert explain(black, [0]).abs().max() == 0
    assert explain(torch.zeros(1, 2, 12, 10), [0]).max() > 0


def test_a_window_larger_than_the_image_is_refused(make_settings) -> None:
    check_window(make_settings(occlusion_window=99), (12, 10))
    settings = make_settings(saliency=("occlusion",), occlusion_window=11)
    with pytest.raises(RarelensError, match="occlusion_window: 11 pixels are more than"):
        check_window(settings, (12, 10))


def test_maps_are_stored_as_shares_of_their_maxima(tmp_path, tiny_images) -> None:
    """Even where the maxima are far below what float16 can tell from 0."""
    rows = np.array([2, 0, 5, 5, 1])
    scales = torch.tensor([1e-12, 0.0, 1e6])

    def explain(images: Tensor, classes: list[int]) -> Tensor:
        return images[:, 0].abs() * scales[classes].reshape(-1, 1, 1)

    classes = np.array([0, 1, 2, 0, 2])
    args = (rows, classes, (12, 10), 2, torch.device("cpu"))
    peaks = write_maps(tmp_path / "m.npy", explain, tiny_images, *args)

    raw = np.abs(tiny_images.images(rows)[:, 0]) * scales.numpy()[classes].reshape(-1, 1, 1)
    np.testing.assert_allclose(peaks, raw.max((1, 2)), rtol=1e-6)
    maps = np.load(tmp_path / "m.npy")
    assert maps.dtype == np.float16
    assert (maps[1] == 0).all()
    assert peaks[1] == 0
    shown = classes != 1
    expected = raw[shown] / raw[shown].max((1, 2), keepdims=True)
    np.testing.assert_allclose(maps[shown], expected, atol=1e-3)

"""Every segmentation network of ``params.yaml``, in a small size: shapes, seeds, gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.models.segmentation.model import build_segmenter
from rarelens.studies.settings.methods import Network

ROOT = Path(__file__).parents[3]
FOR_IMAGES = ("light_cnn", "densenet121", "resnet50")
NETWORKS = {
    name: settings
    for name, settings in read_parameters(ROOT / "params.yaml").networks.items()
    if settings.network not in FOR_IMAGES
}
# Fewer features; the depth, which decides the strides, stays.
SMALL = {
    "unet": lambda options: {"channels": [2] * len(options["channels"])},
    "deepmedic": lambda _: {"widths": [2] * 8, "hidden": [4, 4]},
}


def small(name: str) -> Network:
    settings = NETWORKS[name]
    shrink = SMALL.get(settings.network, lambda _: {})
    return Network.model_validate(settings.model_dump() | shrink(settings.options))


def built(name: str, seed: int = 0, channels: int = 2, classes: int = 4) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_segmenter(small(name), channels, classes)


def image(module: torch.nn.Module, batch: int, channels: int, *size: int) -> torch.Tensor:
    """A random image for logits of ``size``, with what the network loses on each side."""
    lost = 2 * getattr(module, "context", 0)
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, channels, *(side + lost for side in size), generator=generator)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("channels", "classes"), [(1, 2), (4, 5)])
def test_logits_have_the_shape_of_the_image_and_a_channel_a_class(name, channels, classes):
    module = built(name, channels=channels, classes=classes)
    logits = module(image(module, 2, channels, 32, 32, 16))
    assert logits.shape == (2, classes, 32, 32, 16)
    assert torch.isfinite(logits).all()
    # Logits and not shares: they take either sign, and their sum over classes is not 1.
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_network(name):
    modules = [built(name, seed).eval() for seed in (0, 0, 1)]
    logits = [module(image(module, 1, 2, 32, 32, 32)) for module in modules]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_has_a_gradient(name):
    module = built(name)
    module(image(module, 2, 2, 32, 32, 32)).square().sum().backward()
    without = [key for key, weight in module.named_parameters() if weight.grad is None]
    assert without == []


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_lie_as_is_fastest_on_a_cpu(name):
    weights = [p for p in built(name).parameters() if p.ndim == 5]
    assert weights
    assert all(w.is_contiguous(memory_format=torch.channels_last_3d) for w in weights)


@pytest.mark.parametrize(
    "options",
    [
        {"network": "unet", "channels": [4, 4], "dropout": 0.5},
        {"network": "segresnet", "blocks_down": [1, 1], "dropout": 0.5},
    ],
    ids=["unet", "segresnet"],
)
def test_dropout_acts_in_training_only(options):
    torch.manual_seed(0)
    module = build_segmenter(Network.model_validate(options), 1, 2)
    volume = torch.randn(1, 1, 8, 8, 8)
    assert not torch.equal(module(volume), module(volume))
    module.eval()
    assert torch.equal(module(volume), module(volume))


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_unet_has_the_norm_that_is_asked_for(norm):
    settings = Network.model_validate({"network": "unet", "channels": [4, 4], "norm": norm})
    kinds = {type(module).__name__ for module in build_segmenter(settings, 1, 2).modules()}
    assert ("BatchNorm3d" in kinds) == (norm == "batch")
    assert ("InstanceNorm3d" in kinds) == (norm == "instance")

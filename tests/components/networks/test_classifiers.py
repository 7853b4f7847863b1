"""Classification networks: shapes, layers, parts, initial weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.models.classification.model import build_classifier
from rarelens.studies.settings.methods import Network

NETWORKS = {
    "light_cnn": {"network": "light_cnn"},
    "densenet121": {"network": "densenet121"},
    "densenet121_cut": {"network": "densenet121", "blocks": 2},
    "resnet50": {"network": "resnet50"},
}
# Units and total stride of the maps that are pooled, and a layer with units and stride.
SIZES = {
    "light_cnn": (96, 8, "stage3", 64, 4),
    "densenet121": (1024, 32, "body.denseblock2", 512, 8),
    "densenet121_cut": (512, 8, "body.denseblock2", 512, 8),
    "resnet50": (2048, 32, "body.layer3", 1024, 16),
}


def built(
    name: str, seed: int = 0, channels: int = 1, classes: int = 3, options: dict | None = None
) -> Any:
    torch.manual_seed(seed)
    network = Network(**NETWORKS[name], **(options or {}))
    return build_classifier(network, channels, classes).eval()


def images(channels: int = 1, size: int = 64, number: int = 2) -> Tensor:
    return torch.randn(number, channels, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_logits_are_the_head_of_the_mean_of_the_last_maps(name: str, channels: int) -> None:
    module, (units, stride, *_) = built(name, channels=channels), SIZES[name]
    batch = images(channels)
    assert module(batch).shape == (2, 3)
    maps = module.maps(batch)
    assert maps.shape == (2, units, 64 // stride, 64 // stride)
    assert maps.min() >= 0  # Grad-CAM and units are of what is after ReLU.
    expected = maps.flatten(2).mean(2) @ module.head.weight.T + module.head.bias
    assert torch.allclose(module(batch), expected, atol=1e-4)
    assert torch.allclose(module.features(batch), maps.flatten(2).mean(2), atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_layer_is_found_by_its_name(name: str) -> None:
    module = built(name)
    *_, layer, units, stride = SIZES[name]
    seen: list[Tensor] = []
    module.get_submodule(layer).register_forward_hook(lambda *given: seen.append(given[2]))
    module(images())
    assert seen[0].shape == (2, units, 64 // stride, 64 // stride)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_layer_overwrites_what_another_gave(name: str) -> None:
    layers = [module for module in built(name).modules() if isinstance(module, nn.ReLU)]
    assert layers
    assert not any(module.inplace for module in layers)


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_seed_decides_the_network(name: str) -> None:
    one, again, other = (built(name, seed)(images()) for seed in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_has_a_gradient(name: str) -> None:
    module = built(name).train()
    module(images()).square().sum().backward()
    assert [key for key, weight in module.named_parameters() if weight.grad is None] == []


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_the_layout_in_memory_changes_nothing(name: str) -> None:
    module = built(name)
    weights = [p for p in module.parameters() if p.ndim == 4]
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in weights)
    found = [module(images().to(memory_format=form)) for form in FORMATS]
    plain = module.to(memory_format=torch.contiguous_format)(images())
    assert all(torch.allclose(each, plain, atol=1e-4) for each in found)


FORMATS = (torch.contiguous_format, torch.channels_last)


def test_light_cnn_has_no_strided_convolution_of_one_pixel() -> None:
    # Their backward pass in this layout is broken in oneDNN where they have few input channels.
    convolutions = [m for m in built("light_cnn").modules() if isinstance(m, nn.Conv2d)]
    assert all(m.kernel_size == (3, 3) for m in convolutions)


def test_light_cnn_as_asked_for() -> None:
    options = {"channels": [8, 16, 16, 24], "convolutions": [2, 1, 1, 1], "norm": "group"}
    module = built("light_cnn", options=options)
    kinds = [type(m).__name__ for m in module.modules()]
    assert kinds.count("Conv2d") == 5
    assert (kinds.count("GroupNorm"), kinds.count("BatchNorm2d")) == (5, 0)
    assert module.head.in_features == 24
    alone = module(images(number=2))[:1]
    assert torch.allclose(alone, module(images(number=2)[:1]), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"channels": [8, 8, 8]}, "networks.channels"),
        ({"channels": [8, 8, 8, 12]}, "networks.channels.3: .*multiple of 8"),
        ({"blocks": 2}, "networks.blocks: unknown key"),
    ],
)
def test_impossible_options_are_refused(options: dict, sentence: str) -> None:
    with pytest.raises(RarelensError, match=sentence):
        built("light_cnn", options=options)


def test_a_segmentation_network_is_no_classifier() -> None:
    with pytest.raises(RarelensError, match="unet gives no logits of whole images; choose"):
        build_classifier(Network(network="unet", channels=[2, 2]), 1, 2)


def torchvision_names(state: dict[str, Tensor], head: str) -> dict[str, Tensor]:
    """As torchvision writes the weights of the same network."""
    folder = "features." if head == "classifier" else ""

    def renamed(key: str) -> str:
        key = re.sub(r"(denselayer\d+)\.layers\.", r"\1.", key)
        return re.sub("^head", head, key.replace("body.", folder))

    return {renamed(key): value.contiguous() for key, value in state.items()}


@pytest.mark.parametrize(("name", "head"), [("densenet121", "classifier"), ("resnet50", "fc")])
@torch.no_grad()
def test_initial_weights_by_torchvisions_names(name: str, head: str, tmp_path: Path) -> None:
    source = built(name, seed=5, channels=3, classes=1000)
    file = tmp_path / "w.safetensors"
    save_file(torchvision_names(source.state_dict(), head), file)
    module = built(name, channels=3, options={"weights": str(file)})
    assert torch.allclose(module.features(images(3)), source.features(images(3)), atol=1e-4)
    assert module.head.weight.shape[0] == 3  # Its own; the file's has another size.


@torch.no_grad()
def test_a_grey_image_sees_initial_weights_of_colour_as_three_equal_channels(
    tmp_path: Path,
) -> None:
    source = built("densenet121_cut", seed=5, channels=3)
    file = tmp_path / "w.safetensors"
    save_file({k: v.contiguous() for k, v in source.state_dict().items()}, file)
    module = built("densenet121_cut", options={"weights": str(file)})
    repeated = images().expand(-1, 3, -1, -1)
    assert torch.allclose(module(images()), source(repeated), atol=1e-4)
    four = built("densenet121_cut", channels=4, options={"weights": str(file)})
    assert torch.equal(four.body.denseblock1.denselayer1.layers.conv1.weight,
                       source.body.denseblock1.denselayer1.layers.conv1.weight)  # fmt: skip


@torch.no_grad()
def test_the_cut_network_takes_the_whole_ones_weights(tmp_path: Path) -> None:
    whole = built("densenet121", seed=5)
    generator = torch.Generator().manual_seed(2)
    norm = whole.body.transition2.norm
    norm.weight.copy_(torch.rand(512, generator=generator))
    norm.running_mean.copy_(torch.rand(512, generator=generator))
    file = tmp_path / "w.safetensors"
    save_file(torchvision_names(whole.state_dict(), "classifier"), file)
    seen: list[Tensor] = []
    norm.register_forward_hook(lambda *given: seen.append(given[2]))
    whole(images())
    cut = built("densenet121_cut", options={"weights": str(file)})
    assert torch.allclose(cut.maps(images()), seen[0].relu(), atol=1e-4)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"w.safetensors: no such file of initial weights"),
        (b"nothing", r"w.safetensors: not readable as safetensors \("),
        ({"body.conv1.weight": torch.zeros(64, 1, 7, 7)}, r"\d+ are missing, as body.bn1.bias\)"),
    ],
)
def test_a_wrong_file_is_said_in_a_sentence(content: Any, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        save_file(content, file)
    with pytest.raises(RarelensError, match=sentence) as error:
        built("resnet50", options={"weights": str(file)})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", ["more", "shape"])
def test_weights_of_another_network_are_refused(change: str, tmp_path: Path) -> None:
    state = {k: v.contiguous() for k, v in built("densenet121_cut").state_dict().items()}
    sentence = {
        "more": "1 have no place, as body.other",
        "shape": r"body.norm0.bias is \(3,\) and not \(64,\)",
    }
    state |= (
        {"body.other": torch.zeros(1)} if change == "more" else {"body.norm0.bias": torch.zeros(3)}
    )
    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(RarelensError, match=sentence[change]):
        built("densenet121_cut", options={"weights": str(tmp_path / "w.safetensors")})

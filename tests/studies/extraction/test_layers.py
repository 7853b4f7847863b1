from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.extraction.layers import check_layers, recorded


class Net(nn.Module):
    def __init__(self, dimensions: int = 2) -> None:
        super().__init__()
        conv = nn.Conv2d if dimensions == 2 else nn.Conv3d
        self.stem = conv(3, 4, 3, stride=2)
        self.act = nn.ReLU(inplace=True)
        self.twice = nn.Tanh()
        self.body = nn.Sequential(conv(4, 6, 1), nn.Identity())
        self.head = nn.Linear(6, 2)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.body(self.twice(self.twice(self.act(self.stem(images)))))
        return self.head(maps.flatten(2).mean(2))


def test_shapes_are_those_of_one_image() -> None:
    assert check_layers(Net(), ["body.0", "act"], 3, (9, 7)) == {
        "body.0": (6, 4, 3),
        "act": (4, 4, 3),
    }


def test_volumes_have_layers_too() -> None:
    assert check_layers(Net(3), ["body"], 3, (5, 5, 7)) == {"body": (6, 2, 2, 3)}


def test_nothing_is_computed_on_the_meta_device() -> None:
    with torch.device("meta"):
        network = Net()
    assert check_layers(network, ["body"], 3, (2049, 4097)) == {"body": (6, 1024, 2048)}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "head",  # no map
        "stem",  # overwritten in place
        "twice",  # called twice
        "",
    ],
)
def test_what_is_no_layer_is_refused_with_those_that_are(name: str, device: str) -> None:
    with torch.device(device):
        network = Net()
    with pytest.raises(RarelensError) as error:
        check_layers(network, ["body", name], 3, (9, 7), "params.yaml: layers.net")
    assert error.value.problems == (
        f"params.yaml: layers.net: {name!r} is no layer with maps of Net; choose one of act, body, "
        "body.0, body.1",
    )


def test_each_wrong_name_is_a_problem() -> None:
    with pytest.raises(RarelensError) as error:
        check_layers(Net(), ["a", "b", "a"], 3, (9, 7))
    assert len(error.value.problems) == 2


def test_of_many_modules_the_shallow_ones_are_listed() -> None:
    network = nn.Sequential(*(nn.Sequential(nn.Conv2d(1, 1, 1)) for _ in range(20)))
    with pytest.raises(RarelensError) as error:
        check_layers(network, ["x"], 1, (3, 3))
    listed = [str(k) for k in range(20)] + [f"{k}.0" for k in range(10)]
    expected = f"choose one of {', '.join(listed)} (and 10 within these)"
    assert error.value.problems[0].endswith(expected)


def test_checking_leaves_mode_and_statistics_and_no_hooks() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train()
    check_layers(network, ["0"], 1, (4, 4))
    assert network.training
    assert network[1].num_batches_tracked == 0
    assert not any(module._forward_hooks for module in network.modules())


def test_outputs_are_taken_before_they_are_overwritten() -> None:
    network, images = Net(), torch.randn(2, 3, 9, 7)
    with recorded(network, ["stem"], torch.clone) as outputs, torch.no_grad():
        network(images)
        torch.testing.assert_close(outputs["stem"], network.stem(images))
    assert (outputs["stem"] < 0).any()


def test_hooks_are_gone_even_after_a_failure() -> None:
    network = Net()
    with recorded(network, ["body", "body", "act"], torch.clone), pytest.raises(RuntimeError):
        network(torch.zeros(1, 5, 9, 9))
    assert not any(module._forward_hooks for module in network.modules())
    with pytest.raises(AttributeError), recorded(network, ["body", "nothing"], torch.clone):
        pass
    assert not any(module._forward_hooks for module in network.modules())

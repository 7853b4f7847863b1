from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rarelens.errors import RarelensError
from rarelens.studies.models.classification.model import (
    ClassifierCard,
    build_classifier,
    load_classifier,
)
from rarelens.studies.models.storage import write_model
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.methods import ClassificationMethod, Network

PREPROCESS = ImagePreprocess(
    image_size=(16, 16),
    resize="pad",
    channels="rgb",
    intensity="per_image",
    dtype="uint8",
    uncertain="zeros",
    classes=("a", "b"),
)


def card(**network: object) -> ClassifierCard:
    return ClassifierCard(
        dataset="toy",
        classes=("a", "b"),
        channels=3,
        size=(16, 16),
        mean=(0.4, 0.5, 0.6),
        std=(0.1, 0.2, 0.3),
        preprocess=PREPROCESS,
        network=Network(**({"network": "light_cnn"} | network)),
        method=ClassificationMethod(objective="sigmoid_focal", alpha=0.25),
        adjustment=None,
        fraction="0.5",
        seed=3,
        training_images=("x", "y"),
        validation_images=(),
        steps=4,
        selected_step=2,
    )


def test_a_loaded_classifier_gives_the_same_logits(tmp_path: Path) -> None:
    network = build_classifier(card().network, 3, 2)
    images = torch.randn(4, 3, 16, 16)
    network(images)  # Moves the running statistics of batch normalisation off their start.
    write_model(tmp_path, network.state_dict(), card())
    loaded, found = load_classifier(tmp_path)
    assert found.model_copy(update={"weights_sha256": None}) == card()
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded.cpu()(images), network.eval()(images))


def test_initial_weights_need_not_be_there_any_more(tmp_path: Path) -> None:
    initial = tmp_path / "initial.safetensors"
    plain = build_classifier(Network(network="densenet121", blocks=1), 3, 2)
    save_file({k: v.contiguous() for k, v in plain.state_dict().items()}, initial)
    own = card(network="densenet121", blocks=1, weights=str(initial))
    network = build_classifier(own.network, 3, 2)
    write_model(tmp_path, network.state_dict(), own)
    initial.unlink()
    loaded, found = load_classifier(tmp_path)
    assert found.model_copy(update={"weights_sha256": None}) == own
    assert torch.equal(loaded.cpu().head.weight, network.head.weight)


@pytest.mark.parametrize("missing", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_said_in_a_sentence(tmp_path: Path, missing: str) -> None:
    write_model(tmp_path, build_classifier(card().network, 3, 2).state_dict(), card())
    (tmp_path / missing).unlink()
    with pytest.raises(RarelensError, match=rf"no model here \({missing} is missing\)"):
        load_classifier(tmp_path)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_file_cut_off_is_said_in_a_sentence(tmp_path: Path, name: str) -> None:
    write_model(tmp_path, build_classifier(card().network, 3, 2).state_dict(), card())
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(RarelensError) as error:
        load_classifier(tmp_path)
    assert str(error.value).startswith(f"{file}: broken, or of another version (")
    assert "\n" not in str(error.value)


def test_weights_of_another_network_are_said_in_a_sentence(tmp_path: Path) -> None:
    write_model(tmp_path, build_classifier(card().network, 3, 5).state_dict(), card())
    with pytest.raises(RarelensError, match=r"weights\.safetensors: broken, or of another"):
        load_classifier(tmp_path)

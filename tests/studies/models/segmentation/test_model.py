from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rarelens.errors import RarelensError
from rarelens.studies.models.segmentation.model import (
    SegmenterCard,
    build_segmenter,
    load_segmenter,
)
from rarelens.studies.models.storage import write_model
from rarelens.studies.training.segmentation.job import SegmentationJob


@pytest.fixture(params=["unet", "segresnet"])
def card(request: pytest.FixtureRequest, make_job: Callable[..., SegmentationJob]) -> SegmenterCard:
    networks = {
        "unet": {"network": "unet", "channels": [4, 8], "dropout": 0.5},
        "segresnet": {"network": "segresnet", "blocks_down": [1, 1]},
    }
    job = make_job(network=networks[request.param])
    return SegmenterCard(
        dataset="tiny",
        channels=("a", "b"),
        classes=("background", "c", "d"),
        rare_classes=(1, 2),
        preprocess=job.preprocess,
        patch_size=job.patch_size,
        network=job.network,
        method=job.method,
        fraction="1",
        seed=0,
        training_cases=("x",),
        validation_cases=(),
        steps=1,
        gradient_evaluations=1,
        selected_step=1,
    )


def test_a_loaded_model_gives_the_same_logits(card: SegmenterCard, tmp_path: Path) -> None:
    network = build_segmenter(card.network, 2, 3)
    image = torch.randn(2, 2, 8, 8, 8)
    network(image)  # Moves the running statistics of batch normalisation off their start.
    write_model(tmp_path, network.state_dict(), card)
    loaded, loaded_card = load_segmenter(tmp_path)
    written = hashlib.sha256((tmp_path / "weights.safetensors").read_bytes()).hexdigest()
    assert loaded_card == card.model_copy(update={"weights_sha256": written})
    assert not loaded.training
    with torch.no_grad():
        expected = network.eval()(image)
        found = loaded.cpu()(image)
    assert found.shape == (2, 3, 8, 8, 8)
    assert torch.equal(found, expected)


def test_equal_weights_give_equal_bytes(card: SegmenterCard, tmp_path: Path) -> None:
    network = build_segmenter(card.network, 2, 3)
    weights = network.state_dict()
    backwards = {key: weights[key] for key in reversed(weights)}
    for name, values in (("one", weights), ("two", backwards)):
        (tmp_path / name).mkdir()
        write_model(tmp_path / name, values, card)
    for file in ("weights.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("missing", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_said_in_a_sentence(
    card: SegmenterCard, tmp_path: Path, missing: str
) -> None:
    write_model(tmp_path, build_segmenter(card.network, 2, 3).state_dict(), card)
    (tmp_path / missing).unlink()
    with pytest.raises(RarelensError, match=rf"no model here \({missing} is missing\)"):
        load_segmenter(tmp_path)


@pytest.mark.parametrize("length", [0, 5, 100])
@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_file_cut_off_is_said_in_a_sentence(
    card: SegmenterCard, tmp_path: Path, name: str, length: int
) -> None:
    write_model(tmp_path, build_segmenter(card.network, 2, 3).state_dict(), card)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(RarelensError) as error:
        load_segmenter(tmp_path)
    assert str(error.value).startswith(f"{file}: broken, or of another version (")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[]", b"{}", b'{"dataset": 1}'])
def test_a_card_that_is_none_is_said_in_a_sentence(
    card: SegmenterCard, tmp_path: Path, text: bytes
) -> None:
    write_model(tmp_path, build_segmenter(card.network, 2, 3).state_dict(), card)
    (tmp_path / "model.json").write_bytes(text)
    with pytest.raises(RarelensError, match=r"model\.json: broken, or of another version \("):
        load_segmenter(tmp_path)


def test_weights_of_another_network_are_said_in_a_sentence(
    card: SegmenterCard, tmp_path: Path
) -> None:
    write_model(tmp_path, build_segmenter(card.network, 2, 4).state_dict(), card)
    with pytest.raises(RarelensError, match=r"weights\.safetensors: broken, or of") as error:
        load_segmenter(tmp_path)
    assert "\n" not in str(error.value)


def test_a_folder_that_does_not_exist_holds_no_model(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match="no model here"):
        load_segmenter(tmp_path / "nowhere")


@pytest.mark.parametrize("wrong", ["nan", "infinite", "int32", "other"])
def test_weights_that_are_wrong_in_value_type_or_digest_are_refused(
    card: SegmenterCard, tmp_path: Path, wrong: str
) -> None:
    write_model(tmp_path, build_segmenter(card.network, 2, 3).state_dict(), card)
    file = tmp_path / "weights.safetensors"
    weights = load_file(file)
    name = min(key for key, value in weights.items() if value.is_floating_point())
    if wrong == "int32":
        weights[name] = weights[name].to(torch.int32)
    else:
        number = {"nan": torch.nan, "infinite": torch.inf, "other": 1.5}[wrong]
        weights[name].view(-1)[0] = number
    save_file(weights, file)
    with pytest.raises(RarelensError, match="other bytes than those of"):
        load_segmenter(tmp_path)
    # A card without a digest, of an earlier version.
    content = json.loads((tmp_path / "model.json").read_text())
    del content["weights_sha256"]
    (tmp_path / "model.json").write_text(json.dumps(content))
    if wrong == "other":
        load_segmenter(tmp_path)
        return
    reason = "is torch.int32 in place of torch.float32" if wrong == "int32" else "is not finite"
    with pytest.raises(RarelensError, match=f"{name} {reason}"):
        load_segmenter(tmp_path)

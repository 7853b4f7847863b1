"""A trained model on disk: weights as safetensors, and ``model.json``, which tells their use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rarelens.components import check_options, find
from rarelens.config.methods import Method, Network
from rarelens.config.volumes import Preprocess
from rarelens.errors import RarelensError
from rarelens.files import write_json

WEIGHTS = "weights.safetensors"
GIVEN_TO_NETWORKS = ("in_channels", "out_channels")


class ModelCard(BaseModel):
    """All that is needed to rebuild and apply a model, and what it was trained on.

    ``steps`` and ``gradient_evaluations`` are those taken; ``selected_step`` is the one whose
    weights were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    rare_classes: tuple[int, ...]
    preprocess: Preprocess
    patch_size: tuple[int, int, int]
    network: Network
    method: Method
    fraction: str
    seed: Annotated[int, Ge(0)]
    training_cases: tuple[str, ...]
    validation_cases: tuple[str, ...]
    steps: int
    gradient_evaluations: int
    selected_step: int


def build_network(network: Network, channels: int, classes: int) -> nn.Module:
    """A new network with the layout of weights that is fastest for 3-D convolution on a CPU."""
    component = find("networks", network.network)
    options = check_options(component, network.options, GIVEN_TO_NETWORKS, "networks")
    module: nn.Module = component(in_channels=channels, out_channels=classes, **options)
    return module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload,no-any-return]


def training_patch(
    network: nn.Module, patch_size: tuple[int, int, int]
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The size of the logits of a training patch, and of the image that they are made from.

    A network with a ``context`` (voxels lost on each side) brings its own ``training_patch``.
    """
    x, y, z = getattr(network, "training_patch", patch_size)
    lost = 2 * int(getattr(network, "context", 0))
    return (x, y, z), (x + lost, y + lost, z + lost)


def save_model(folder: Path, weights: dict[str, Tensor], card: ModelCard) -> None:
    """Write ``weights.safetensors`` and ``model.json`` into an existing folder."""
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in weights.items()},
        folder / WEIGHTS,
    )
    write_json(folder / "model.json", card.model_dump(mode="json"))


def load_card(folder: Path) -> ModelCard:
    """Read ``model.json``.

    Raises:
        RarelensError: if the folder holds no model, or its card is not readable.
    """
    for name in ("model.json", WEIGHTS):
        if not (folder / name).is_file():
            raise RarelensError(f"{folder}: no model here ({name} is missing); give a model folder")
    file = folder / "model.json"
    try:
        return ModelCard.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(file, error) from error


def load_model(folder: Path) -> tuple[nn.Module, ModelCard]:
    """Rebuild a trained network, in evaluation mode, on the GPU where there is one.

    Raises:
        RarelensError: if the folder holds no model, or its files are not readable or do not fit
            together.
    """
    card = load_card(folder)
    module = build_network(card.network, len(card.channels), len(card.classes))
    try:
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _broken(folder / WEIGHTS, error) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return module.to(device).eval(), card


def _broken(file: Path, error: Exception) -> RarelensError:
    reason = " ".join(str(error).split())[:200]
    return RarelensError(
        f"{file}: broken, or of another version ({reason}); bring the model's folder back "
        "(`dvc checkout`), copy it anew, or train it anew"
    )

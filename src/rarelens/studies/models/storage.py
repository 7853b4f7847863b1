"""Networks by the names of their files, and how any model lies on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import torch
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rarelens.components.contracts import GivenToNetworks
from rarelens.errors import RarelensError
from rarelens.studies.building import check_options, find
from rarelens.studies.files import write_json
from rarelens.studies.settings.methods import Network

WEIGHTS = "weights.safetensors"
CARD = "model.json"
GIVEN_TO_NETWORKS = tuple(GivenToNetworks.__annotations__)
Card = TypeVar("Card", bound=BaseModel)


def construct(network: Network, channels: int, classes: int) -> nn.Module:
    """A new network of ``params.yaml``.

    Raises:
        RarelensError: if there is no such network, or it does not take its options.
    """
    component = find("networks", network.network)
    options = check_options(component, network.options, GIVEN_TO_NETWORKS, "networks")
    try:
        module: nn.Module = component(in_channels=channels, out_channels=classes, **options)
    except ValueError as error:
        raise RarelensError(f"networks: {network.network}: {error}") from error
    return module


def write_model(folder: Path, weights: dict[str, Tensor], card: BaseModel) -> None:
    """Write ``weights.safetensors`` and ``model.json`` into an existing folder."""
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in weights.items()},
        folder / WEIGHTS,
    )
    write_json(folder / CARD, card.model_dump(mode="json"))


def read_card(folder: Path, kind: type[Card]) -> Card:
    """Read ``model.json``.

    Raises:
        RarelensError: if the folder holds no model, or its card is not readable.
    """
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise RarelensError(f"{folder}: no model here ({name} is missing); give a model folder")
    file = folder / CARD
    try:
        return kind.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(file, error) from error


def load_weights(module: nn.Module, folder: Path) -> nn.Module:
    """Fill a network from ``weights.safetensors``; evaluation mode, on the GPU if there is one.

    Raises:
        RarelensError: if the file is not readable or is of another network.
    """
    try:
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _broken(folder / WEIGHTS, error) from error
    return module.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _broken(file: Path, error: Exception) -> RarelensError:
    reason = " ".join(str(error).split())[:200]
    return RarelensError(
        f"{file}: broken, or of another version ({reason}); bring the model's folder back "
        "(`dvc checkout`), copy it anew, or train it anew"
    )

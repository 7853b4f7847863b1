"""What any trained model is: a card that tells its use, weights, and how both lie on disk."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, TypeVar

import pandas as pd
import torch
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rarelens.components.contracts import GivenToNetworks
from rarelens.errors import RarelensError
from rarelens.studies.building import build
from rarelens.studies.files import write_json
from rarelens.studies.settings.methods import Network

WEIGHTS = "weights.safetensors"
CARD = "model.json"
INITIAL_WEIGHTS = "weights"
"""The option of a network that names a file of weights to begin with."""


class Card(BaseModel):
    """What the cards of both tasks tell.

    ``steps`` are those taken; ``selected_step`` is the one whose weights were kept.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    classes: tuple[str, ...]
    network: Network
    fraction: str
    seed: Annotated[int, Ge(0)]
    steps: int
    selected_step: int


AnyCard = TypeVar("AnyCard", bound=Card)


def construct(network: Network, channels: int, classes: int, path: str) -> nn.Module:
    """A new network of ``params.yaml``, where it stands at ``path``.

    Raises:
        RarelensError: if there is no such network, or it does not take its options.
    """
    given: GivenToNetworks = {"in_channels": channels, "out_channels": classes}
    module: nn.Module = build("networks", network.network, network.options, path, given)
    return module


def write_model(folder: Path, weights: dict[str, Tensor], card: Card) -> None:
    """Write ``weights.safetensors`` and ``model.json`` into an existing folder."""
    save_file(
        {key: value.detach().cpu().contiguous() for key, value in weights.items()},
        folder / WEIGHTS,
    )
    write_json(folder / CARD, card.model_dump(mode="json"))


def read_card(folder: Path, kind: type[AnyCard]) -> AnyCard:
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


def load_network(folder: Path, make: Callable[[], nn.Module]) -> nn.Module:
    """What ``make`` makes by the card, with its weights; evaluation mode, on the GPU if any.

    Raises:
        RarelensError: if the card names what there is not, or the weights are not readable or are
            of another network.
    """
    try:
        module = make()
    except RarelensError as error:
        raise _broken(folder / CARD, error) from error
    try:
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise _broken(folder / WEIGHTS, error) from error
    return module.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def sides(table: pd.DataFrame, training: Collection[str], validation: Collection[str]) -> list[str]:
    """Which side of a model each case of ``table`` (indexed by case) is on.

    "train" is the model's own training subset, "unused" what the pool holds beside that.
    """
    own = dict.fromkeys(validation, "validation") | dict.fromkeys(training, "train")
    of_split = {"test": "test", "validation": "validation", "pool": "unused", "unused": "unused"}
    return [
        own.get(case, of_split[split])
        for case, split in zip(table.index, table["split"], strict=True)
    ]


def fix_algorithms(threads: int) -> None:
    """Let the same work give the same bytes on one type of CPU.

    Results depend on the number of the CPU's ``threads``. Some operations have no deterministic
    CUDA form: there, PyTorch warns, and results keep to a tolerance.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=torch.cuda.is_available())


def _broken(file: Path, error: Exception) -> RarelensError:
    reason = " ".join(str(error).split())[:200]
    return RarelensError(
        f"{file}: broken, or of another version ({reason}); bring the model's folder back "
        "(`dvc checkout`), copy it anew, or train it anew"
    )

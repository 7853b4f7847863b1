"""What any trained model is: a card that tells its use, weights, and how both lie on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import pandas as pd
import torch
import torch.utils.deterministic
from annotated_types import Ge
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

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
    ``weights_sha256`` is of the weights' file; None in cards of before there was one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    classes: tuple[str, ...]
    network: Network
    fraction: str
    seed: Annotated[int, Ge(0)]
    steps: int
    selected_step: int
    weights_sha256: str | None = None


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
    file = folder / WEIGHTS
    save_file({key: value.detach().cpu().contiguous() for key, value in weights.items()}, file)
    write_json(folder / CARD, {**card.model_dump(mode="json"), "weights_sha256": _digest(file)})


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


@contextmanager
def without_numbers() -> Iterator[None]:
    """Networks that are made here take no memory and have shapes alone."""
    with torch.device("meta"), _Undrawn():
        yield


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of weights: on "meta", torch imports for 3 seconds to draw none."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return args[0] if func is Tensor.normal_ else func(*args, **(kwargs or {}))


def load_network(folder: Path, card: Card, make: Callable[[], nn.Module]) -> nn.Module:
    """What ``make`` makes by the card, with its weights; evaluation mode, on the GPU if any.

    Raises:
        RarelensError: if the card names what there is not, or the weights are not readable, are
            not those that the card tells the digest of, are of another network or another type,
            or are not finite.
    """
    try:
        # Without its numbers first: a card of impossible sizes would fill the memory.
        with without_numbers():
            expected = make().state_dict()
    except (RarelensError, RuntimeError) as error:
        raise _broken(folder / CARD, error) from error
    try:
        weights = load_file(folder / WEIGHTS)
        digest = _digest(folder / WEIGHTS)
        _check_values(weights, expected, card.weights_sha256 in (None, digest))
        module = make()
        module.load_state_dict(weights)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise _broken(folder / WEIGHTS, error) from error
    return module.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def refuse_not_finite(logits: NDArray[Any], image: str = "the image") -> None:
    """Refuse a model's logits of one image if one of them is NaN or infinite.

    Raises:
        RarelensError: if one is.
    """
    if not np.isfinite(logits).all():
        raise RarelensError(
            f"{image}: the model's logits are not all finite; look at the image's values, and "
            "at how the model's training went (history.csv)"
        )


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


def fix_algorithms(threads: int, tf32: bool = False) -> None:
    """Let the same work give the same bytes on one type of CPU.

    Results depend on the number of the CPU's ``threads``. Some operations have no deterministic
    CUDA form: there, PyTorch warns, and results keep to a tolerance. On a GPU float32 is float32,
    unless ``tf32`` lets it round what it multiplies to TensorFloat-32 (10 bits of mantissa).
    """
    # cuBLAS asks for it, to give the same bytes each time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_num_threads(threads)
    # As `torch.use_deterministic_algorithms`, which imports a compiler for seconds.
    torch.set_deterministic_debug_mode("warn" if torch.cuda.is_available() else "error")
    # Nothing is read before it is written: to fill it first is work for nothing.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32


def _check_values(weights: dict[str, Tensor], expected: dict[str, Tensor], own: bool) -> None:
    """Of another type would be cast without a word, and NaN would give maps of one class.

    The network is not made before its weights are of its shapes.
    """
    if not own:
        raise ValueError(f"other bytes than those of {CARD}'s weights_sha256")
    for name in sorted(expected.keys() ^ weights.keys()):
        raise ValueError(f"{name} is {'missing' if name in expected else 'too many'}")
    for name, value in weights.items():
        if value.shape != expected[name].shape:
            shapes = tuple(value.shape), tuple(expected[name].shape)
            raise ValueError(f"{name} is of shape {shapes[0]} in place of {shapes[1]}")
        if value.dtype != expected[name].dtype:
            raise ValueError(f"{name} is {value.dtype} in place of {expected[name].dtype}")
        if not torch.isfinite(value).all():
            raise ValueError(f"{name} is not finite everywhere")


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _broken(file: Path, error: Exception) -> RarelensError:
    reason = " ".join(str(error).split())[:200]
    return RarelensError(
        f"{file}: broken, or of another version ({reason}); bring the model's folder back "
        "(`dvc checkout`), copy it anew, or train it anew"
    )

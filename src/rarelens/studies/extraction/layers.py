"""Named layers of a network, of images or volumes: which there are, and what comes out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from rarelens.errors import RarelensError

T = TypeVar("T")
LISTED = 30
"""As many modules are named to a user who asked for one that does not exist."""


@contextmanager
def recorded(
    network: nn.Module, layers: Iterable[str], take: Callable[[Tensor], T]
) -> Iterator[dict[str, T]]:
    """Give what each forward pass within the block brings out of ``layers``, by their names.

    ``take`` sees an output at once, before a later module may overwrite it. The hooks are gone
    after the block, however it ends.
    """
    taken: dict[str, T] = {}

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        taken[name] = take(output)

    handles = []
    try:
        for name in dict.fromkeys(layers):
            module = network.get_submodule(name)
            handles.append(module.register_forward_hook(partial(hook, name)))
        yield taken
    finally:
        for handle in handles:
            handle.remove()


def check_layers(
    network: nn.Module,
    layers: Iterable[str],
    channels: int,
    size: Sequence[int],
    path: str = "layers",
) -> dict[str, tuple[int, ...]]:
    """The shapes of what ``layers`` bring out of one image, (K, *grid).

    A layer must be called once in a forward pass, give one map for each of its K channels, and
    not be overwritten afterwards (as a batch normalisation is by a ReLU in place). One blank
    image goes through the network, wherever that lies; on the device ``meta`` nothing is computed.

    Args:
        network: of images (B, channels, *size).
        layers: dotted names of modules.
        channels: of an image.
        size: of an image, along each axis.
        path: where the layers stand, for the message.

    Raises:
        RarelensError: a sentence for each layer that is none; it lists those that there are.
    """
    shapes = _candidates(network, channels, size)
    wanted = list(dict.fromkeys(layers))
    unknown = [name for name in wanted if name not in shapes]
    if unknown:
        # Shallow ones first: of hundreds of modules, those are what one looks into.
        known = sorted(shapes, key=lambda name: name.count("."))
        rest = f" (and {len(known) - LISTED} within these)" if len(known) > LISTED else ""
        listed = ", ".join(known[:LISTED]) + rest
        raise RarelensError(
            *(
                f"{path}: {name!r} is no layer with maps of {type(network).__name__}; choose one "
                f"of {listed}"
                for name in unknown
            )
        )
    return {name: shapes[name] for name in wanted}


@torch.no_grad()
def _candidates(
    network: nn.Module, channels: int, size: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    """Shapes (K, *grid) of all layers that `check_layers` accepts, in the network's order."""
    outputs: dict[str, list[tuple[Any, int]]] = {}

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        version = output._version if isinstance(output, Tensor) else 0
        outputs.setdefault(name, []).append((output, version))

    handles = [
        module.register_forward_hook(partial(hook, name))
        for name, module in network.named_modules()
        if name
    ]
    was_training = network.training
    try:
        network.eval()
        device = next(network.parameters()).device
        network(torch.zeros(1, channels, *size, device=device))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return {
        name: tuple(calls[0][0].shape[1:])
        for name, calls in outputs.items()
        if len(calls) == 1 and _is_map(*calls[0], len(size) + 2)
    }


def _is_map(output: Any, version: int, dimensions: int) -> bool:
    if not isinstance(output, Tensor) or output.dim() != dimensions:
        return False
    return output._version == version

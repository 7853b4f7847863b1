"""What a training takes at the least, held against what the machine has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rarelens.errors import RarelensError
from rarelens.studies.data.bounds import positive

GIB = 2**30
MEMORY = "RARELENS_MEMORY"
"""In the environment: GiB of the machine that will train, where it is another."""


def refuse_memory(module: nn.Module, batch: Sequence[int], settings: str, path: str) -> None:
    """Refuse a training that no run of it could fit into the machine.

    Weights, their gradients and two moments of the optimiser are in single precision; of what the
    layers give, half is counted, for some work in place or in half precision.

    Args:
        module: on the device "meta", where nothing is computed.
        batch: the shape of what it is given, (B, channels, …).
        settings: the parameters that batch and network come from, to be lowered.
        path: of the network, for the message.

    Raises:
        RarelensError: if it would take more than the GPU has or, without one, the machine.
    """
    there = machine_memory()
    need = 16 * sum(p.numel() for p in module.parameters())
    if need <= there:
        need += 2 * _given(module, torch.empty(1, *batch[1:], device="meta")) * batch[0]
    if need > there:
        raise RarelensError(
            f"params.yaml: {path}: a training takes at least {need / GIB:.3g} GiB, and there are "
            f"{there / GIB:.3g}; lower the network's "
            f"options or {settings}; or, where another machine trains, set {MEMORY} to its GiB"
        )


def machine_memory() -> float:
    """Bytes of the GPU's memory or, without one, of this machine's; or as the environment says.

    Raises:
        RarelensError: if the environment says no number above 0.
    """
    if limit := positive(MEMORY):
        return limit * GIB
    if torch.cuda.device_count():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _given(module: nn.Module, image: Tensor) -> int:
    """How many numbers the layers give of one image."""
    numbers = 0

    def count(_: nn.Module, __: Any, result: Any) -> None:
        nonlocal numbers
        numbers += result.numel() if isinstance(result, Tensor) else 0

    leaves = [own for own in module.modules() if not any(own.children())]
    handles = [own.register_forward_hook(count) for own in leaves]
    try:
        module(image)
    finally:
        for handle in handles:
            handle.remove()
    return numbers

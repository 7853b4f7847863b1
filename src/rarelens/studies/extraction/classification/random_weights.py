"""The control of saliency: the same network with weights that learnt nothing."""

from __future__ import annotations

import copy

import torch
from torch import nn

from rarelens.errors import RarelensError


def with_random_weights(network: nn.Module, seed: int) -> nn.Module:
    """A copy of ``network`` whose weights and running statistics are drawn anew.

    Every module with parameters or statistics of its own draws its initial ones by
    ``reset_parameters`` (Adebayo et al., Sanity checks for saliency maps, NeurIPS 2018: full
    randomisation). They are drawn on the CPU, so that the seed alone decides them: all cells of a
    network have the same control.

    Raises:
        RarelensError: if such a module has no ``reset_parameters``.
    """
    device = next(network.parameters()).device
    copied = copy.deepcopy(network).cpu()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, module in copied.named_modules():
            own = (*module.parameters(recurse=False), *module.buffers(recurse=False))
            reset = getattr(module, "reset_parameters", None)
            if reset is not None:
                reset()
            elif own:
                raise RarelensError(
                    f"{type(network).__name__}: {name or 'the network'} holds weights of its own "
                    "and cannot draw them anew; give it a method reset_parameters"
                )
    return copied.to(device).train(network.training)

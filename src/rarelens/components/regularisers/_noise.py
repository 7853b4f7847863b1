"""Gaussian noise that is the same on every device."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def gaussian(keys: Tensor, size: int) -> Tensor:
    """Standard normal numbers (B, ``size``), float32, a row for each key.

    A number is a function of its key and its place: uniform ones of 24 bits by integer arithmetic,
    exact anywhere, and of two of them two normal ones by the Box–Muller transform, within rounding.
    So a GPU draws what a CPU does, which its generator would not, and nothing is copied to it.

    Args:
        keys: (B,), int32.
        size: how many numbers of each.
    """
    half = (size + 1) // 2
    places = torch.arange(2 * half, dtype=torch.int32, device=keys.device)
    bits = _mixed(_mixed(places) ^ keys[:, None])
    uniform = (bits >> 8).bitwise_and_(2**24 - 1).float().mul_(2.0**-24)
    radius = uniform[:, :half].neg().add_(1).log_().mul_(-2).sqrt_()
    angle = uniform[:, half:].mul_(2 * math.pi)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], 1)[:, :size]


def _mixed(bits: Tensor) -> Tensor:
    """A permutation of 32-bit numbers by which each bit depends on all, changed in place.

    Multiply and xorshift, with constants of small bias (C. Wellons, hash-prospector, 2018).
    """
    for shift, factor in ((16, 0x604BAA5D), (15, 0x43D6CE97), (15, 1)):
        # Of signed numbers the sign is shifted in, and masked away.
        bits ^= (bits >> shift).bitwise_and_(2 ** (32 - shift) - 1)
        if factor != 1:
            bits *= factor
    return bits

"""The measures of overlap by name, for what computes them and for what reads their tables."""

from __future__ import annotations

MEASURES = (
    "dice",
    "sensitivity",
    "precision",
    "specificity",
    "volume_ratio",
    "hd95",
    "assd",
    "surface_dice",
)

"""The repository's parameters with a small study of either task."""

from __future__ import annotations

import copy
from functools import reduce
from pathlib import Path
from typing import Any

from rarelens.pipeline.parameters.reading import check, read_yaml
from rarelens.pipeline.parameters.whole import Parameters

RAW = read_yaml(Path(__file__).parents[3] / "params.yaml")
VOLUMES = [name for name, values in RAW["datasets"].items() if "patch_size" in values]
IMAGES = [name for name in RAW["datasets"] if name not in VOLUMES]
_ONE_OF_EACH = {"adjusted": [], "adjustments": [], "fractions": [1], "seeds": [0]}
SEGMENTATION = {
    "datasets": ["embedded"],
    "networks": ["unet"],
    "methods": ["cross_entropy", "asymmetric_focal"],
    "baseline": "cross_entropy",
    **_ONE_OF_EACH,
}
# Changes that add adjustments, one of which is fitted on validation cases.
FITTED = {
    "study__segmentation__adjusted": ["cross_entropy"],
    "study__segmentation__adjustments": ["threshold", "logit_adjustment"],
}
CLASSIFICATION = {
    "datasets": ["blood_cells"],
    "networks": ["light_cnn"],
    "methods": ["bce", "weighted_bce"],
    "baseline": "bce",
    **_ONE_OF_EACH,
}


def segmentation(**changes: Any) -> Parameters:
    """A study of volumes alone; `__` in a name stands for a dot."""
    off = RAW["study"]["classification"] | {"datasets": []}
    study = {"simulated": ["embedded"], "segmentation": SEGMENTATION, "classification": off}
    return _changed(study, changes)


def classification(**changes: Any) -> Parameters:
    """A study of images alone; `__` in a name stands for a dot."""
    off = RAW["study"]["segmentation"] | {"datasets": []}
    study = {"simulated": [], "segmentation": off, "classification": CLASSIFICATION}
    return _changed(study, changes)


def _changed(study: dict[str, Any], changes: dict[str, Any]) -> Parameters:
    raw = copy.deepcopy(RAW | {"study": study})
    for path, value in changes.items():
        *above, last = path.split("__")
        reduce(lambda section, step: section[step], above, raw)[last] = value
    read: Parameters = check(raw, Parameters, "")
    return read

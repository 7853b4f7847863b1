"""A digest of all that a training's weights depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def identify(parameters: Mapping[str, Any], data: str, code: str) -> str:
    """A digest of parameters, data and code.

    Args:
        parameters: plain values.
        data: the dataset's digest.
        code: digest of the stage's fingerprints: modules, and versions of numeric packages.
    """
    text = json.dumps([parameters, data, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

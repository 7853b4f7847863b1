"""A digest of all that a training's weights depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import rarelens

NUMERIC_PACKAGES = ("accelerate", "monai", "numpy", "torch")


def identify(parameters: Mapping[str, Any], data: str) -> str:
    """A digest of parameters, data, code and packages.

    Args:
        parameters: plain values.
        data: the dataset's digest.
    """
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    digest.update(data.encode())
    for file in sorted(Path(rarelens.__file__).parent.rglob("*.py")):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    for name in NUMERIC_PACKAGES:
        digest.update(f"{name}={version(name)}".encode())
    return digest.hexdigest()[:16]

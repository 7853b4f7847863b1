"""A training job: everything that decides a model's weights, and its identity."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from rarelens.studies.cells import Cell
from rarelens.studies.models.storage import INITIAL_WEIGHTS
from rarelens.studies.settings.base import Component, Section
from rarelens.studies.settings.methods import Network
from rarelens.studies.settings.stages import Training

SECTIONS = ("network", "method", "settings", "preprocess")


class Prepared(Protocol):
    """What a job asks of a prepared dataset of either task."""

    name: str
    classes: tuple[str, ...]

    def digest(self) -> str:
        """Of all that it holds."""


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """One cell's training: parameters as a stage reads them, and the digest of the stage's code.

    ``code`` is empty where nothing is trained by a stage.
    """

    cell: Cell
    network: Network
    method: Component
    settings: Training
    preprocess: Section
    code: str = ""

    @abstractmethod
    def training_cases(self, data: Any) -> list[str]:
        """The cell's training subset."""

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, the same after a way through JSON."""
        sections = {key: getattr(self, key).model_dump(mode="json") for key in SECTIONS}
        return {"cell": asdict(self.cell), **sections}

    def identity(self, data: Prepared) -> str:
        """A digest of all that the weights depend on: parameters, data, code, packages."""
        digest = data.digest()
        initial = self.network.options.get(INITIAL_WEIGHTS)
        # A file that is missing is told when the network is built.
        if initial is not None and Path(initial).is_file():
            digest += file_digest(Path(initial))
        return identify(self.as_dict(), digest, self.code)


def identify(parameters: Mapping[str, Any], data: str, code: str) -> str:
    """A digest of parameters, data and code.

    Args:
        parameters: plain values.
        data: the dataset's digest.
        code: digest of the stage's fingerprints: modules, and versions of numeric packages.
    """
    text = json.dumps([parameters, data, code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

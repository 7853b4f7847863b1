"""What the tests of both studies do: change parameters, leave trainings behind, read problems."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from rarelens.errors import RarelensError
from rarelens.pipeline.checks.validate import validate_study
from rarelens.studies.files import write_json
from rarelens.studies.training.classification.job import ClassificationJob
from rarelens.studies.training.segmentation.job import SegmentationJob

Study = Callable[..., None]


def repository_parameters() -> dict[str, Any]:
    """The repository's own, to be changed."""
    file = Path(__file__).parents[4] / "params.yaml"
    values: dict[str, Any] = YAML(typ="safe").load(file.read_text())
    return values


def written(values: dict[str, Any]) -> Study:
    """Write the parameters; the result, called, changes some by dotted path (`__` for a dot)."""

    def change(**changes: Any) -> None:
        for path, value in changes.items():
            *above, last = path.split("__")
            reduce(lambda section, step: section[step], above, values)[last] = value
        YAML().dump(values, Path("params.yaml"))

    change()
    return change


def problems() -> list[str]:
    with pytest.raises(RarelensError) as error:
        validate_study()
    return list(error.value.problems)


def leave_behind(job: SegmentationJob | ClassificationJob, seconds: float) -> None:
    """What a trained cell leaves behind: a record, and 1 MiB on disk."""
    memory = 400 + job.cell.seed
    record = {"seconds": seconds, "peak_memory_mib": memory, "parameters": job.as_dict()}
    write_json(job.cell.folder("records").with_suffix(".json"), record)
    job.cell.folder("models").mkdir(parents=True)
    (job.cell.folder("models") / "weights.safetensors").write_bytes(bytes(2**20))


def as_simulated(raw: Path) -> None:
    """Put a dataset's files where stage simulate writes its own."""
    raw.rename("simulated")
    raw.mkdir()
    Path("simulated").rename(raw / "simulated")

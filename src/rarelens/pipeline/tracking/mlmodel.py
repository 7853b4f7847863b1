"""The files of a model in MLflow: signature, an example of its input, and where its weights are."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import LoggedModel
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc import save_model
from mlflow.types import Schema, TensorSpec

from rarelens.pipeline.tracking import pyfunc
from rarelens.pipeline.tracking.recorded import RecordedCell

SIDE = 16
"""Voxels or pixels along each side of the example."""

# It tells that it looks at the example.
logging.getLogger("mlflow.pyfunc").setLevel(logging.WARNING)


def save_mlmodel(
    target: Path, cell: RecordedCell, card: dict[str, Any], model: LoggedModel
) -> None:
    """Write ``MLmodel`` and what belongs to it into the new folder ``target``."""
    pointer = target.with_name(pyfunc.POINTER)
    facts = {
        "folder": cell.model.as_posix(),
        "weights_sha256": model.tags["weights.sha256"],
        "logit_bias": cell.adjustment.get("logit_bias"),
    }
    pointer.write_text(json.dumps(facts), encoding="utf-8")
    inputs, example = _volume(card) if cell.cell.task == "segmentation" else _picture(card)
    shape = (len(card["classes"]), -1, -1, -1)[: 4 if cell.cell.task == "segmentation" else 1]
    save_model(
        target,
        loader_module=pyfunc.__name__,
        data_path=str(pointer),
        mlflow_model=Model(model_id=model.model_id, run_id=model.source_run_id),
        signature=ModelSignature(inputs, Schema([TensorSpec(np.dtype("float32"), shape)])),
        input_example=example,
        pip_requirements=["rarelens[pipeline]"],
        model_config={pyfunc.PROJECT: "."},
    )


def _volume(card: dict[str, Any]) -> tuple[Schema, Any]:
    channels = len(card["channels"])
    shape = (channels, SIDE, SIDE, SIDE)
    example = np.arange(np.prod(shape), dtype=np.float32).reshape(shape) % 7
    specs = [
        TensorSpec(np.dtype("float32"), (channels, -1, -1, -1), "image"),
        TensorSpec(np.dtype("float64"), (4, 4), "affine"),
    ]
    return Schema(specs), {"image": example, "affine": np.eye(4)}


def _picture(card: dict[str, Any]) -> tuple[Schema, Any]:
    colours = (3,) if card["channels"] == 3 else ()
    shape = (SIDE, SIDE, *colours)
    example = (np.arange(np.prod(shape)) % 251).astype(np.uint8).reshape(shape)
    return Schema([TensorSpec(np.dtype("uint8"), (-1, -1, *colours))]), example

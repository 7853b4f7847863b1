"""Models of MLflow, loaded: the trained weights by MLflow's own call."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import mlflow
import nibabel
import numpy as np
import pytest

import rarelens
from pipeline.tracking.project import BCE, leave, lock
from pipeline.tracking.test_mirror import TRAINED, leave_analysis_of_trained
from rarelens.errors import RarelensError
from rarelens.pipeline.tracking.client import connect
from rarelens.pipeline.tracking.mirror import sync
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.geometry import restore_probabilities
from rarelens.studies.models.storage import write_model
from studies.models.classification.test_classifier import build_classifier, card

ADJUSTED = Cell("segmentation", "tiny", "unet", "cross_entropy+threshold", "1", 0)


@pytest.fixture
def scan(tiny_raw: Path) -> tuple[Path, dict[str, Any]]:
    """A scan of two channels, and the same as MLflow takes it."""
    file = tiny_raw / "imagesTr/tiny_000.nii.gz"
    image = nibabel.load(file)
    array = np.moveaxis(image.get_fdata(dtype=np.float32), -1, 0)
    return file, {"image": array, "affine": image.affine}


def load(method: str, **config: str) -> Any:
    client, experiment = connect()
    (model,) = client.search_logged_models([experiment], f"tags.method = '{method}'")
    return mlflow.pyfunc.load_model(model.model_uri, model_config=config or None)


def test_a_segmentation_gives_what_rarelens_predicts(
    trained: Path, scan: tuple[Path, dict[str, Any]]
) -> None:
    leave_analysis_of_trained()
    sync([TRAINED])
    loaded = load("cross_entropy")
    file, data = scan
    rarelens.predict(TRAINED.folder("models"), file, "maps", probabilities=True)
    written = nibabel.load("maps/probabilities/tiny_000.nii.gz").get_fdata(dtype=np.float32)
    found = loaded.predict(data)
    assert np.array_equal(found, np.moveaxis(written, -1, 0))
    signature = loaded.metadata.signature.to_dict()
    assert '"shape": [2, -1, -1, -1]' in signature["inputs"]
    assert '"shape": [3, -1, -1, -1]' in signature["outputs"]
    assert loaded.predict(loaded.input_example).shape == (3, 16, 16, 16)


def test_an_adjusted_segmentation_adds_its_bias_to_the_logits(
    trained: Path, scan: tuple[Path, dict[str, Any]]
) -> None:
    leave_analysis_of_trained()
    leave(ADJUSTED, logit_bias=[0.0, 2.0, -1.0])
    lock(TRAINED)
    sync([TRAINED, ADJUSTED])
    _, data = scan
    model = rarelens.load_model(TRAINED.folder("models"))
    prepared = model.prepare(data["image"], data["affine"])
    logits = model.logits(prepared.array) + np.reshape(np.float32([0, 2, -1]), (3, 1, 1, 1))
    expected = restore_probabilities(logits, *prepared.grids)
    found = load(ADJUSTED.method).predict(data)
    assert np.array_equal(found, expected)
    # Of one voxel, and by hand: its odds change by the exponential of the bias.
    plain = load("cross_entropy").predict(data)
    odds = [each[:, 9, 9, 9] / each[0, 9, 9, 9] for each in (found, plain)]
    assert odds[0] / odds[1] == pytest.approx(np.exp([0, 2, -1]), rel=1e-3)


def test_a_classifier_gives_what_rarelens_predicts(project: Path) -> None:
    leave(BCE)
    network = build_classifier(card().network, 3, 2)
    write_model(BCE.folder("models"), network.state_dict(), card())
    lock(BCE)
    sync([BCE])
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    loaded = load("bce")
    expected = rarelens.load_model(BCE.folder("models")).probabilities(picture)
    assert np.array_equal(loaded.predict(picture), expected)
    assert loaded.predict(loaded.input_example).shape == (2,)


def test_weights_elsewhere_are_found_by_the_project_s_folder(trained: Path, tmp_path: Path) -> None:
    leave_analysis_of_trained()
    sync([TRAINED])
    (tmp_path / "elsewhere").mkdir()
    shutil.move("models", tmp_path / "elsewhere/models")
    with pytest.raises(RarelensError, match=r"weights.safetensors: not here; `dvc pull models/"):
        load("cross_entropy")
    loaded = load("cross_entropy", project=str(tmp_path / "elsewhere"))
    assert loaded.predict(loaded.input_example).shape == (3, 16, 16, 16)


def test_other_weights_than_those_that_mlflow_shows_are_refused(trained: Path) -> None:
    leave_analysis_of_trained()
    sync([TRAINED])
    (TRAINED.folder("models") / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(RarelensError, match="other weights than those of this model"):
        load("cross_entropy")


def test_nothing_of_this_machine_stands_in_a_model_s_files(trained: Path, tmp_path: Path) -> None:
    leave_analysis_of_trained()
    sync([TRAINED])
    (pointer,) = (trained / "mlruns").rglob("rarelens.json")
    assert json.loads(pointer.read_text())["folder"] == TRAINED.folder("models").as_posix()
    cases = json.loads((TRAINED.folder("models") / "model.json").read_text())["training_cases"]
    files = [file for file in pointer.parents[1].rglob("*") if file.is_file()]
    texts = "\n".join(file.read_text() for file in files)
    assert "MLmodel" in {file.name for file in files}
    assert [word for word in (*cases, str(tmp_path), str(Path.home())) if word in texts] == []

"""The page on prediction, and the examples of docstrings that need a model, do what they say."""

from __future__ import annotations

import doctest
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from conftest import OBLIQUE, preprocess
from pages import blocks
from rarelens.studies.models import prediction
from rarelens.studies.models.classification.model import build_classifier
from rarelens.studies.models.segmentation import segmenter
from rarelens.studies.models.segmentation.model import SegmenterCard, build_segmenter
from rarelens.studies.models.storage import write_model
from rarelens.studies.settings.methods import Method, Network
from shell import command
from studies.models.classification import test_classifier


@pytest.fixture
def models(offline: Path) -> Path:
    """A folder with two untrained models, a scan and two pictures, as the page has them."""
    for folder in ("models/segmenter", "models/classifier", "scans", "pictures"):
        (offline / folder).mkdir(parents=True)
    card = test_classifier.card()
    classifier = build_classifier(card.network, 3, 2)
    write_model(offline / "models/classifier", classifier.state_dict(), card)
    network = Network(network="unet", channels=[4, 8])
    own = SegmenterCard(
        dataset="mydata",
        classes=("background", "lesion"),
        network=network,
        fraction="1",
        seed=0,
        steps=1,
        selected_step=1,
        channels=("T1",),
        rare_classes=(1,),
        preprocess=preprocess(),
        patch_size=(16, 16, 16),
        method=Method(objective="cross_entropy"),
        training_cases=(),
        validation_cases=(),
        gradient_evaluations=1,
    )
    write_model(offline / "models/segmenter", build_segmenter(network, 1, 2).state_dict(), own)
    rng = np.random.default_rng(0)
    scan = nib.Nifti1Image(rng.normal(10, 1, (18, 20, 16)).astype(np.float32), OBLIQUE)
    nib.save(scan, offline / "scans/patient_1.nii.gz")
    for name in ("a", "b"):
        picture = rng.integers(0, 256, (20, 30), np.uint8)
        Image.fromarray(picture).save(offline / f"pictures/{name}.png")
    return offline


@pytest.mark.parametrize("module", [prediction, segmenter])
@pytest.mark.usefixtures("models")
def test_examples_of_docstrings(module: object) -> None:
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_the_page_to_the_letter(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict = {}
    for kind, _, content in blocks("how-to/predict.md"):
        if kind == "python":
            exec(content, names)
        else:
            assert command(monkeypatch, *shlex.split(content)[1:]) == 0
    written = np.asarray(nib.load("maps/probabilities/patient_1.nii.gz").dataobj)
    # nnU-Net's axes are the file's own, the other way round.
    stored = np.load("maps/patient_1.npz")["probabilities"]
    assert stored.shape == (2, 16, 20, 18)
    assert stored[1, 3, 5, 7] == written[7, 5, 3, 1]
    np.testing.assert_array_equal(names["probabilities"], np.moveaxis(written, -1, 0))
    for folder in ("maps", "more_maps"):
        label_map = nib.load(models / folder / "patient_1.nii.gz").dataobj
        np.testing.assert_array_equal(label_map, names["label_map"])
    assert list(pd.read_csv("scores/probabilities.csv").columns) == ["image", "a", "b"]

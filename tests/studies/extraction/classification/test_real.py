"""The real readers and writers: blood cells prepared from files, a classifier loaded from disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.data.classification.preprocessing import prepare_images
from rarelens.studies.extraction.classification.extract import extract_cell
from rarelens.studies.models.classification.model import ClassifierCard, build_classifier
from rarelens.studies.models.storage import write_model
from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSplit
from rarelens.studies.settings.classification.stages import ExtractClassification
from rarelens.studies.settings.methods import ClassificationMethod, Layers, Network

PREPROCESS = ImagePreprocess(
    image_size=(48, 48),
    resize="stretch",
    channels="rgb",
    intensity="full_range",
    dtype="uint8",
    uncertain="zeros",
    classes=None,
)
SPLIT = ImageSplit(seed=0, test=0.4, validation=0.1, official=True, file=None, group=None)


@pytest.fixture(scope="module")
def blood_cells(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedImages:
    folder = tmp_path_factory.mktemp("prepared")
    raw = real_data / "bccd_tiles_96px"
    prepare_images("blood_cells", "coco", raw, folder, PREPROCESS, SPLIT)
    return PreparedImages(folder)


@pytest.fixture(scope="module")
def saved(blood_cells: PreparedImages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier drawn at random, as if trained on half of the pool."""
    data, folder = blood_cells, tmp_path_factory.mktemp("model")
    table = data.table
    card = ClassifierCard(
        dataset=data.name,
        classes=data.classes,
        channels=data.channels,
        size=data.size,
        mean=data.mean,
        std=data.std,
        preprocess=PREPROCESS,
        network=Network.model_validate({"network": "light_cnn"}),
        method=ClassificationMethod(objective="bce"),
        adjustment=None,
        fraction="0.5",
        seed=0,
        training_images=tuple(table.index[table["split"] == "pool"][::2]),
        validation_images=tuple(table.index[table["split"] == "validation"]),
        steps=0,
        selected_step=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = build_classifier(card.network, data.channels, len(data.classes))
    write_model(folder, network.state_dict(), card)
    (folder / "history.csv").write_text("step\n")
    return folder


def test_a_saved_classifier_is_applied_to_real_images(
    blood_cells: PreparedImages,
    saved: Path,
    make_settings: Callable[..., ExtractClassification],
    tmp_path: Path,
) -> None:
    layers = Layers(units=("stage3", "stage4"), saliency="stage4")
    settings = make_settings(batch_size=64, probe_images=60)
    extract_cell(saved, blood_cells, tmp_path, settings, layers)

    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert len(scores) == len(blood_cells.table)
    assert set(scores["side"]) == {"train", "validation", "test", "unused"}
    probe = pd.read_parquet(tmp_path / "probe.parquet")
    assert len(probe) == 60
    saliency = pd.read_parquet(tmp_path / "saliency.parquet")
    # Every label of this dataset is there because of a box.
    assert (saliency["concept"] >= 0).all()
    concepts = blood_cells.concepts.loc[saliency["concept"]]
    np.testing.assert_array_equal(concepts["row"], saliency["row"])
    np.testing.assert_array_equal(concepts["class"], saliency["class"])
    # Where the head has the mean of the last maps, so have the features.
    features = np.load(tmp_path / "features" / "stage4.npy")[probe["row"]]
    maps = np.load(tmp_path / "activations" / "stage4.npy")
    assert maps.shape == (60, 96, 6, 6)
    np.testing.assert_allclose(maps.mean((2, 3), np.float64), features, rtol=1e-2, atol=1e-3)

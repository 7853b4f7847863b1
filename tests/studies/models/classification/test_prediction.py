"""A classifier applied to new pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rarelens.errors import RarelensError
from rarelens.studies.models.classification.model import build_classifier
from rarelens.studies.models.prediction import load_model, predict
from rarelens.studies.models.storage import write_model
from shell import command
from studies.models.classification.test_classifier import card


@pytest.fixture
def model(offline: Path) -> Path:
    """A model of two classes, and three pictures in ``in/``."""
    (offline / "model").mkdir()
    write_model(offline / "model", build_classifier(card().network, 3, 2).state_dict(), card())
    (offline / "in").mkdir()
    rng = np.random.default_rng(0)
    for name, shape in (("a", (30, 20, 3)), ("b", (16, 16)), ("c", (9, 40))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(offline / f"in/{name}.png")
    (offline / "in/notes.txt").write_text("")
    return offline / "model"


def test_a_table_of_probabilities(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(monkeypatch, "predict", model, "in", "--output", "out") == 0
    table = pd.read_csv("out/probabilities.csv", index_col="image")
    assert list(table.columns) == ["a", "b"]
    assert list(table.index) == ["in/a.png", "in/b.png", "in/c.png"]
    assert ((table > 0) & (table < 1)).all(axis=None)
    picture = np.asarray(Image.open("in/a.png"))
    loaded = load_model(model)
    assert loaded.probabilities(picture) == pytest.approx(table.loc["in/a.png"], rel=1e-4)
    assert loaded.logits(picture) == pytest.approx(
        np.log(table.loc["in/a.png"] / (1 - table.loc["in/a.png"])), abs=1e-4
    )


def test_a_bad_picture_is_told_and_the_others_are_in_the_table(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("in/b.png").write_bytes(b"1234")
    assert command(monkeypatch, "predict", model, "in") == 1
    said = capsys.readouterr()
    assert said.out.split() == ["predictions/probabilities.csv"]
    assert "error: in/b.png: not readable as an image" in said.err
    table = pd.read_csv("predictions/probabilities.csv")
    assert list(table["image"]) == ["in/a.png", "in/c.png"]


def test_refusals(model: Path) -> None:
    with pytest.raises(RarelensError, match="nowhere: no such image, or folder of images"):
        predict(model, "nowhere")
    Path("predictions").mkdir()
    Path("predictions/probabilities.csv").write_text("mine")
    with pytest.raises(RarelensError, match="exists already"):
        predict(model, "in")
    assert predict(model, "in", overwrite=True) == [Path("predictions/probabilities.csv")]

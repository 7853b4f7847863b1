"""A writer of small classification analyses, for the tests of their comparison."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.cells import Cell

CLASSES = ["common", "middle", "rare", "absent"]
LAYERS = ["block.1", "block.2"]
MEASURES = ["pointing_game", "energy_inside", "soft_iou", "iou@0.5"]


@dataclass
class Model:
    """What a test says of a model; labels and groups are the same for all of a study.

    ``energy`` is each image's mean alignment, ``features`` a matrix (images, D) for all layers.
    """

    logits: np.ndarray
    energy: float = 0.3
    detectors: int = 3
    features: np.ndarray | None = None
    noise: int = 0
    drop: list[int] = field(default_factory=list)


@dataclass
class Study:
    """Test images of a study: ``labels`` (n, 4) and ``groups`` (n,)."""

    labels: np.ndarray
    groups: list[str]
    analyses: Path

    def write(self, cell: Cell, model: Model) -> None:
        """Write the analysis of one cell."""
        folder = cell.folder(str(self.analyses))
        (folder / "features").mkdir(parents=True)
        about = {
            "classes": CLASSES,
            "layers": LAYERS,
            "saliency": ["grad_cam"],
            "class_groups": ["head", "mid", "tail", "tail"],
        }
        (folder / "analysis.json").write_text(json.dumps(about))
        scores = self.scores(model)
        tables = {
            "scores": scores,
            "prediction": _prediction(),
            "shift": _shift(),
            "alignment": self._alignment(scores, model),
            "dissection": _dissection(model.detectors),
            "components": _components(),
            "representation": _representation(),
        }
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)
        features = model.logits if model.features is None else model.features
        for layer in LAYERS:
            np.save(folder / "features" / f"{layer}.npy", features.astype(np.float32))

    def scores(self, model: Model) -> pd.DataFrame:
        number = len(self.groups)
        table = pd.DataFrame({"image": [f"image_{n:03d}" for n in range(number)]})
        table["group"], table["side"], table["row"] = self.groups, "test", range(number)
        for index in range(len(CLASSES)):
            table[f"logit_{index}"] = model.logits[:, index].astype(np.float32)
            table[f"label_{index}"] = self.labels[:, index].astype(np.float32)
        return table

    def _alignment(self, scores: pd.DataFrame, model: Model) -> pd.DataFrame:
        rng = np.random.default_rng([7, model.noise])
        rows = []
        for image in range(0, len(scores), 2):
            for index in np.flatnonzero(self.labels[image] == 1):
                if image in model.drop:
                    continue
                key = scores.loc[image, ["image", "group", "row"]].to_dict()
                key |= {"class": int(index), "method": "grad_cam", "zero": False}
                key |= {"logit": float(scores.loc[image, f"logit_{index}"])}
                noise = rng.normal(0, 0.05)
                for kind in ("model", "random_weights", "centre", "uniform"):
                    value = model.energy + noise if kind == "model" else 0.1
                    for side in ("test", "train"):
                        rows += [
                            {**key, "side": side, "map": kind, "measure": m, "value": value}
                            for m in MEASURES
                            if side == "test" or kind == "model"
                        ]
        table = pd.DataFrame(rows)
        table.loc[table["side"] == "train", "value"] = 99.0
        return table


def _prediction() -> pd.DataFrame:
    names = [(-1, "mean"), (-1, "head"), *((index, "class") for index in range(3))]
    rows = [
        {"side": side, "class": index, "group": group, "measure": measure, "value": value}
        for index, group in names
        for side, value in (("test", 0.5), ("validation", 9.0))
        for measure in ("f1", "threshold", "auroc")
    ]
    return pd.DataFrame(rows)


def _shift() -> pd.DataFrame:
    rows = [
        {"class": 0, "sign": sign, "statistic": "mean", "difference": value}
        for sign, value in (("positive", -1.0), ("negative", 0.25))
    ]
    return pd.DataFrame([*rows, {**rows[0], "statistic": "q05"}])


def _dissection(detectors: int) -> pd.DataFrame:
    rows = [
        {
            "layer": layer,
            "unit": unit,
            "class": index,
            "detects": unit < detectors and index == unit % 2,
            "detects_beyond_null": unit == 0 and index == 0,
            "dead": unit == 9,
        }
        for layer in LAYERS
        for unit in range(10)
        for index in range(4)
    ]
    return pd.DataFrame(rows)


def _components() -> pd.DataFrame:
    rows = [
        {"layer": layer, "class": index, "side": "test", "image": image, "components": value}
        for layer in LAYERS
        for index in (0, 2)
        for image, value in (("a", 1.0), ("b", 2.0 + index))
    ]
    return pd.DataFrame(rows)


def _representation() -> pd.DataFrame:
    rows = [
        {"layer": layer, "measure": measure, "class": index, "value": value}
        for layer in LAYERS
        for measure, index, value in (
            ("effective_rank", -1, 3.0),
            ("linear_probe_auroc", -1, 0.8),
            ("linear_probe_auroc", 3, np.nan),
        )
    ]
    return pd.DataFrame(rows)


def make_study(folder: Path) -> Study:
    """160 test images of 40 patients; the last class has no positive."""
    rng = np.random.default_rng(0)
    labels = (rng.random((160, 4)) < [0.5, 0.3, 0.1, 0.0]).astype(float)
    labels[3, 0] = np.nan
    return Study(labels, [f"patient_{n // 4}" for n in range(160)], folder)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study of the test's own, without any cell."""
    return make_study(tmp_path)


@pytest.fixture(scope="module")
def shared_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study that the tests of a module share; do not change what is written."""
    return make_study(tmp_path_factory.mktemp("analyses"))


@pytest.fixture(scope="session")
def make_logits() -> Callable[..., np.ndarray]:
    """Logits of a model that tells the classes apart by ``gap``; other ``noise``, other errors."""

    def make(study: Study, gap: float, noise: int) -> np.ndarray:
        rng = np.random.default_rng([11, noise])
        return rng.normal(gap * np.nan_to_num(study.labels) - 1, 1)

    return make


@pytest.fixture(scope="session")
def make_model() -> type[Model]:
    """`Model`."""
    return Model

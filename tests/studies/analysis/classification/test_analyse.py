"""A whole cell, analysed from an extract and a prepared dataset written by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from rarelens.errors import RarelensError
from rarelens.studies.analysis.classification.analyse import analyse_cell
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.classification.compare import compare
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.settings.classification.stages import AnalyseClassification
from rarelens.studies.settings.results import Compare

CLASSES = ["common", "rare", "absent"]
NUMBER, SIZE = 60, 12
SETTINGS = AnalyseClassification(
    bootstrap=50,
    confidence=0.95,
    calibration_bins=5,
    head_above=0.3,
    tail_below=0.25,
    quantile=0.05,
    iou_threshold=0.04,
    maps="native",
    ceiling_share=0.3,
    permutations=20,
    null_level=0.95,
    exact_quantile_values=100_000,
    alignment_thresholds=(0.5,),
    probe_regularisation=1.0,
    panels=2,
    seed=0,
)


def labels_of(rng):
    labels = (rng.random((NUMBER, 3)) < [0.5, 0.2, 0]).astype(np.float32)
    labels[:4, :2] = 1 - np.eye(2)[[0, 1, 0, 1]]
    return labels


@pytest.fixture
def prepared(tmp_path):
    """Images with a bright square in the class's own corner, which is its region."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "prepared"
    folder.mkdir()
    labels = labels_of(rng)
    images = rng.integers(0, 50, (NUMBER, 1, SIZE, SIZE)).astype(np.uint8)
    concepts, masks = [], []
    for row, index in zip(*np.nonzero(labels == 1), strict=True):
        mask = np.zeros((SIZE, SIZE), bool)
        mask[1:5, 1 + 6 * index : 5 + 6 * index] = True
        images[row, 0][mask] = 200
        concepts.append({"row": row, "class": index, "area": mask.mean(), "source": "box"})
        masks.append(mask)
    boxes = pd.DataFrame(concepts)[["row", "class"]].assign(x=1.0, y=1.0, width=4.0, height=4.0)
    boxes["x"] += 6 * boxes["class"]
    table = pd.DataFrame({"image": [f"image_{n:02d}" for n in range(NUMBER)]})
    table["group"] = [f"patient_{n // 2}" for n in range(NUMBER)]
    table["split"] = np.repeat(["pool", "validation", "test"], [28, 12, 20])
    table["labels"] = labels.tolist()
    table.to_parquet(folder / "images.parquet", index=False)
    boxes.to_parquet(folder / "boxes.parquet", index=False)
    pd.DataFrame(concepts).to_parquet(folder / "concepts.parquet", index=False)
    np.save(folder / "images.npy", images)
    np.save(folder / "concepts.npy", np.stack(masks))
    about = {"name": "tiny", "classes": CLASSES, "channels": 1, "size": [SIZE, SIZE]}
    about |= {"dtype": "uint8", "mean": [0.2], "std": [0.1]}
    (folder / "dataset.json").write_text(json.dumps(about))
    return PreparedImages(folder)


@pytest.fixture
def extract(prepared, tmp_path):
    """Four units, of which 0 and 1 fire in the regions of their class."""
    return write_extract(prepared, tmp_path / "extract", seed=0)


def write_extract(prepared, folder, seed, probe_images=NUMBER):
    rng = np.random.default_rng([4, seed])
    for name in ("features", "activations", "saliency"):
        (folder / name).mkdir(parents=True)
    labels = prepared.labels(np.arange(NUMBER))
    logits = rng.normal(2 * labels - 1, 1).astype(np.float32)
    scores = prepared.table.reset_index()[["image", "group", "row"]]
    sides = {"pool": "train", "validation": "validation", "test": "test"}
    scores["side"] = prepared.table["split"].map(sides).to_numpy()
    for index in range(3):
        scores[f"logit_{index}"] = logits[:, index]
        scores[f"label_{index}"] = labels[:, index]
    scores.to_parquet(folder / "scores.parquet", index=False)
    rows = np.unique(prepared.concepts["row"])[:probe_images]
    probe = scores.set_index("row").loc[rows].reset_index()[["image", "group", "side", "row"]]
    probe.to_parquet(folder / "probe.parquet", index=False)
    activations = rng.random((len(rows), 4, SIZE, SIZE)) * 0.1
    places = {row: place for place, row in enumerate(rows)}
    concepts = prepared.concepts[prepared.concepts["row"].isin(rows)]
    for position, concept in concepts.iterrows():
        activations[places[concept["row"]], concept["class"]][prepared.masks([position])[0]] += 1
    np.save(folder / "activations" / "block.npy", activations.astype(np.float16))
    features = np.column_stack([logits, rng.normal(size=NUMBER)]).astype(np.float32)
    np.save(folder / "features" / "block.npy", features)
    maps = concepts[["row", "class"]].reset_index(names="concept")
    maps["map"] = np.arange(len(maps))
    maps["image"] = scores["image"].to_numpy()[maps["row"]]
    maps["side"] = scores["side"].to_numpy()[maps["row"]]
    maps["logit"] = logits[maps["row"], maps["class"]]
    maps["zero_grad_cam"] = maps["map"] == 0
    heat = prepared.masks(maps["concept"].to_numpy()).astype(np.float16)
    heat[:1] = 0
    np.save(folder / "saliency" / "grad_cam.npy", heat)
    np.save(folder / "saliency" / "grad_cam_random.npy", rng.random(heat.shape).astype(np.float16))
    maps.to_parquet(folder / "saliency.parquet", index=False)
    about = {"classes": CLASSES, "layers": ["block"], "saliency": ["grad_cam"]}
    (folder / "extract.json").write_text(json.dumps(about | {"size": [SIZE, SIZE]}))
    (folder / "history.csv").write_text("step,loss\n1,0.5\n")
    return folder


def test_a_cell_is_analysed_and_its_numbers_summed_up(extract, prepared, tmp_path):
    target = tmp_path / "analysis"
    target.mkdir()
    analyse_cell(extract, prepared, target, SETTINGS)
    about = json.loads((target / "analysis.json").read_text())
    train = prepared.labels(prepared.rows("pool"))
    assert about["prevalence"] == pytest.approx(train.mean(axis=0).tolist())
    assert about["class_groups"] == ["head", "tail", "tail"]
    maps = pd.read_parquet(extract / "saliency.parquet")
    assert about["zero_maps"]["grad_cam"] == pytest.approx(1 / len(maps))
    assert (about["training_images"], about["test_images"]) == (28, 20)
    assert about["test_groups"] == 10
    scores = pd.read_parquet(target / "scores.parquet")
    assert len(scores) == len(np.load(target / "features" / "block.npy")) == 20
    summary = json.loads((target / "summary.json").read_text())
    expected = roc_auc_score(scores["label_0"], scores["logit_0"])
    assert summary["class"]["common"]["auroc"] == pytest.approx(expected)
    assert "auroc" not in summary["class"]["absent"]
    assert summary["layers"]["block"]["concepts"] == 2
    assert summary["alignment"]["energy_inside"] > 0.8
    assert (target / "history.csv").read_text() == (extract / "history.csv").read_text()


def test_analyses_can_be_compared(prepared, tmp_path):
    cells = []
    for seed, method in enumerate(("bce", "focal")):
        cell = Cell("classification", "tiny", "net", method, "1", 0)
        extract = write_extract(prepared, tmp_path / method, seed)
        target = cell.folder(str(tmp_path / "analyses"))
        target.mkdir(parents=True)
        analyse_cell(extract, prepared, target, SETTINGS)
        cells.append(cell)
    settings = Compare(bootstrap=50, confidence=0.95, equivalence=0.02, least_positives=1, seed=0)
    found = compare(cells, tmp_path / "analyses", "bce", settings)
    means = found[0].set_index(["method", "measure", "class", "layer"])["mean"]
    assert means["focal", "unique_concepts", "mean", "block"] == 2
    assert means["focal", "energy_inside", "mean", ""] > means["focal", "energy_inside_uniform",
                                                               "mean", ""]  # fmt: skip
    quantities = set(found[1]["quantity"])
    assert {"auroc", "performs_alike", "energy_inside_matched", "cka"} <= quantities


def test_a_dataset_without_any_region_breaks_nothing(prepared, tmp_path):
    cell = Cell("classification", "tiny", "net", "bce", "1", 0)
    extract = write_extract(prepared, tmp_path / "extract", 0, probe_images=0)
    target = cell.folder(str(tmp_path / "analyses"))
    target.mkdir(parents=True)
    analyse_cell(extract, prepared, target, SETTINGS)
    assert pd.read_parquet(target / "alignment.parquet").empty
    settings = Compare(bootstrap=50, confidence=0.95, equivalence=0.02, least_positives=1, seed=0)
    found = compare([cell], tmp_path / "analyses", "bce", settings)[0]
    assert np.isfinite(found[found["measure"] == "auroc"]["mean"].iloc[0])


def test_mistakes_are_told(extract, prepared, tmp_path):
    with pytest.raises(RarelensError, match="there is no extract; run stage extract first"):
        analyse_cell(tmp_path / "nowhere", prepared, tmp_path, SETTINGS)
    about = json.loads((extract / "extract.json").read_text())
    (extract / "extract.json").write_text(json.dumps(about | {"classes": ["other"]}))
    with pytest.raises(RarelensError, match="its classes are not those of dataset tiny"):
        analyse_cell(extract, prepared, tmp_path, SETTINGS)

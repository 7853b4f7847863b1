from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from rarelens.errors import RarelensError
from rarelens.studies.extraction.classification.extract import extract_cell
from rarelens.studies.settings.methods import Layers

TRAINING = ["i02", "i03", "i06", "i22"]
ALL = ("grad_cam", "integrated_gradients", "occlusion")


@pytest.fixture
def extract(model, make_settings, layers, tmp_path) -> Callable[..., Path]:
    """Extracts of a model of the data, into a new folder each time."""

    def run(data: Any, **changes: Any) -> Path:
        target = tmp_path / f"extracts{len(list(tmp_path.glob('extracts*')))}"
        target.mkdir()
        folder = model(data, TRAINING)
        extract_cell(folder, data, target, make_settings(**changes), layers)
        return target

    return run


def files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_all_files_of_the_contract_are_written(extract, tiny_images) -> None:
    assert sorted(files(extract(tiny_images, saliency=ALL))) == [
        "activations/act.npy",
        "activations/block.0.npy",
        "extract.json",
        "features/act.npy",
        "features/block.0.npy",
        "history.csv",
        "probe.parquet",
        "saliency.parquet",
        *sorted(f"saliency/{m}{suffix}.npy" for m in ALL for suffix in ("", "_random")),
        "scores.parquet",
    ]


def test_scores_hold_every_image_with_its_logits_labels_and_side(
    extract, network, tiny_images
) -> None:
    scores = pd.read_parquet(extract(tiny_images) / "scores.parquet")
    with torch.no_grad():
        logits = network(torch.from_numpy(tiny_images.images(np.arange(24)))).numpy()
    np.testing.assert_allclose(scores[[f"logit_{c}" for c in range(3)]], logits, rtol=1e-5)
    labels = scores[[f"label_{c}" for c in range(3)]]
    np.testing.assert_array_equal(labels, tiny_images.labels(np.arange(24)))
    assert np.isnan(scores["label_1"][3])
    assert set(map(str, scores.filter(regex="logit|label").dtypes)) == {"float32"}
    assert scores["image"].tolist() == tiny_images.table.index.tolist()
    assert scores["group"].tolist() == tiny_images.table["group"].tolist()
    sides = dict(zip(scores["image"], scores["side"], strict=True))
    assert sides["i00"] == sides["i20"] == "test"
    assert sides["i01"] == sides["i21"] == "validation"
    assert {image for image, side in sides.items() if side == "train"} == set(TRAINING)
    assert sides["i07"] == sides["i23"] == "unused"


def test_features_are_spatial_means_of_all_images(extract, network, tiny_images) -> None:
    target = extract(tiny_images)
    with torch.no_grad():
        images = torch.from_numpy(tiny_images.images(np.arange(24)))
        act = torch.relu(network.stem(images))
        expected = {"act": act, "block.0": network.block[0](act)}
    for name, maps in expected.items():
        features = np.load(target / "features" / f"{name}.npy")
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, maps.mean((2, 3)).numpy(), rtol=1e-4, atol=1e-6)


def test_activations_are_of_the_images_with_concepts(extract, network, tiny_images) -> None:
    target = extract(tiny_images)
    probe = pd.read_parquet(target / "probe.parquet")
    rows = sorted(set(tiny_images.concepts["row"]))
    assert probe["row"].tolist() == rows
    assert probe.columns.tolist() == ["image", "group", "side", "row"]
    assert {"train", "test", "unused"} <= set(probe["side"])
    with torch.no_grad():
        act = torch.relu(network.stem(torch.from_numpy(tiny_images.images(np.array(rows)))))
    activations = np.load(target / "activations" / "act.npy")
    assert activations.dtype == np.float16
    np.testing.assert_allclose(activations, act.numpy(), rtol=1e-3, atol=1e-6)
    block = np.load(target / "activations" / "block.0.npy")
    assert block.shape == (len(rows), 5, 6, 5)


def test_a_map_for_every_probe_image_and_present_label(extract, tiny_images) -> None:
    target = extract(tiny_images)
    table = pd.read_parquet(target / "saliency.parquet")
    probe, scores = (pd.read_parquet(target / f"{n}.parquet") for n in ("probe", "scores"))
    expected = [
        (row, c) for row in probe["row"] for c in range(3) if tiny_images._labels[row, c] == 1
    ]
    assert list(zip(table["row"], table["class"], strict=True)) == expected
    assert table["map"].tolist() == list(range(len(expected)))
    # The second class has no region anywhere.
    assert {0, 1, 2} == set(table["class"])
    assert ((table["concept"] == -1) == (table["class"] == 1)).all()
    for entry in table[table["concept"] >= 0].itertuples():
        concept = tiny_images.concepts.iloc[entry.concept]
        assert (concept["row"], concept["class"]) == (entry.row, entry[5])
    for entry in table.itertuples():
        assert entry.logit == scores[f"logit_{entry[5]}"][entry.row]
    assert np.load(target / "saliency" / "grad_cam.npy").shape == (len(expected), 6, 5)


def test_maps_without_any_saliency_are_flagged_and_kept(extract, network, tiny_images) -> None:
    with torch.no_grad():
        network.head.weight[0] = 0
        network.head.weight[1].abs_()
    target = extract(tiny_images, saliency=ALL)
    table = pd.read_parquet(target / "saliency.parquet")
    for method in ALL:
        assert table[f"zero_{method}"].dtype == bool
        assert table.loc[table["class"] == 0, f"zero_{method}"].all()
        assert not table.loc[table["class"] == 1, f"zero_{method}"].all()
        for name in (method, f"{method}_random"):
            maps = np.load(target / "saliency" / f"{name}.npy")
            assert maps.dtype == np.float16
            assert (maps >= 0).all()
            flags = (maps == 0).all((1, 2))
            np.testing.assert_array_equal(flags, table[f"zero_{name}"])
            np.testing.assert_array_equal(maps.max((1, 2)), ~flags)
            np.testing.assert_array_equal(table[f"peak_{name}"] == 0, flags)


def test_the_control_is_the_same_for_every_model(extract, network, tiny_images) -> None:
    first = files(extract(tiny_images))
    with torch.no_grad():
        network.head.weight.neg_()
    second = files(extract(tiny_images))
    assert first["saliency/grad_cam_random.npy"] == second["saliency/grad_cam_random.npy"]
    assert first["saliency/grad_cam.npy"] != second["saliency/grad_cam.npy"]


def test_the_same_bytes_twice(extract, tiny_images) -> None:
    assert files(extract(tiny_images, saliency=ALL)) == files(extract(tiny_images, saliency=ALL))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batch_size_changes_rounding_only(extract, tiny_images, batch_size) -> None:
    """float32 sums in another order: to 1e-5; then float16, of which neighbours differ by 1e-3."""
    one, other = (extract(tiny_images, saliency=ALL, batch_size=size) for size in (4, batch_size))
    for name in files(one):
        if name.endswith(".npy"):
            a, b = (np.load(folder / name).astype(np.float64) for folder in (one, other))
            tolerance = 1e-5 if name.startswith("features") else 2e-3
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
        elif name.endswith(".parquet"):
            frames = (pd.read_parquet(folder / name) for folder in (one, other))
            pd.testing.assert_frame_equal(*frames, rtol=1e-4, atol=1e-6)


def test_another_order_of_images_changes_nothing_of_theirs(extract, tiny_images) -> None:
    order = np.random.default_rng(1).permutation(24)
    one = extract(tiny_images)
    other = extract(type(tiny_images)(order.tolist()))
    for name in ("act", "block.0"):
        a, b = (np.load(folder / "features" / f"{name}.npy") for folder in (one, other))
        np.testing.assert_allclose(a[order], b, rtol=1e-5, atol=1e-6)
        a, b = (np.load(folder / "activations" / f"{name}.npy") for folder in (one, other))
        first, second = (
            pd.read_parquet(folder / "probe.parquet")["row"].to_numpy() for folder in (one, other)
        )
        places = [first.tolist().index(order[row]) for row in second]
        np.testing.assert_allclose(a[places], b, rtol=2e-3, atol=1e-6)


def test_a_bounded_probe_set_is_the_same_for_all_models(extract, network, tiny_images) -> None:
    first = pd.read_parquet(extract(tiny_images, probe_images=4) / "probe.parquet")
    with torch.no_grad():
        network.head.weight.neg_()
    second = pd.read_parquet(extract(tiny_images, probe_images=4) / "probe.parquet")
    assert len(first) == 4
    pd.testing.assert_frame_equal(first, second)


def test_data_without_concepts_give_empty_arrays(extract, tiny_images) -> None:
    tiny_images.concepts = tiny_images.concepts.iloc[:0]
    target = extract(tiny_images, saliency=ALL)
    assert np.load(target / "activations" / "block.0.npy").shape == (0, 5, 6, 5)
    assert np.load(target / "saliency" / "occlusion.npy").shape == (0, 12, 10)
    assert np.load(target / "features" / "act.npy").shape == (24, 4)
    table = pd.read_parquet(target / "saliency.parquet")
    assert len(table) == 0
    assert {"class", "concept", "logit", "zero_grad_cam"} <= set(table.columns)


def test_values_beyond_float16_are_clipped_and_counted(extract, network, tiny_images) -> None:
    with torch.no_grad():
        network.stem.weight[1] *= 1e6
    target = extract(tiny_images)
    activations = np.load(target / "activations" / "act.npy")
    assert activations.max() == np.finfo(np.float16).max
    facts = json.loads((target / "extract.json").read_text())
    assert facts["clipped_activations"]["act"] > 0
    assert (activations == np.finfo(np.float16).max).sum() >= facts["clipped_activations"]["act"]
    facts.pop("clipped_activations")
    assert facts == {
        "classes": ["common", "middling", "rare"],
        "layers": ["act", "block.0"],
        "saliency": ["grad_cam"],
        "saliency_layer": "block",
        "size": [12, 10],
    }


def test_an_unknown_layer_is_refused_before_anything_is_written(
    model, make_settings, tiny_images, tmp_path
) -> None:
    folder, target = model(tiny_images, TRAINING), tmp_path / "out"
    target.mkdir()
    layers = Layers(units=("stem",), saliency="blocks")
    with pytest.raises(RarelensError) as error:
        extract_cell(folder, tiny_images, target, make_settings(), layers)
    assert len(error.value.problems) == 2
    assert "choose one of act, block, block.0, block.1, block.2" in error.value.problems[1]
    assert not list(target.iterdir())


def test_a_model_of_other_data_is_refused(
    model, make_settings, layers, tiny_images, tmp_path
) -> None:
    folder = model(tiny_images, ["i02", "absent"], classes=("a", "b", "c"), mean=(0.1, 0.4))
    with pytest.raises(RarelensError) as error:
        extract_cell(folder, tiny_images, tmp_path, make_settings(), layers)
    classes, intensity, images = error.value.problems
    assert "classes ['a', 'b', 'c'] are not those of tiny" in classes
    assert "mean and std [0.1, 0.4, 0.3, 0.2] are not those of tiny, [0.5, " in intensity
    assert "1 images that tiny lacks (absent, …)" in images


def test_logits_that_are_not_finite_are_told(extract, network, tiny_images) -> None:
    with torch.no_grad():
        network.head.bias[0] = torch.nan
    with pytest.raises(RarelensError, match="tiny: i00: the model's logits are not finite"):
        extract(tiny_images)

"""Alignment and dissection tables of an extract whose units and maps are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from rarelens.measures import alignment
from rarelens.measures.dissection import dissect
from rarelens.measures.upsampling import resize
from rarelens.studies.analysis.classification.alignment_tables import write_alignment
from rarelens.studies.analysis.classification.dissection_tables import write_dissection
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.settings.classification.stages import AnalyseClassification

IMAGES, SIZE, UNITS, GRID = 24, 16, 5, 8
SETTINGS = AnalyseClassification(
    bootstrap=10,
    confidence=0.95,
    calibration_bins=5,
    head_above=0.3,
    tail_below=0.1,
    quantile=0.1,
    iou_threshold=0.04,
    maps="native",
    ceiling_share=0.3,
    permutations=30,
    null_level=0.95,
    exact_quantile_values=1_000_000,
    alignment_thresholds=(0.25, 0.5),
    probe_regularisation=1.0,
    panels=4,
    seed=0,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """16-bit colour images; class 0 on the left of the even ones, rare class 1 on the right."""
    folder = tmp_path_factory.mktemp("prepared")
    rng = np.random.default_rng(0)
    regions, masks = [], []
    for row in range(IMAGES):
        for index in range(2):
            if row % (2, 6)[index] == 0:
                mask = np.zeros((SIZE, SIZE), bool)
                top = (row * 5) % 11
                mask[top : top + 6, 1 + 8 * index : 6 + 8 * index] = True
                regions.append({"row": row, "class": index, "x": 1.0 + 8 * index, "y": float(top)})
                masks.append(mask)
    concepts = pd.DataFrame(regions)
    boxes = concepts.assign(width=5.0, height=6.0)
    concepts = concepts[["row", "class"]].assign(area=30 / SIZE**2, source="box")
    table = pd.DataFrame({"image": [f"image_{row:02d}" for row in range(IMAGES)]})
    table["group"] = [f"patient_{row // 3}" for row in range(IMAGES)]
    table["split"] = np.repeat(["test", "validation", "pool"], 8)
    table["labels"] = [[1.0, 0.0, 0.0]] * IMAGES
    about = {"name": "tiny", "classes": ["left", "right", "never"], "channels": 3}
    about |= {"size": [SIZE, SIZE], "dtype": "uint16", "mean": [0.5] * 3, "std": [0.2] * 3}
    (folder / "dataset.json").write_text(json.dumps(about))
    table.to_parquet(folder / "images.parquet", index=False)
    concepts.to_parquet(folder / "concepts.parquet", index=False)
    boxes.to_parquet(folder / "boxes.parquet", index=False)
    np.save(folder / "concepts.npy", np.stack(masks))
    images = rng.integers(0, 2**16, (IMAGES, 3, SIZE, SIZE)).astype(np.uint16)
    np.save(folder / "images.npy", images)
    return PreparedImages(folder)


def write_extract(data: PreparedImages, folder: Path, probe: int = IMAGES, seed: int = 0) -> Path:
    """Unit 0 responds to the left class, unit 1 to the right one, unit 4 to nothing."""
    rng = np.random.default_rng(seed)
    (folder / "saliency").mkdir(parents=True)
    (folder / "activations").mkdir()
    rows = np.unique(data.concepts["row"])[:probe]
    names = data.table.index.to_numpy()[rows]
    sides = data.table["split"].map({"pool": "train"}).fillna(data.table["split"])
    table = pd.DataFrame({"image": names, "group": data.table["group"].to_numpy()[rows]})
    table["side"] = sides.to_numpy()[rows]
    table["row"] = rows
    table.to_parquet(folder / "probe.parquet", index=False)
    own = data.concepts[data.concepts["row"].isin(rows)]
    activations = np.maximum(rng.normal(0, 0.2, (len(rows), UNITS, GRID, GRID)), 0)
    activations[:, 4] = 0
    place = {row: number for number, row in enumerate(rows)}
    for position, concept in own.iterrows():
        mask = data.masks([position])[0][::2, ::2]
        peak = (1 + 0.1 * rng.random((GRID, GRID))) * mask
        activations[place[concept["row"]], concept["class"]] += 5 * peak
    np.save(folder / "activations" / "block.npy", activations.astype(np.float16))
    maps = own.reset_index(names="concept")[["concept", "row", "class"]]
    # A present label without a region has a map, too, and is left out of all tables.
    without = pd.DataFrame({"concept": [-1], "row": [0], "class": [2]})
    maps = pd.concat([maps, without], ignore_index=True)
    maps["map"] = np.arange(len(maps))
    maps["image"] = data.table.index.to_numpy()[maps["row"]]
    maps["side"] = sides.to_numpy()[maps["row"]]
    maps["logit"] = rng.normal(size=len(maps)).astype(np.float32)
    heat = rng.random((len(maps), 4, 4)).astype(np.float16)
    heat[1:2] = 0
    maps["zero_grad_cam"] = ~heat.any(axis=(1, 2))
    np.save(folder / "saliency" / "grad_cam.npy", heat)
    np.save(folder / "saliency" / "grad_cam_random.npy", rng.random(heat.shape).astype(np.float16))
    maps.to_parquet(folder / "saliency.parquet", index=False)
    about = {"classes": list(data.classes), "layers": ["block"], "saliency": ["grad_cam"]}
    (folder / "extract.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module")
def extract(data, tmp_path_factory):
    return write_extract(data, tmp_path_factory.mktemp("extract") / "cell")


@pytest.fixture(scope="module")
def tables(data, extract, tmp_path_factory):
    target = tmp_path_factory.mktemp("analysis")
    write_alignment(extract, data, target, SETTINGS)
    write_dissection(extract, data, target, SETTINGS)
    return target


def test_alignment_has_every_measure_of_every_map(tables, extract, data):
    table = pd.read_parquet(tables / "alignment.parquet")
    names = ["pointing_game", "energy_inside", "soft_iou", "iobb", "effective_heat_ratio"]
    names += [f"{name}@{at}" for name in ("iou", "energy_inside", "iobb") for at in (0.25, 0.5)]
    counts = table.pivot_table(index="map", columns="measure", values="value", aggfunc="size")
    assert sorted(counts.index) == ["centre", "model", "random_weights", "uniform"]
    assert sorted(counts.columns) == sorted(names)
    assert (counts == len(data.concepts)).all(axis=None)
    assert set(table["class"]) == {0, 1}


def test_alignment_values_are_those_of_the_single_map(tables, extract, data):
    table = pd.read_parquet(tables / "alignment.parquet")
    maps = pd.read_parquet(extract / "saliency.parquet").set_index("map")
    stored = np.load(extract / "saliency" / "grad_cam.npy").astype(float)
    own = table[(table["map"] == "model") & (table["measure"] == "soft_iou")]
    own = own.set_index(["row", "class"])
    for number, one in maps[maps["concept"] >= 0].iterrows():
        ready = alignment.normalise(resize(stored[number], data.size))
        expected = alignment.soft_iou(ready, data.masks([one["concept"]])[0])
        found = own.loc[(one["row"], one["class"])]
        assert found["value"] == pytest.approx(expected)
        assert found["logit"] == one["logit"]
        assert found["zero"] == one["zero_grad_cam"]
        assert found["group"] == data.table.loc[one["image"], "group"]
    assert own["zero"].sum() == 1


def test_uniform_map_gives_the_area(tables):
    table = pd.read_parquet(tables / "alignment.parquet")
    uniform = table[table["map"] == "uniform"].groupby("measure")["value"]
    for measure in ("pointing_game", "energy_inside", "soft_iou", "effective_heat_ratio"):
        assert uniform.get_group(measure).to_numpy() == pytest.approx(30 / SIZE**2)


def test_dissection_finds_the_units_that_were_made(tables, extract, data):
    table = pd.read_parquet(tables / "dissection.parquet")
    assert len(table) == UNITS * 3
    beyond = table[table["detects_beyond_null"]]
    assert [*zip(beyond["unit"], beyond["class"], strict=True)] == [(0, 0)]
    # By itself the other is as far beyond as 30 exchanges can tell; but of eight patients four have
    # the class, too few for a claim about any of fifteen pairs.
    other = table.set_index(["unit", "class"]).loc[(1, 1)]
    assert other["detects"]
    assert other["p"] == pytest.approx(1 / 31)
    assert other["p_corrected"] > 0.05
    assert table.loc[table["unit"] == 4, "dead"].all()
    assert not table.loc[table["unit"] < 4, "dead"].any()
    # The same as from arrays, the regions put together here.
    activations = np.load(extract / "activations" / "block.npy")
    probe = pd.read_parquet(extract / "probe.parquet")
    masks = np.zeros((len(probe), 3, SIZE, SIZE), bool)
    for position, concept in data.concepts.iterrows():
        number = probe["row"].tolist().index(concept["row"])
        masks[number, concept["class"]] = data.masks([position])[0]
    settings = {"groups": probe["group"], "permutations": 30, "ceiling_share": 0.3, "seed": 0}
    expected = dissect(activations, masks, 0.1, **settings)
    shown = expected.table()
    pd.testing.assert_frame_equal(table[shown.columns], shown, check_dtype=False)


def test_components_are_those_of_labelling_every_unit(tables, extract, data):
    table = pd.read_parquet(tables / "components.parquet")
    units = pd.read_parquet(tables / "dissection.parquet").drop_duplicates("unit")
    activations = np.load(extract / "activations" / "block.npy").astype(float)
    probe = pd.read_parquet(extract / "probe.parquet")
    assert len(table) == len(data.concepts)
    own = table.set_index(["image", "class"])
    for position, concept in data.concepts.iterrows():
        number = probe["row"].tolist().index(concept["row"])
        active = (
            resize(activations[number], data.size) > units["threshold"].to_numpy()[:, None, None]
        )
        inside = active & data.masks([position])[0]
        mean = np.mean([ndimage.label(one, np.ones((3, 3)))[1] for one in inside])
        row = own.loc[(probe["image"][number], concept["class"])]
        assert row["components"] == pytest.approx(mean)
        assert row["side"] == probe["side"][number]


def test_panels_are_the_same_for_all_cells(tables, data, tmp_path):
    other = write_extract(data, tmp_path / "other", seed=1)
    target = tmp_path / "analysis"
    target.mkdir()
    write_alignment(other, data, target, SETTINGS)
    panels = sorted((tables / "panels").iterdir())
    assert [file.name for file in panels] == ["0.npz", "1.npz", "2.npz", "3.npz"]
    different = []
    for file in panels:
        mine, others = np.load(file), np.load(target / "panels" / file.name)
        np.testing.assert_array_equal(mine["image"], others["image"])
        np.testing.assert_array_equal(mine["mask"], others["mask"])
        different.append((mine["map"] != others["map"]).any())
    assert any(different)


def test_panels_show_the_rarest_class_first_on_test_images(tables, data):
    panels = [np.load(tables / "panels" / f"{number}.npz") for number in range(4)]
    assert [int(panel["class"]) for panel in panels] == [1, 0, 1, 0]
    tests = np.stack([data.raw(row) >> 8 for row in data.rows("test")])
    for panel in panels:
        assert panel["image"].dtype == np.uint8
        assert (tests == panel["image"]).all(axis=(1, 2, 3)).sum() == 1
        x, y, width, height = panel["boxes"][0].astype(int)
        assert panel["mask"][y : y + height, x : x + width].all()
        assert panel["mask"].sum() == width * height
        assert 0 <= panel["map"].min() <= panel["map"].max() <= 1


def test_units_are_shown_where_they_respond_most(tables, extract):
    units = [np.load(file) for file in sorted((tables / "units").iterdir())]
    assert 2 <= len(units) <= 4
    assert {int(unit["class"]) for unit in units[:2]} == {0, 1}
    for unit in units[:2]:
        assert unit["images"].shape[1:] == (3, SIZE, SIZE)
        assert unit["images"].shape[0] == len(unit["masks"]) == len(unit["active"])
        # The unit that was made for the class is active in its region.
        assert int(unit["unit"]) == int(unit["class"])
        assert (unit["active"] & unit["masks"]).sum() > 0.5 * unit["active"].sum() > 0


def test_tables_are_the_same_bytes_again(tables, extract, data, tmp_path):
    write_alignment(extract, data, tmp_path, SETTINGS)
    write_dissection(extract, data, tmp_path, SETTINGS)
    files = sorted(file for file in tables.rglob("*") if file.is_file())
    assert len(files) > 6
    for file in files:
        assert (tmp_path / file.relative_to(tables)).read_bytes() == file.read_bytes()


def test_no_region_at_all_gives_empty_tables(data, tmp_path):
    extract = write_extract(data, tmp_path / "extract", probe=0)
    target = tmp_path / "analysis"
    target.mkdir()
    write_alignment(extract, data, target, SETTINGS)
    write_dissection(extract, data, target, SETTINGS)
    for name in ("alignment", "dissection", "components"):
        table = pd.read_parquet(target / f"{name}.parquet")
        assert len(table) == 0
        assert "class" in table.columns
    assert [*(target / "panels").iterdir()] == [*(target / "units").iterdir()] == []

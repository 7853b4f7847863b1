"""The dataset on disk: reproducible, exact in its annotations, and never over what is not ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.data.classification.simulation import findings as module
from rarelens.studies.data.classification.simulation.findings import (
    draw_pictures,
    simulate_findings,
)
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.simulation.anatomy import Template, load_template
from rarelens.studies.settings.classification.datasets import SimulateFindings


def changed(settings: SimulateFindings, **values: object) -> SimulateFindings:
    """``settings`` with ``values``; those of all findings are named ``finding_…``."""
    own = {key[8:]: value for key, value in values.items() if key.startswith("finding_")}
    rest = {key: value for key, value in values.items() if not key.startswith("finding_")}
    named = {name: item.model_copy(update=own) for name, item in settings.findings.items()}
    return settings.model_copy(update={"findings": named, **rest})


@pytest.fixture(scope="module")
def template(findings: SimulateFindings) -> Template:
    return load_template(findings.spacing)


@pytest.fixture(scope="module")
def dataset(findings: SimulateFindings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = tmp_path_factory.mktemp("raw") / "virtual"
    simulate_findings(raw, "virtual", findings)
    return raw / "simulated"


@pytest.fixture(scope="module")
def coco(dataset: Path) -> COCO:
    return COCO(dataset / "annotations.json")


def test_same_seed_gives_same_bytes_and_another_does_not(
    dataset: Path, findings: SimulateFindings, tmp_path: Path
) -> None:
    simulate_findings(tmp_path / "again", "virtual", findings)
    assert digests(tmp_path / "again/simulated") == digests(dataset)
    simulate_findings(tmp_path / "other", "virtual", changed(findings, seed=6))
    shared = digests(tmp_path / "other/simulated").items() & digests(dataset).items()
    assert not shared


def test_subject_is_the_same_in_a_smaller_dataset(
    dataset: Path, findings: SimulateFindings, tmp_path: Path
) -> None:
    simulate_findings(tmp_path / "small", "virtual", changed(findings, subjects=15))
    small, large = digests(tmp_path / "small/simulated"), digests(dataset)
    images = [name for name in small if name.endswith(".png")]
    assert 15 * 2 <= len(images) < len(large) - 1
    assert all(small[name] == large[name] for name in images)


def test_annotations_describe_the_files_and_say_simulated(dataset: Path, coco: COCO) -> None:
    info = coco.dataset["info"]
    assert "SIMULATED" in info["description"]
    assert info["generator"] == "rarelens simulate"
    assert sorted(image["file_name"] for image in coco.imgs.values()) == sorted(
        path.name for path in (dataset / "images").iterdir()
    )
    for image in coco.imgs.values():
        with Image.open(dataset / "images" / image["file_name"]) as picture:
            assert picture.format == "PNG"
            assert picture.mode == "L"
            assert picture.size == (image["width"], image["height"])


def test_groups_are_subjects_of_several_images(coco: COCO, findings: SimulateFindings) -> None:
    groups: dict[str, int] = {}
    for image in coco.imgs.values():
        groups[image["group"]] = groups.get(image["group"], 0) + 1
        assert image["file_name"].startswith(image["group"] + "_")
    assert len(groups) == findings.subjects
    assert set(groups.values()) == {2, 3, 4}
    assert len({(i["width"], i["height"]) for i in coco.imgs.values()}) == 1


def test_every_finding_is_a_category_and_is_somewhere(
    coco: COCO, findings: SimulateFindings
) -> None:
    assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(findings.findings)
    assert all(coco.getImgIds(catIds=[category]) for category in coco.getCatIds())


def test_boxes_and_areas_are_those_of_the_masks(coco: COCO) -> None:
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation)
        image = coco.imgs[annotation["image_id"]]
        assert mask.shape == (image["height"], image["width"])
        rows, columns = np.nonzero(mask)
        box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
        assert tuple(annotation["bbox"]) == box
        assert annotation["area"] == mask.sum() > 0
        assert annotation["iscrowd"] == 0


def test_masks_lie_in_the_brain(dataset: Path, coco: COCO) -> None:
    for annotation in coco.anns.values():
        file = dataset / "images" / coco.imgs[annotation["image_id"]]["file_name"]
        with Image.open(file) as picture:
            pixels = np.asarray(picture)
        # Pixels are above 0 within the brain, and 0 outside it.
        assert (pixels[coco.annToMask(annotation) > 0] > 0).all()


def test_what_a_finding_changes_is_its_mask(template: Template, findings: SimulateFindings) -> None:
    for number in range(5):
        healthy = draw_pictures(template, changed(findings, finding_contrast=(1e-9, 1e-9)), number)
        for seen, without in zip(draw_pictures(template, findings, number), healthy, strict=True):
            masks = [mask for _, mask in seen.findings]
            union = np.any(masks, axis=0) if masks else np.zeros(seen.brain.shape, bool)
            differs = seen.pixels != without.pixels
            assert not (differs & ~union).any()
            # All but some faint grains of mottling, and what is too dark to get darker.
            assert differs.sum() >= 0.8 * union.sum()


def test_other_findings_leave_the_anatomy_and_one_another(
    template: Template, findings: SimulateFindings
) -> None:
    more = findings.findings["mass"].model_copy(update={"prevalence": 0.999})
    other = findings.model_copy(update={"findings": {**findings.findings, "mass": more}})
    added = 0
    for number in range(5):
        pairs = zip(
            draw_pictures(template, findings, number),
            draw_pictures(template, other, number),
            strict=True,
        )
        for before, after in pairs:
            masks = {index: mask for index, mask in before.findings if index != 0}
            assert [index for index, _ in before.findings if index] == [
                index for index, _ in after.findings if index
            ]
            for index, mask in after.findings:
                if index in masks and index not in (0, 2):  # 0 and 2 may be several
                    np.testing.assert_array_equal(mask, masks[index])
            new = [mask for index, mask in after.findings if index == 0]
            elsewhere = ~np.any(new, axis=0)
            added += len(before.findings) < len(after.findings)
            if not any(index == 0 for index, _ in before.findings):
                assert (before.pixels == after.pixels)[elsewhere].all()
    assert added


def test_more_contrast_changes_pixels_more(template: Template, findings: SimulateFindings) -> None:
    quiet = changed(findings, noise=0.0, contrast_change=0.0, bias_field=0.0)

    def pixels(contrast: float) -> np.ndarray:
        settings = changed(quiet, finding_contrast=(contrast, contrast))
        drawn = [draw_pictures(template, settings, number) for number in range(4)]
        return np.stack([p.pixels for pictures in drawn for p in pictures]).astype(int)

    healthy = pixels(1e-9)
    changes = [np.abs(pixels(contrast) - healthy).sum() for contrast in (0.1, 0.2, 0.4)]
    assert changes[0] * 1.5 < changes[1]
    assert changes[1] * 1.5 < changes[2]


def test_occurrences_and_sizes_keep_to_their_ranges(coco: COCO) -> None:
    (nodule,) = coco.getCatIds(catNms=["nodule"])
    for image in coco.getImgIds(catIds=[nodule]):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=[image], catIds=[nodule]))
        assert 1 <= len(annotations) <= 3
        # 5–8 mm of radius are 1.25–2 pixels, and an edge of half a pixel on both sides.
        assert all(1 <= side <= 5 for a in annotations for side in a["bbox"][2:])


def test_a_finding_in_no_image_is_refused_before_anything_is_drawn(
    findings: SimulateFindings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load_template", lambda _: pytest.fail("drawn"))
    rare = {
        name: finding.model_copy(update={"prevalence": 1e-6})
        if name in ("ring", "streak")
        else finding
        for name, finding in findings.findings.items()
    }
    with pytest.raises(RarelensError) as caught:
        simulate_findings(
            tmp_path / "virtual", "virtual", findings.model_copy(update={"findings": rare})
        )
    assert len(caught.value.problems) == 2
    assert "datasets.virtual.simulate: streak" in caught.value.problems[0]
    assert "raise subjects" in caught.value.problems[0]
    assert list(tmp_path.iterdir()) == []


def test_a_finding_wider_than_the_brain_is_drawn_as_large_as_fits(
    template: Template, findings: SimulateFindings
) -> None:
    vast = changed(findings, finding_radius=(500.0, 500.0), finding_prevalence=0.9)
    for picture in draw_pictures(template, vast, 0):
        assert picture.findings
        assert all(mask.any() for _, mask in picture.findings)


def test_data_of_the_users_are_refused_and_nothing_is_touched(
    findings: SimulateFindings, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    before = digests(tmp_path)
    with pytest.raises(RarelensError, match=r"data of your own \(precious\.txt\)"):
        simulate_findings(tmp_path, "virtual", findings)
    assert digests(tmp_path) == before


def test_a_dataset_of_another_layout_is_replaced_whole(
    findings: SimulateFindings, tmp_path: Path
) -> None:
    (tmp_path / "simulated/imagesTr").mkdir(parents=True)
    (tmp_path / "simulated/dataset.json").write_text("{}")
    simulate_findings(tmp_path, "virtual", findings)
    target = tmp_path / "simulated"
    assert sorted(path.name for path in target.iterdir()) == ["annotations.json", "images"]
    assert [path.name for path in tmp_path.iterdir()] == ["simulated"]


def test_readers_take_the_simulated_folder(dataset: Path, findings: SimulateFindings) -> None:
    collection = read_collection("coco", dataset.parent, "virtual")
    assert collection.classes == tuple(findings.findings)
    assert {entry.source.file.parent for entry in collection.images} == {dataset / "images"}

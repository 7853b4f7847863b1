"""``rarelens validate`` on a study of images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from rarelens.cells import Cell
from rarelens.config.whole import read_parameters
from rarelens.errors import RarelensError
from rarelens.files import write_json
from rarelens.training.classification.job import ClassificationJob
from rarelens.validation import validate_study

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
RAW = Path("data/raw/smears")
Study = Callable[..., None]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A project folder with a dozen images; call it to change parameters by dotted path."""
    monkeypatch.chdir(tmp_path)
    values = YAML(typ="safe").load(PARAMETERS.read_text())
    values["study"] = {
        "simulated": [],
        "segmentation": values["study"]["segmentation"] | {"datasets": []},
        "classification": {
            "datasets": ["smears"],
            "networks": ["light_cnn"],
            "methods": ["bce", "weighted_bce"],
            "baseline": "bce",
            "adjusted": ["bce"],
            "adjustments": ["classifier_retraining"],
            "fractions": [0.5, 1],
            "seeds": [0, 1, 2],
        },
    }
    values["datasets"] = {"smears": values["datasets"]["blood_cells"]}
    values["datasets"]["smears"]["preprocess"]["size"] = [32, 32]
    values["datasets"]["smears"]["split"] |= {"test": 0.25, "validation": 0.25}
    _write_images(RAW)

    def change(**changes: Any) -> None:
        for path, value in changes.items():
            *parents, key = path.split("__")
            section = values
            for step in parents:
                section = section[step]
            section[key] = value
        YAML().dump(values, Path("params.yaml"))

    change()
    return change


def _write_images(folder: Path) -> None:
    """Twelve images (32 wide, 24 high) of six patients; every second shows a white cell."""
    (folder / "images").mkdir(parents=True)
    for number in range(12):
        pixels = np.random.default_rng([3, number]).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"images/im_{number:02d}.png")
    pictures = [
        {
            "id": number,
            "file_name": f"im_{number:02d}.png",
            "width": 32,
            "height": 24,
            "group": f"p{number // 2}",
        }
        for number in range(12)
    ]
    boxes = [
        {"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": [4, 6, 8, 12]}
        for number in range(12)
    ]
    names = [{"id": 1, "name": "RBC"}, {"id": 2, "name": "WBC"}]
    content = {"images": pictures, "annotations": boxes, "categories": names}
    (folder / "annotations.json").write_text(json.dumps(content))


def spoil(edit: Callable[[Any], None]) -> None:
    """Edit the annotations."""
    content = json.loads((RAW / "annotations.json").read_text())
    edit(content)
    (RAW / "annotations.json").write_text(json.dumps(content))


def problems() -> list[str]:
    with pytest.raises(RarelensError) as error:
        validate_study()
    return list(error.value.problems)


def past(method: str, seed: int, seconds: float) -> None:
    """Leave behind what a trained cell does: a record, and 1 MiB on disk."""
    parameters = read_parameters()
    job = ClassificationJob(
        cell=Cell("classification", "smears", "light_cnn", method, "1", seed),
        network=parameters.networks["light_cnn"],
        method=parameters.methods.classification[method],
        settings=parameters.train.classification,
        preprocess=parameters.datasets["smears"].preprocess,
    )
    record = {"seconds": seconds, "peak_memory_mib": 400 + seed, "parameters": job.as_dict()}
    write_json(job.cell.folder("records").with_suffix(".json"), record)
    job.cell.folder("models").mkdir(parents=True)
    (job.cell.folder("models") / "weights.safetensors").write_bytes(bytes(2**20))


def test_a_study_without_problems(study: Study) -> None:
    lines = validate_study().splitlines()
    assert lines[0] == "params.yaml and data: no problem found"
    # 2 methods × 2 fractions × 3 seeds; those with a new head train no network.
    assert "cells: 12, of which 0 are trained" in lines
    assert "memory, hours, disk per cell: known once a cell has been trained" in lines


@pytest.mark.parametrize(("channels", "depth"), [("rgb", 3), ("grey", 1)])
def test_disk_is_told_from_size_channels_and_regions(
    study: Study, channels: str, depth: int
) -> None:
    study(
        datasets__smears__preprocess__size=[2048, 1024],
        datasets__smears__preprocess__channels=channels,
        datasets__smears__preprocess__dtype="uint16",
    )
    # Twelve images of two bytes a value, and twelve masks of one.
    expected = 2048 * 1024 * 12 * (depth * 2 + 1) / 2**30
    assert f"disk: prepared data about {expected:.2f} GiB" in validate_study()


def test_past_trainings_tell_hours_and_memory(study: Study) -> None:
    past("weighted_bce", 1, 3600)
    past("bce", 2, 7200)
    lines = validate_study().splitlines()
    assert "cells: 12, of which 2 are trained" in lines
    assert "disk: about 1.0 MiB a cell, 0.01 GiB in all" in lines
    assert "memory: 402 MiB at the peak of past trainings" in lines
    assert "hours: about 15.00 of training for 10 cells to come (5400 s each so far)" in lines


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"train__classification__steps": 7}, 0),
        ({"datasets__smears__preprocess__size": [48, 48]}, 0),
        ({"methods__classification__weighted_bce__source": "batch"}, 1),
        ({"analyse__classification__quantile": 0.1}, 2),
    ],
    ids=["steps", "size", "source", "quantile"],
)
def test_trainings_by_other_parameters_are_to_come(
    study: Study, changes: dict, trained: int
) -> None:
    past("weighted_bce", 1, 3600)
    past("bce", 2, 7200)
    study(**changes)
    assert f"cells: 12, of which {trained} are trained" in validate_study()


def test_problems_of_parameters_and_of_several_files_at_once(study: Study) -> None:
    study(study__classification__networks=["light_cnn", "vgg"])

    def edit(content: Any) -> None:
        content["annotations"][2]["bbox"] = [28, 6, 8, 12]
        content["images"][3]["width"] = 64

    spoil(edit)
    (RAW / "images/im_05.png").write_bytes(b"1234")
    found = problems()
    assert len(found) == 4
    assert "study.classification.networks: there is no 'vgg'; choose one of" in found[0]
    file = RAW / "annotations.json"
    assert found[1].startswith(f"im_02: {file}: annotation 2: box")
    assert "outside the image of 32 × 24 pixels" in found[1]
    assert found[2] == (
        f"im_03: {RAW}/images/im_03.png: 32 × 24 pixels, but 64 × 24 are declared; correct one of "
        "them"
    )
    assert found[3].startswith(f"im_05: {RAW}/images/im_05.png: ")


def test_missing_images_are_told_together(study: Study) -> None:
    for number in (5, 6):
        (RAW / f"images/im_0{number}.png").unlink()
    found = problems()
    assert [sentence.split(":")[0] for sentence in found] == ["im_05", "im_06"]
    assert all("no such file" in sentence for sentence in found)


def test_patients_in_two_official_lists_are_told(study: Study) -> None:
    def edit(content: Any) -> None:
        for image in content["images"]:
            image["split"] = "test" if image["id"] < 3 else "train"

    spoil(edit)
    (sentence,) = problems()
    assert "group p1 is in " in sentence
    assert "keep it in one, or set split.official to false" in sentence
    study(datasets__smears__split__official=False)
    assert "no problem found" in validate_study()


def test_problems_of_every_dataset_at_once(study: Study) -> None:
    values = YAML(typ="safe").load(Path("params.yaml").read_text())["datasets"]["smears"]
    study(
        datasets__second=values,
        study__classification__datasets=["smears", "second", "third"],
    )
    (RAW / "images/im_05.png").write_bytes(b"1234")
    found = problems()
    assert len(found) == 3
    assert "study.classification.datasets: there is no 'third'" in found[0]
    assert found[1].startswith("im_05: ")
    assert "data/raw/second" in found[2]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"datasets__smears__preprocess__classes": ["WBC", "Platelets"]},
            "datasets.smears.preprocess.classes: there is no class 'Platelets'; choose from RBC",
        ),
        (
            {"datasets__smears__split__group": "(.*)"},
            "datasets.smears.split.group: '(.*)', but the dataset itself names the group",
        ),
        ({"datasets__smears__split__group": "("}, "datasets.smears.split.group: '(' is no regular"),
        ({"datasets__smears__split__test": 0.8}, "smears: split: 12 images in 6 whole groups"),
        ({"datasets__smears__split__file": "split.csv"}, "split.csv"),
        ({"datasets__smears__layout": "nih"}, "data/raw/smears"),
        (
            {"methods__classification__weighted_bce": {"objective": "dice"}},
            "weighted_bce.objective: dice is for the segmentation study",
        ),
        (
            {"layers__light_cnn__saliency": "stage7"},
            "params.yaml: layers.light_cnn: 'stage7' is no layer with maps",
        ),
    ],
)
def test_single_mistakes(study: Study, changes: dict, sentence: str) -> None:
    study(**changes)
    (found,) = problems()
    assert sentence in found
    assert "\n" not in found


@pytest.mark.parametrize("fraction", [0.05, 1])
def test_a_fraction_that_leaves_no_image_is_told(study: Study, fraction: float) -> None:
    """As for volumes: before anything is prepared."""
    study(study__classification__fractions=[fraction])
    if fraction == 1:
        assert "no problem found" in validate_study()
    else:
        (sentence,) = problems()
        assert sentence == (
            "params.yaml: study.classification.fractions: 0.05 of smears's pool of 4 images leaves "
            "no training image; raise it or enlarge the pool"
        )


@pytest.mark.parametrize("by", ["file", "official"])
def test_a_split_without_validation_images_is_told(study: Study, by: str) -> None:
    study(datasets__smears__split__validation=0, datasets__smears__split__test=0.25)
    sides = ["test"] * 4 + ["train"] * 8
    if by == "file":
        rows = [f"im_{n:02d},{side.replace('train', 'pool')}" for n, side in enumerate(sides)]
        (RAW / "split.csv").write_text("\n".join(["case,split", *rows]))
        study(datasets__smears__split__file="split.csv")
    else:

        def edit(content: Any) -> None:
            for image, side in zip(content["images"], sides, strict=True):
                image["split"] = side

        spoil(edit)
    (sentence,) = problems()
    assert sentence.startswith("params.yaml: datasets.smears.split.validation: thresholds and")


def test_images_without_any_region_are_told(study: Study) -> None:
    def edit(content: Any) -> None:
        for annotation in content["annotations"]:
            del annotation["bbox"]

    spoil(edit)
    assert problems() == [
        "smears: no image has a box or mask, so there is nothing to look for inside the networks; "
        "add some to the dataset"
    ]


def as_simulated() -> None:
    """Put the images where stage simulate writes its own."""
    RAW.rename("simulated")
    RAW.mkdir()
    Path("simulated").rename(RAW / "simulated")


def test_a_simulated_dataset_may_not_be_there_yet(study: Study) -> None:
    embedded = YAML(typ="safe").load(PARAMETERS.read_text())["datasets"]["embedded_findings"]
    study(datasets__smears=embedded, study__simulated=["smears"])
    # What was simulated is replaced, whatever is wrong with it; what is the user's is not.
    (RAW / "images/im_05.png").write_bytes(b"1234")
    (sentence,) = problems()
    assert "data/raw/smears: data of your own (annotations.json, images) stand" in sentence
    as_simulated()
    assert "smears: not as wanted; `dvc repro` simulates it anew first" in validate_study()
    shutil.rmtree(RAW / "simulated")
    text = validate_study()
    assert "smears: not simulated yet; `dvc repro` does so first" in text
    assert "cells: 12, of which 0 are trained" in text


def test_a_simulated_dataset_that_is_there_is_read(study: Study) -> None:
    embedded = YAML(typ="safe").load(PARAMETERS.read_text())["datasets"]["embedded_findings"]
    findings = embedded["simulate"]["findings"]
    embedded["simulate"] |= {
        "subjects": 6,
        "findings": {"rbc": findings["mass"], "wbc": findings["ring"]},
    }
    embedded["preprocess"]["classes"] = ["rbc", "mass"]

    def edit(content: Any) -> None:
        for category in content["categories"]:
            category["name"] = category["name"].lower()

    spoil(edit)
    as_simulated()
    study(datasets__smears=embedded, study__simulated=["smears"])
    (sentence,) = problems()
    assert "preprocess.classes: there is no class 'mass'; choose from rbc, wbc" in sentence
    study(datasets__smears__simulate__subjects=7)
    assert "smears: not as wanted; `dvc repro` simulates it anew first" in validate_study()


def test_real_images_have_no_problem(study: Study, real_data: Path) -> None:
    RAW.rename("elsewhere")
    RAW.symlink_to(real_data / "bccd_tiles_96px")
    assert "no problem found" in validate_study()
    study(datasets__smears__preprocess__classes=["Platelets", "WBC"])
    assert "no problem found" in validate_study()

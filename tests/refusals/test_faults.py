"""Whatever interrupts a stage: an exit status of its own, one sentence, nothing half written.

Run again, it ends in the bytes of a run that nothing interrupted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from faulty import FAULTS, Fault, faults_of
from folders import digests
from rarelens.errors import guarded
from rarelens.studies.cells import Cell
from rarelens.studies.files import whole_folder
from refusals.of_pictures import GREY
from refusals.of_project import prepared

EACH = int(os.environ.get("RARELENS_FAULTS", "3"))
STATUS = {"SIGINT": 130, "SIGTERM": 143, "SIGKILL": -9}
SENTENCES = {
    "no space": "make space on this disk",
    "no permission": "give yourself permission",
    "too large": "ulimit -f",
    "SIGINT": "interrupted; run dvc repro to go on",
    "SIGTERM": "ended by SIGTERM; run dvc repro to go on",
}


def check(action: Callable[[], None], target: Path, *others: Path) -> None:
    """Hold each end against that of an unbroken run; ``others`` lie beside and are cleared."""
    guarded(action)()
    whole = digests(target)
    seen = set()
    for fault in faults_of(guarded(action), EACH):
        seen.add(fault.kind)
        _judge(fault)
        # What was there before is there still, or what would be there is there whole.
        assert digests(target) == whole if target.exists() else True, fault
        shutil.rmtree(target, ignore_errors=True)
        _judge_end(action, target, whole, fault)
        for other in others:
            shutil.rmtree(other, ignore_errors=True)
    assert seen == set(FAULTS)


def _judge(fault: Fault) -> None:
    # A fault where what is half written is cleared away, or where a library does without the
    # file, may end well.
    if fault.status == 0:
        return
    assert fault.status == STATUS.get(fault.kind, 1), fault
    if fault.kind != "SIGKILL":
        # Progress bars stand before.
        assert "Traceback" not in fault.said, fault
        assert SENTENCES[fault.kind] in fault.said.strip().splitlines()[-1], fault


def _judge_end(action: Callable[[], None], target: Path, whole: object, fault: Fault) -> None:
    guarded(action)()
    assert digests(target) == whole, fault
    assert not list(target.parent.rglob("*.partial")), fault


def test_preprocess_of_volumes(tmp_path: Path) -> None:
    prepared(tmp_path)
    from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
    from rarelens.studies.settings.segmentation.datasets import Preprocess, Split, ZScore

    settings = Preprocess(intensity=(ZScore(method="zscore"),))
    split = Split(seed=0, test=1, validation=0)

    def action() -> None:
        with whole_folder(tmp_path / "out/set") as target:
            prepare_dataset("set", "msd", tmp_path / "raw", target, settings, split)

    check(action, tmp_path / "out/set")


def test_preprocess_of_images(tmp_path: Path) -> None:
    import json

    from PIL import Image

    from rarelens.studies.data.classification.preprocessing import prepare_images
    from rarelens.studies.settings.classification.datasets import ImagePreprocess, ImageSplit

    raw = tmp_path / "raw"
    (raw / "images").mkdir(parents=True)
    names = [f"{number}.png" for number in range(6)]
    for name in names:
        Image.fromarray(GREY).save(raw / "images" / name)
    content = {
        "images": [
            {"id": n, "file_name": name, "width": 10, "height": 10} for n, name in enumerate(names)
        ],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 5, 5]} for n in range(6)
        ],
        "categories": [{"id": 1, "name": "a"}],
    }
    (raw / "annotations.json").write_text(json.dumps(content))
    settings = ImagePreprocess(image_size=(16, 16))
    split = ImageSplit(seed=0, test=0.4, validation=0.2, official=False)

    def action() -> None:
        with whole_folder(tmp_path / "out/set") as target:
            prepare_images("set", "coco", raw, target, settings, split)

    check(action, tmp_path / "out/set")


def test_train(tiny, make_job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from rarelens.studies.training.run import Unobserved
    from rarelens.studies.training.segmentation.cell import train_cell

    monkeypatch.chdir(tmp_path)
    job = make_job()

    def action() -> None:
        train_cell(job, tiny, Unobserved)

    check(action, job.cell.folder("models"), Path("scratch"))


def test_extract(
    tiny, tiny_models: Path, extraction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rarelens.studies.extraction.segmentation.extract import extract

    monkeypatch.chdir(tmp_path)
    cell = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0)
    model = tiny_models / cell.folder("models")

    def extracted() -> None:
        with whole_folder(tmp_path / "extract") as target:
            extract(model, tiny, target, extraction(units_patches=0))

    check(extracted, tmp_path / "extract")

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.tracking.lock import Lock

MODEL, EXTRACT = Path("models/segmentation/a"), Path("extracts/segmentation/a")


def write(file: Path, stages: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"schema": "2.0", "stages": stages}))


def path(file: Path, md5: str) -> dict[str, str]:
    return {"path": file.as_posix(), "hash": "md5", "md5": md5}


def test_the_locks_of_all_studies_are_read(tmp_path: Path) -> None:
    write(tmp_path / "dvc.lock", {"cells": {"outs": [path(Path("cells/a"), "0")]}})
    write(tmp_path / "studies/segmentation/dvc.lock", {"train@a": {"outs": [path(MODEL, "1")]}})
    lock = Lock(tmp_path)
    assert (lock.digest(Path("cells/a")), lock.digest(MODEL), lock.digest(EXTRACT)) == (
        "0", "1", None,
    )  # fmt: skip


def test_without_any_lock_nothing_stands(tmp_path: Path) -> None:
    assert Lock(tmp_path).digest(MODEL) is None
    (tmp_path / "dvc.lock").write_text("")
    assert Lock(tmp_path).digest(MODEL) is None


@pytest.mark.parametrize("text", ["stages: [", "stages:", "[1]", "<<<<<<< HEAD\nschema: '2.0'"])
def test_a_lock_that_dvc_did_not_write_is_told_with_the_remedy(tmp_path: Path, text: str) -> None:
    file = tmp_path / "studies/segmentation/dvc.lock"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    told = r"^studies/segmentation/dvc\.lock: not as DVC writes it; `git checkout studies/"
    with pytest.raises(RarelensError, match=told):
        Lock(tmp_path)


def test_an_extract_follows_only_the_weights_it_was_taken_from(tmp_path: Path) -> None:
    extract = {"deps": [path(MODEL, "1")], "outs": [path(EXTRACT, "2")]}
    for now, follows in (("1", True), ("other", False)):
        stages = {"train@a": {"outs": [path(MODEL, now)]}, "extract@a": extract}
        write(tmp_path / "dvc.lock", stages)
        assert Lock(tmp_path).follows(EXTRACT, MODEL) is follows
    write(tmp_path / "dvc.lock", {"extract@a": extract})
    assert Lock(tmp_path).follows(EXTRACT, MODEL) is False


def test_parameters_are_those_of_the_stage_that_made_the_path(tmp_path: Path) -> None:
    stages = {"adjust@a": {"params": {"params.yaml": {"a.b": 1}}, "outs": [path(EXTRACT, "2")]}}
    write(tmp_path / "dvc.lock", stages)
    assert Lock(tmp_path).parameters(EXTRACT) == {"a.b": 1}

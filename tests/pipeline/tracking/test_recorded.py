"""Which cells MLflow is to show."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking.project import ADJUSTED, BCE, PLAIN, leave
from rarelens.errors import RarelensError
from rarelens.pipeline.tracking import names
from rarelens.pipeline.tracking.mirror import Synced, sync
from rarelens.studies.cells import Cell
from rarelens.studies.files import read_json, write_json
from shell import command

Runs = Callable[..., list[Any]]
Picture = Callable[[], dict[str, Any]]


def test_measures_of_other_weights_are_not_shown(study: Path, runs: Runs) -> None:
    """Trained anew, analysed not yet: what the analysis says is about the old weights."""
    old = {file: file.read_bytes() for file in Path("studies").rglob("dvc.lock")}
    leave(BCE, identity="new")
    new = read_json(Path("studies/classification/dvc.lock"))
    for file, content in old.items():
        file.write_bytes(content)
    stages = read_json(Path("studies/classification/dvc.lock"))
    stages["stages"][f"train@{BCE.name}"] = new["stages"][f"train@{BCE.name}"]
    write_json(Path("studies/classification/dvc.lock"), stages)
    sync([BCE])
    (run,) = runs()
    assert run.data.tags[names.IDENTITY] == "new"
    assert not [name for name in run.data.metrics if name.startswith("test")]
    assert "train/loss" in run.data.metrics


@pytest.mark.parametrize("stage", ["records", "models", "extracts", "analyses"])
def test_a_cell_that_is_not_on_disk_is_counted_and_not_half_logged(
    study: Path, runs: Runs, stage: str
) -> None:
    folder = ADJUSTED.folder(stage)
    if stage in ("records", "models"):
        folder = PLAIN.folder(stage)
    shutil.rmtree(folder.parent)
    missing = 1 if stage in ("extracts", "analyses") else 2
    assert sync([PLAIN, ADJUSTED]) == Synced(current=2 - missing, stale=0, absent=missing)
    assert len(runs()) == 2 - missing


def test_a_record_that_is_no_json_is_told(study: Path) -> None:
    BCE.folder("records").with_suffix(".json").write_text("{")
    with pytest.raises(RarelensError, match=r"^records/.*\.json: no JSON; `dvc repro`"):
        sync([BCE])


def test_a_cell_without_a_place_in_the_lock_is_left_out(study: Path, runs: Runs) -> None:
    other = replace(BCE, seed=1)
    shutil.copytree(BCE.folder("models"), other.folder("models"))
    assert sync([BCE, other]) == Synced(current=1, stale=0, absent=0)


def test_sync_says_how_to_get_what_is_not_on_disk(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(Path(__file__).parents[3] / "params.yaml", project)
    for seed in (0, 1):
        leave(Cell("segmentation", "embedded", "unet", "focal", "0.4", seed))
    assert command(monkeypatch, "sync") == 0
    assert capsys.readouterr().out == "MLflow: 2 runs of this study, 0 others marked as stale\n"
    shutil.rmtree("models")
    assert command(monkeypatch, "sync") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "2 cells are not on disk: run `dvc repro`, then `rarelens sync`"
    ]

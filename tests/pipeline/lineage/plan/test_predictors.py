"""What plan foretells of the stages fingerprint and cells is what they write."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.lineage.plan.faked_reproduction import ROOT
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.plan.evaluation import Prediction
from rarelens.pipeline.lineage.plan.predictors import predictors
from rarelens.pipeline.parameters.reading import read_yaml


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    return tmp_path


def foretold(project: Path, stage: str, cell: str = "") -> Prediction:
    return predictors(project)[stage](cell, read_yaml(project / "params.yaml"))


def written(project: Path, folder: str) -> dict[str, bytes]:
    files = (file for file in (project / folder).rglob("*") if file.is_file())
    return {file.relative_to(project).as_posix(): file.read_bytes() for file in files}


def test_the_fingerprints_are_those_that_the_stage_writes(project: Path) -> None:
    prediction = foretold(project, "fingerprint")
    subprocess.run([sys.executable, "stages/fingerprint.py"], check=True)
    assert prediction.files == written(project, "fingerprints")
    assert len(prediction.files) > 50


def test_the_cells_are_those_that_the_stage_writes_and_so_is_what_it_drops(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Path("analyses/segmentation/embedded/unet/focal/0.4/1/overlap.csv")
    other = Path("analyses/segmentation/embedded/unet/focal/0.4/9/overlap.csv")
    for file in (kept, other):
        file.parent.mkdir(parents=True)
        file.touch()
    prediction = foretold(project, "cells", "segmentation")
    assert prediction.dropped == ("analyses/segmentation/embedded/unet/focal/0.4/9",)
    # The data that the stage checks besides are not here.
    script = Path("stages/cells.py").read_text()
    unchecked, number = re.subn("problems = .*", "problems = []", script)
    assert number == 1
    Path("stages/cells.py").write_text(unchecked)
    subprocess.run([sys.executable, "stages/fingerprint.py"], check=True)
    subprocess.run([sys.executable, "stages/cells.py", "segmentation"], check=True)
    assert prediction.files == written(project, "cells")
    assert kept.exists()
    assert not other.exists()


def test_the_folder_of_analyses_is_there_after_cells(project: Path) -> None:
    assert foretold(project, "cells", "classification").folders == ("analyses/classification",)


def test_a_component_that_is_not_there_is_told(project: Path) -> None:
    parameters = read_yaml(project / "params.yaml")
    parameters["networks"]["unet"]["network"] = "nowhere"
    with pytest.raises(RarelensError, match=r"networks\.unet.*nowhere"):
        predictors(project)["fingerprint"]("", parameters)

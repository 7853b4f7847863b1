"""What `rarelens plan` prints, for people and for programs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.lineage.plan.faked_reproduction import ROOT
from pipeline.lineage.plan.small_project import SmallProject
from rarelens.errors import RarelensError
from rarelens.pipeline.cli import app
from rarelens.pipeline.lineage.plan import Plan, make_plan
from rarelens.pipeline.lineage.plan.report import as_json, as_text

STUDY = "studies/segmentation/dvc.yaml"


@pytest.fixture
def own(small: SmallProject) -> SmallProject:
    """Durations: all of train, one of analyse, none of the rest."""
    for number, cell in enumerate(("focal-0", "focal-1", "dice-0", "dice-1")):
        small.write(f".rarelens/seconds/{STUDY.replace('/', '~')}:train@{cell}", f"{60 + number}")
    small.write(f".rarelens/seconds/{STUDY.replace('/', '~')}:analyse@focal-0", "10.5")
    return small


def planned(project: SmallProject) -> Plan:
    predict = {"fingerprint": project.fingerprints, "cells": project.cells}
    return make_plan(project.folder, predict)


def text(project: SmallProject) -> str:
    return re.sub(r"\x1b\[\d+m", "", as_text(planned(project)))


def test_a_project_without_changes_has_nothing_to_run(own: SmallProject) -> None:
    assert text(own) == "nothing to run: 15 stages are up to date"
    assert json.loads(as_json(planned(own))) == {"stages": [], "unchanged": 15, "restored": []}


def test_cells_are_told_by_the_dimension_that_changed(own: SmallProject) -> None:
    own.edit("params.yaml", "gamma: 2.0", "gamma: 3.0")
    assert text(own).splitlines()[:7] == [
        "cells, duration unknown",
        "  methods.focal.gamma: 2.0 → 3.0",
        "train (segmentation): 2 of 4 cells, 2 min",
        "  methods.focal.gamma: 2.0 → 3.0 [method focal]",
        "analyse (segmentation): 2 of 4 cells, about 21 s",
        "  follows from train (segmentation) [method focal]",
        "compare (segmentation), duration unknown",
    ]


def test_the_total_says_what_is_not_known(own: SmallProject) -> None:
    own.edit("params.yaml", "gamma: 2.0", "gamma: 3.0")
    total = "8 of 15 stages may run, about 2 min and 4 of unknown duration; 7 will not"
    assert text(own).splitlines()[-1] == total


def test_cells_that_are_no_product_are_listed(own: SmallProject) -> None:
    for cell in ("focal/0", "dice/1"):
        own.shell(f"rm -f $(grep -rl 'models/{cell}/' .dvc/cache/files)")
    lines = text(own).splitlines()
    assert "analyse (segmentation): 2 of 4 cells, about 21 s" in lines
    assert "  follows from train (segmentation) [focal-0, dice-1]" in lines


def test_restored_stages_are_counted_by_kind(own: SmallProject) -> None:
    own.shell("rm -rf models/focal")
    first = text(own).splitlines()[0]
    assert first == "restored from the cache, without running: 2 × train (segmentation)"
    found = json.loads(as_json(planned(own)))
    assert found["restored"] == [f"{STUDY}:train@focal-{seed}" for seed in (0, 1)]
    assert found["unchanged"] == 15


def test_json_has_names_reasons_and_seconds(own: SmallProject) -> None:
    own.edit("params.yaml", "bins: 10", "bins: 20")
    found = json.loads(as_json(planned(own)))
    assert found["unchanged"] == 8
    stages = {stage.pop("name"): stage for stage in found["stages"]}
    expected = {"reasons": ["analyse.bins: 10 → 20"], "seconds": 10.5}
    assert stages[f"{STUDY}:analyse@focal-0"] == expected
    # The mean of its kind stands for what never ran here.
    assert stages[f"{STUDY}:analyse@dice-1"] == expected
    assert stages["report"]["seconds"] is None


def test_a_training_without_seconds_of_its_own_has_those_of_its_record(own: SmallProject) -> None:
    own.shell("rm -r .rarelens")
    own.write("records/focal/0.json", '{"seconds": 77}')
    own.edit("params.yaml", "rate: 0.1", "rate: 0.2")
    found = json.loads(as_json(planned(own)))
    seconds = {stage["name"]: stage["seconds"] for stage in found["stages"]}
    assert seconds[f"{STUDY}:train@focal-0"] == 77
    assert seconds[f"{STUDY}:train@dice-1"] == 77


def test_long_durations_are_in_hours(own: SmallProject) -> None:
    own.write(f".rarelens/seconds/{STUDY.replace('/', '~')}:compare", "7440")
    own.edit("params.yaml", "level: 0.95", "level: 0.9")
    assert "compare (segmentation), 2 h 4 min" in text(own).splitlines()


def test_the_command_tells_of_wrong_parameters_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("steps: 300", "steps: many"))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["plan"])
    assert done.exit_code == 1
    assert "train.segmentation.steps" in str(done.exception)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stages: [", "dvc.yaml"),
        ("stages:\n  one:\n    cmd: true\n    wrong: 1\n", "dvc.yaml"),
        ("stages:\n  one:\n    cmd: echo ${nothing}\n", "nothing"),
    ],
)
def test_stages_that_dvc_cannot_read_are_told_in_a_sentence(
    own: SmallProject, text: str, told: str
) -> None:
    own.write("dvc.yaml", text)
    with pytest.raises(RarelensError, match=told) as error:
        planned(own)
    assert "\n" not in str(error.value)


def test_outside_of_a_project_the_command_says_where_to_go(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match="run from the project's root"):
        make_plan(tmp_path, {})

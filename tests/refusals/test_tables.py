"""Every table of a finished project is declared, and a stage that writes another one fails."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest

import stages_run
from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.written import check_written
from rarelens.studies.tables import check

TABLES = (".parquet", ".csv")


def written(name: str) -> tuple[str, dict[str, str]]:
    """A stage's script, and what its ``main`` is given, by name."""
    script, *given = stages_run.STAGES[name]
    bound = inspect.signature(import_module(script).main).bind_partial(*given)
    bound.apply_defaults()
    return script, bound.arguments


def test_every_table_is_declared_and_as_declared(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    read: set[Path] = set()
    original = check.read_table
    monkeypatch.setattr(check, "read_table", lambda f, own: (read.add(f), original(f, own))[1])
    for name in stages_run.STAGES:
        check_written(*written(name))
    there = {file for file in Path().rglob("*") if file.suffix in TABLES}
    # Raw data are not ours; MLflow and DVC write no tables here.
    assert read == {file for file in there if file.parts[0] not in ("src", "data")} | {
        file for file in there if file.parts[:2] == ("data", "prepared")
    }


def test_a_stage_that_writes_another_fails(project: Path) -> None:
    file = project / "analyses/segmentation/embedded/unet/cross_entropy+threshold/1/0/shift.parquet"
    pd.read_parquet(file).assign(train="none").to_parquet(file)
    check_written(*written("analyse cross_entropy"))
    with pytest.raises(RarelensError, match=r"threshold/1/0/shift\.parquet: column train: is no"):
        check_written(*written("analyse adjusted"))

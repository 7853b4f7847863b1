"""A damaged input of a stage that failed is named; else the failure stays what it was."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.lineage.damage import damage_told

CELL = {"dataset": "d", "network": "n", "method": "m", "fraction": "1", "seed": "0"}


@pytest.fixture
def extract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whole file of each kind that is read, where the stage of `CELL` reads."""
    monkeypatch.chdir(tmp_path)
    folder = Path("extracts/segmentation/d/n/m/1/0")
    folder.mkdir(parents=True)
    pd.DataFrame({"a": range(100)}).to_parquet(folder / "a.parquet")
    np.save(folder / "a.npy", np.arange(100))
    np.savez(folder / "a.npz", a=np.arange(100))
    (folder / "a.json").write_text('{"a": 1}')
    (folder / "a.csv").write_text("a\n1\n")
    (folder / "a.nii.gz").write_bytes(gzip.compress(bytes(1000)))
    return folder


def fail() -> None:
    with damage_told(CELL):
        raise ValueError("a programming mistake")


def test_a_failure_over_whole_inputs_stays_a_traceback(extract: Path) -> None:
    with pytest.raises(ValueError, match="programming mistake"):
        fail()


@pytest.mark.parametrize("name", ["a.parquet", "a.npy", "a.npz", "a.json", "a.csv", "a.nii.gz"])
@pytest.mark.parametrize("kept", [0, 4])
def test_what_is_damaged_is_named(extract: Path, name: str, kept: int) -> None:
    content = (extract / name).read_bytes()
    (extract / name).write_bytes(content[:kept] + bytes(kept))
    with pytest.raises(RarelensError, match=rf"{name}: damaged or cut short; .*dvc checkout"):
        fail()


def test_files_of_other_cells_are_not_looked_at(extract: Path) -> None:
    other = extract.parent / "1"
    other.mkdir()
    (other / "a.json").write_text("")
    with pytest.raises(ValueError, match="programming mistake"):
        fail()

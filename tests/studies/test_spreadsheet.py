"""No text of a user's data is a formula where a spreadsheet opens a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.comparison.metrics import read_metrics, write_metrics
from rarelens.studies.diagnosis import page as diagnosis
from rarelens.studies.reporting import page as report
from rarelens.studies.spreadsheet import to_csv, unquoted

BEGINNINGS = "=+-@\t\n"
FORMULA = '=HYPERLINK("http://example.org","1")'


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize("first", BEGINNINGS)
def test_a_text_that_would_be_computed_is_quoted(first):
    ((heading, _), (cell, number)) = cells(
        to_csv(pd.DataFrame({f"{first}b": [f"{first}1+1"], "n": [-1.5]}), index=False)
    )
    assert cell == f"'{first}1+1"
    assert heading[0] == "'"
    assert number == "-1.5"


def test_other_tables_keep_their_bytes():
    table = pd.DataFrame({"a": ["x", "", None, "1-2", "'x"], "b": [1.0, -2.0, np.nan, 3.0, -0.0]})
    assert to_csv(table, index=False) == table.to_csv(index=False)
    assert to_csv(table, index_label="i") == table.to_csv(index_label="i")


@pytest.mark.parametrize("text", [FORMULA, "'=x", "''=x", "'x", "x", "", "-", "'"])
def test_reading_takes_the_quote_away_again(text):
    written = pd.read_csv(
        io.StringIO(to_csv(pd.DataFrame({"a": [text], "b": [1]}), index=False)),
        dtype=str, keep_default_na=False,
    )  # fmt: skip
    assert unquoted(written["a"]).tolist() == [text]


def test_metrics_quote_a_class_and_read_it_as_it_was(tmp_path: Path):
    row = {
        "dataset": "set", "network": "unet", "fraction": "1", "method": "a", "class": FORMULA,
        "measure": "dice", "mean": -0.25,
    }  # fmt: skip
    write_metrics(tmp_path, "segmentation", pd.DataFrame([row]))
    (_, written) = cells((tmp_path / "segmentation.csv").read_text())
    assert f"'{FORMULA}" in written
    assert "-0.25" in written
    assert read_metrics(tmp_path / "segmentation.csv")["class"].tolist() == [FORMULA]


def test_the_reports_plots_are_quoted(tmp_path: Path):
    report._write_plots(tmp_path, [{"margins": pd.DataFrame({"class": [FORMULA]})}])
    assert cells((tmp_path / "margins.csv").read_text()) == [["class"], [f"'{FORMULA}"]]


def test_a_diagnosis_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    own = {"overlap": pd.DataFrame({"case": [FORMULA]}), "lesion_sizes": pd.DataFrame()}
    monkeypatch.setattr(diagnosis, "tables", lambda *_: own)
    monkeypatch.setattr(diagnosis, "_render", lambda *_: "")
    monkeypatch.setattr(diagnosis, "check_rows", lambda *_: None)
    diagnosis.write_diagnosis(tmp_path, {}, None, [])
    assert cells((tmp_path / "overlap.csv").read_text()) == [["case"], [f"'{FORMULA}"]]

from __future__ import annotations

import pandas as pd
import pytest

from rarelens.measures.calibration import calibration_errors

COLUMNS = ["case", "side", "class", "bin", "count", "sum_confidence", "sum_positive"]


def test_error_by_hand_pools_cases_before_taking_the_gap() -> None:
    counts = pd.DataFrame(
        [
            # Bin 0 over both cases: confidence 2, positives 1: gap 1. Bin 3: gap |8 − 6| = 2.
            ("a", "test", 1, 0, 10, 1.0, 1.0),
            ("b", "test", 1, 0, 10, 1.0, 0.0),
            ("a", "test", 1, 3, 10, 8.0, 6.0),
            ("a", "train", 1, 3, 4, 3.5, 4.0),
        ],
        columns=COLUMNS,
    )
    found = calibration_errors(counts)
    assert found[["side", "class"]].to_numpy().tolist() == [["test", 1], ["train", 1]]
    assert found["ece"].tolist() == pytest.approx([3 / 30, 0.5 / 4])

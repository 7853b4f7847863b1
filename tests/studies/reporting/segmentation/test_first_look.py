from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import StepPatch

from rarelens.studies.files import write_json
from rarelens.studies.reporting.segmentation.first_look import draw


def test_each_side_of_each_class_is_a_density_with_its_mean(tmp_path: Path) -> None:
    classes = ["background", "big", "small"]
    write_json(
        tmp_path / "analysis.json", {"classes": classes, "rare_classes": [0, 2], "bin_width": 0.125}
    )
    counts = {("train", 0): 5, ("test", 0): 7, ("train", 2): 3, ("test", 2): 4}
    rows = [
        {"side": side, "class": label, "bin": bin_, "count": count}
        for (side, label), count in counts.items()
        for bin_ in (-9, 8, 31)
    ]
    pd.DataFrame(rows).to_parquet(tmp_path / "margins.parquet")
    shift = [(2, "mean", 1.25, -0.5), (2, "median", 9.0, 9.0), (0, "mean", 6.0, 5.96)]
    columns = ["class", "statistic", "train", "test"]
    pd.DataFrame(shift, columns=columns).to_parquet(tmp_path / "shift.parquet")
    figure = draw(tmp_path)
    small, background = figure.axes
    assert [each.get_title() for each in (small, background)] == ["small", "background"]
    assert small.texts[0].get_text() == "mean +1.2 → −0.5"
    assert background.texts[0].get_text() == "mean +6.0 → +6.0"
    for axis in figure.axes:
        curves = [each.get_data() for each in axis.patches if isinstance(each, StepPatch)]
        assert len(curves) == 2
        for heights, edges, _ in curves:
            assert np.diff(edges) @ heights == pytest.approx(1)
            # Bins of one logit: −9/8 lies in [−2, −1), 8/8 in [1, 2), 31/8 in [3, 4).
            assert edges[:-1][heights > 0].tolist() == [-2, 1, 3]

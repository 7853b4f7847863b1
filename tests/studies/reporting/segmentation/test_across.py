"""What the page says across comparisons, from metrics made by hand."""

from types import SimpleNamespace

import pandas as pd
import pytest

from rarelens.studies.reporting.segmentation.across import across


def results(high, gain, p_holm):
    common = {"rule": "all", "sufficient_seeds": True}
    shifts = [
        {"method": "base", "class": name, "measure": "shift_mean", "ci_high": value, **common}
        for name, value in zip(("background", "lesion"), high, strict=True)
    ]
    other = {"method": "focal", "class": "lesion", "measure": "dice", **common}
    rows = [*shifts, {**other, "baseline_difference": gain, "p_holm": p_holm}]
    return SimpleNamespace(
        metrics=pd.DataFrame(rows),
        baseline="base",
        others=("focal",),
        classes=("background", "lesion"),
        rare=(1,),
    )


def test_counts_intervals_and_directions():
    nan = float("nan")
    study = [
        results((0.1, -0.2), 0.1, 0.01),
        results((-0.1, 0.2), 0.2, 0.3),
        results((nan, nan), -0.1, 0.01),
    ]
    shown = across(study)
    assert "every rare class in 1 of 3" in shown["sentence"]
    assert "background in 1 of 3" in shown["sentence"]
    (line,) = shown["table"].rows
    _, (above, below, *_), _ = line
    assert above == ("2 of 3", ("1 significant",))
    assert below == ("1 of 3", ("1 significant",))


@pytest.mark.parametrize("count", [0, 1])
def test_one_comparison_has_no_section(count):
    assert across([results((0.1, -0.2), 0.1, 0.01)] * count) is None

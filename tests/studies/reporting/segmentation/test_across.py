"""What the page says across comparisons, from metrics made by hand."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from rarelens.studies.comparison.metrics import write_metrics
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.reporting.page import write_report
from rarelens.studies.reporting.segmentation.across import across, agreement_table
from rarelens.studies.reporting.segmentation.answer import baseline_shift
from rarelens.studies.reporting.segmentation.figures import forest, fractions
from rarelens.studies.reporting.segmentation.results import read_results
from rarelens.studies.settings.results import Compare, Report


def results(high, gain, p_holm, confidence=0.95):
    common = {"rule": "all", "sufficient_seeds": True}
    shifts = [
        {
            **{"method": "base", "class": name, "measure": "shift_mean", "mean": value - 0.1},
            **{"ci_high": value, "p_holm": 0.01 if value < -0.15 else 0.2, **common},
        }
        for name, value in zip(("background", "lesion"), high, strict=True)
    ]
    other = {"method": "focal", "class": "lesion", "measure": "dice", **common}
    table = pd.DataFrame([*shifts, {**other, "baseline_difference": gain, "p_holm": p_holm}])
    return SimpleNamespace(
        metrics=table,
        baseline="base",
        others=("focal",),
        classes=("background", "lesion"),
        rare=(1,),
        confidence=confidence,
        entry=lambda method, measure, name: table[
            (table["method"] == method) & (table["measure"] == measure) & (table["class"] == name)
        ].iloc[0],
    )


def shown(line):
    _, values, *_ = line
    return values


def test_counts_claims_and_directions():
    nan = float("nan")
    study = [
        results((0.1, -0.2), 0.1, 0.01),
        results((-0.1, -0.1), 0.2, 0.3),
        results((nan, nan), -0.1, 0.01),
    ]
    told = baseline_shift(study)
    start = "Over 3 comparisons, the baseline's logit shift from training to test subjects is"
    claimed = "for 1 of the 3 rare classes, but not for any of the 3 backgrounds"
    assert told.startswith(f"{start} significantly below 0 {claimed};")
    assert told.endswith("below 0 for 2 of the 3 rare classes and for 1 of the 3 backgrounds.")
    (line,) = agreement_table(study).rows
    above, below = shown(line)[:2]
    assert above == ("2 of 3", ("1 significant",))
    assert below == ("1 of 3", ("1 significant",))


def test_a_shift_of_too_few_seeds_is_no_claim():
    own = results((0.1, -0.2), 0.1, 0.01)
    own.metrics["sufficient_seeds"] = False
    assert "is not significantly below 0 for either of the 2 rare classes or for" in baseline_shift(
        [own, own]
    )


@pytest.mark.parametrize(("confidence", "count"), [(0.95, 0), (0.9, 2)])
def test_significance_is_at_the_level_of_the_intervals(confidence, count):
    table = agreement_table([results((0.1, -0.2), 0.1, 0.07, confidence)] * 2)
    assert shown(table.rows[0])[0].small == (f"{count} significant",)


def test_what_is_no_claim_is_not_significant():
    table = agreement_table([results((0.1, -0.2), 0.1, float("nan"))] * 2)
    assert shown(table.rows[0])[0].small == ("0 significant",)


def test_the_page_reads_two_comparisons_together(build, tmp_path):
    first = build(tmp_path / "first")
    second = build(tmp_path / "second", dataset="heart")
    shutil.copytree(second.analyses, first.analyses, dirs_exist_ok=True)
    cells = [*first.cells, *second.cells]
    settings = Compare(bootstrap=300, confidence=0.95, equivalence=0.02, least_positives=1, seed=0)
    tables = compare(cells, first.analyses, "cross_entropy", settings)
    write_metrics(first.metrics.parent, "segmentation", *tables)
    target = tmp_path / "report"
    target.mkdir()
    studies = {"segmentation": cells, "classification": []}
    write_report(
        target, studies, first.analyses, first.metrics.parent, first.browse, [], Report(dpi=40)
    )
    page = (target / "index.html").read_text(encoding="utf-8")
    assert (target / "figures" / "across-forest.png").stat().st_size > 0
    assert page.count('href="#segmentation-across"') == 1
    assert page.count('<section id="segmentation-across">') == 1
    # The builder sinks the lesion in test subjects and leaves the background where it is.
    assert "below 0 for both rare classes, but not for either of the 2 backgrounds." in page
    assert page.index("How often the direction agrees") < page.index(
        '<section id="brain-unet-0.5">'
    )


def test_the_forest_keeps_the_largest_shifts_in_order():
    def row(shift):
        return SimpleNamespace(
            classes=("background", "lesion"),
            rare=(1,),
            baseline="base",
            entry=lambda *_: pd.Series({"mean": shift}),
        )

    shown, left_out = forest.lines([row(-1.0), row(0.1), row(float("nan")), row(3.0)], most=2)
    assert [line.shift["mean"] for line in shown] == [-1.0, 3.0]
    assert left_out == 2


@pytest.mark.parametrize("count", [0, 1])
def test_one_comparison_has_no_section(count, tmp_path):
    assert across([results((0.1, -0.2), 0.1, 0.01)] * count, tmp_path, 40) is None


def test_fractions_of_a_dataset_are_one_row_and_lone_ones_none():
    def one(dataset, fraction):
        return SimpleNamespace(dataset=dataset, network="unet", fraction=fraction)

    study = [one("a", "1"), one("b", "0.3"), one("a", "0.1")]
    assert [[own.fraction for own in rows] for rows in fractions.curves(study)] == [["0.1", "1"]]


def test_fraction_curves_hold_the_means_of_the_metrics(build, tmp_path):
    study = []
    for share in ("0.1", "0.5"):
        made = build(tmp_path / share)
        (found,) = read_results(made.cells, made.analyses, made.metrics.parent, most=6)
        study.append(replace(found, fraction=share))
    figure = fractions.draw(study)
    shift, _, dice = figure.axes
    for axis, measure in ((shift, "shift_mean"), (dice, "dice")):
        expected = [own.entry("focal", measure, "lesion")["mean"] for own in study]
        assert list(axis.lines[1].get_ydata()) == expected
    assert [label.get_text() for label in dice.get_xticklabels()] == ["10%", "50%"]

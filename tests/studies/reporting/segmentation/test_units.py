"""The table of units: means over seeds, of those methods whose units were looked into."""

from __future__ import annotations

import pytest

from rarelens.studies.reporting.glossary import glossary
from rarelens.studies.reporting.page import write_report
from rarelens.studies.reporting.segmentation.results import read_results
from rarelens.studies.reporting.segmentation.tables import unit_table
from rarelens.studies.settings.results import Report

METHODS = ("cross_entropy", "focal", "cross_entropy+threshold")


def found(cell):
    """Two layers of 32 and 16 units; none of a post-hoc control."""
    if "+" in cell.method:
        return {}
    more = METHODS.index(cell.method)
    return {
        layer: {
            "units": units,
            "detectors": cell.seed + 2.0 * more,
            "detectors_beyond_null": 7.0,
            "best_iou": 0.1 + 0.01 * cell.seed,
        }
        for layer, units in (("model.1.submodule.0", 32.0), ("model.1.submodule.2", 16.0))
    }


@pytest.fixture(scope="module")
def looked_into(build, tmp_path_factory):
    return build(tmp_path_factory.mktemp("units"), methods=METHODS, panels=0, units=found)


def test_numbers_are_means_over_seeds(looked_into):
    own = looked_into
    (results,) = read_results(own.cells, own.analyses, own.metrics.parent, most=6)
    table = unit_table(results)
    assert table.groups == [
        ("layer model.1.submodule.0 (32 units)", 3),
        ("layer model.1.submodule.2 (16 units)", 3),
    ]
    heads = [(row.head, row.tag) for row in table.rows]
    assert heads == [("cross entropy", "baseline"), ("focal", "")]
    first, second = (row.values for row in table.rows)
    assert first == (("1.0", ("± 1.0",)), ("7.0", ("± 0.0",)), ("0.110", ("± 0.010",))) * 2
    assert second[0] == ("3.0", ("± 1.0",))


def test_there_is_no_table_where_nothing_was_looked_into(study):
    (results,) = read_results(study.cells, study.analyses, study.metrics.parent, most=6)
    assert unit_table(results) is None


@pytest.mark.parametrize("units", [True, False])
def test_the_page_shows_the_table_where_there_are_units(units, looked_into, study, tmp_path):
    own = looked_into if units else study
    studies = {"segmentation": own.cells, "classification": []}
    write_report(
        tmp_path, studies, own.analyses, own.metrics.parent, own.browse, [], Report(dpi=30)
    )
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert ("<h3>Units that detect a rare class</h3>" in page) == units
    assert ("layer model.1.submodule.0 (32 units)" in page) == units
    assert page.count("<dt>Detector</dt>") == 1


def test_a_term_of_both_studies_is_explained_once():
    terms = [term for term, _ in glossary(["segmentation", "classification"])]
    assert len(terms) == len(set(terms))
    assert "Detector" in terms

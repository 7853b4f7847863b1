"""The catalogue of measures against the tables of a study, and its order against the report's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rarelens.studies.catalogue import (
    CLASSIFICATION,
    SEGMENTATION,
    glossary,
    variant_of,
    with_role,
)


def test_headlines_are_those_of_the_metrics():
    headlines = [
        [name for name, measure in task.items() if measure.headline]
        for task in (SEGMENTATION, CLASSIFICATION)
    ]
    assert {"dice", "hd95", "missed", "shift_mean", "ece_test"} < set(headlines[0])
    assert {"auroc", "average_precision", "pointing_game", "detectors"} < set(headlines[1])
    assert "specificity" not in headlines[0]


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("energy_inside", "energy_inside"),
        ("energy_inside@0.5_random_weights", "energy_inside"),
        ("soft_iou_centre", "soft_iou"),
        ("iou@0.25", "iou"),
        ("detectors_beyond_null", "detectors_beyond_null"),
        ("average_precision_over_prevalence", "average_precision_over_prevalence"),
        ("energy_inside_matched", "energy_inside_matched"),
    ],
)
def test_a_variant_has_the_declaration_of_its_measure(name, base):
    assert variant_of(name) == base


def test_what_is_not_declared_is_told():
    with pytest.raises(KeyError, match="'beauty' is not in the catalogue"):
        variant_of("beauty")


def test_roles_are_in_the_order_in_which_pairs_show_them():
    assert with_role("performance") == ("auroc", "average_precision")
    assert with_role("alignment") == ("energy_inside", "pointing_game", "soft_iou")


def test_a_term_that_measures_share_stands_once_in_the_glossary():
    names = [term.name for term in glossary("segmentation")]
    assert names.count("Sensitivity, precision") == 1
    assert names[:3] == ["Logit margin d", "Logit shift", "Dice"]
    assert "CKA" in [term.name for term in glossary("classification")]


def test_units_are_part_of_a_label():
    assert SEGMENTATION["hd95"].label == "HD95 (mm)"
    assert SEGMENTATION["dice"].label == "Dice"


def test_the_catalogue_is_light():
    code = "import sys, rarelens.studies.catalogue; print({'numpy', 'pandas'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"

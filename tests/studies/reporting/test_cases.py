"""The case browser: what the page holds of a case, in which order, and of whose cases."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rarelens.studies.reporting.browser import niivue
from rarelens.studies.reporting.classification import section as classification_section
from rarelens.studies.reporting.classification.cases import cases as images
from rarelens.studies.reporting.classification.results import read_results as read_images
from rarelens.studies.reporting.page import write_report
from rarelens.studies.reporting.segmentation import section as segmentation
from rarelens.studies.reporting.segmentation.cases import cases
from rarelens.studies.reporting.segmentation.results import read_results
from rarelens.studies.settings.results import Report


def unpacked(text, shape):
    """The arrays behind one another, (X, Y, Z) each."""
    values = np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8)
    return [own.reshape(shape, order="F") for own in values.reshape(-1, np.prod(shape))]


def written(target, study=None, classification=None, simulated=(), **settings):
    target.mkdir()
    one = study or classification
    cells = {
        "segmentation": study.cells if study else [],
        "classification": classification.cells if classification else [],
    }
    browse = one.root / "browse"
    report = Report(dpi=30, **settings)
    write_report(target, cells, one.analyses, one.root / "metrics", browse, simulated, report)
    return (target / "index.html").read_text("utf-8")


def abouts(page):
    found = re.findall(r'<script type="application/json">(.*?)</script>', page)
    return [json.loads(own) for own in found]


@pytest.fixture(autouse=True)
def without_figures(monkeypatch):
    """They take long, and are not what is asked here."""
    for own in (segmentation, classification_section):
        monkeypatch.setattr(own, "write_figures", lambda *_: [])


@pytest.fixture(scope="module")
def results(study):
    (own,) = read_results(study.cells, study.analyses, study.metrics.parent, most=6)
    return own


def test_the_methods_stand_in_the_order_of_the_page(study, results):
    """The files of these cases have them the other way round."""
    browser = cases(results, study.browse)
    folder = study.browse / "segmentation/brain/unet/0.5"
    assert browser.about["methods"] == [name.replace("_", " ") for name in results.methods]
    for about, text in zip(browser.about["cases"], browser.packed, strict=True):
        with np.load(folder / f"{about['name']}.npz") as arrays:
            image, truth, *others = unpacked(text, about["shape"])
            np.testing.assert_array_equal(image, arrays["image"])
            np.testing.assert_array_equal(truth, arrays["truth"])
            np.testing.assert_array_equal(others[0::2], arrays["prediction"][::-1])
            margins = np.array(others[1::2], int) - browser.about["steps"] - 1
            np.testing.assert_array_equal(margins, arrays["margin"][::-1])
            # 0 is what the viewer leaves out.
            assert min(own.min() for own in others[1::2]) >= 1
    first = browser.about["cases"][0]
    assert first["dice"] == [0.2, 0.3, 0.4]
    assert "cross entropy, the baseline" in browser.rule


@pytest.mark.parametrize(
    ("choice", "simulated", "shown"),
    [
        ("simulated", ["brain"], True),
        ("simulated", [], False),
        ("all", [], True),
        ("none", ["brain"], False),
    ],
)
def test_patients_are_shown_only_where_that_is_asked_for(study, tmp_path, choice, simulated, shown):
    page = written(tmp_path / "out", study, simulated=simulated, cases=choice)
    assert ('<button type="button" class="act" data-browse' in page) is shown
    assert ('id="viewer"' in page) is shown
    assert len(abouts(page)) == shown
    script, _, licence = niivue()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (digest in page) is shown
    assert ("Copyright (c) 2021, Niivue" in page) is shown
    assert "Copyright (c) 2021, Niivue" in licence
    assert "patient_test" not in page


def test_a_comparison_without_a_case_has_no_browser(study, results, tmp_path):
    folder = tmp_path / "segmentation/brain/unet/0.5"
    folder.mkdir(parents=True)
    (folder / "cases.json").write_text(json.dumps({"methods": [], "seed": 0, "cases": []}))
    assert cases(results, tmp_path) is None


def test_images_go_from_the_least_heat_inside_to_the_most(classification):
    (results,) = read_images(classification.cells, classification.analyses, classification.metrics)
    first, second = results.panels
    moved = {name: own | {"map": np.roll(own["map"], 20, 1)} for name, own in second.items()}
    unseen = {name: own | {"mask": np.zeros_like(own["mask"])} for name, own in first.items()}
    browser = images(replace(results, panels=(first, moved, unseen)), Path())
    abouts = browser.about["cases"]
    assert [own["name"] for own in abouts] == ["1 of 2", "2 of 2"]
    for own, panel, text in zip(abouts, (moved, first), browser.packed, strict=True):
        image, mask, *maps = (layer.T for layer in unpacked(text, own["shape"]))
        arrays = list(panel.values())
        np.testing.assert_array_equal(mask, arrays[0]["mask"])
        assert np.corrcoef(image.ravel(), arrays[0]["image"].ravel())[0, 1] > 0.99
        steps = len(browser.about["heat"]) - 1
        assert len(maps) == len(results.methods) == len(own["logits"])
        for values, inside, one in zip(maps, own["inside"], arrays, strict=True):
            np.testing.assert_allclose(values / steps, one["map"], atol=0.5 / steps + 1e-6)
            share = one["map"][one["mask"]].sum() / one["map"].sum()
            assert inside == pytest.approx(share, abs=6e-4)
    assert abouts[0]["inside"][0] < abouts[1]["inside"][0]
    assert images(replace(results, panels=(unseen,)), Path()) is None


def test_images_need_no_viewer_of_volumes(classification, tmp_path):
    page = written(tmp_path / "out", classification=classification, simulated=["slices"])
    assert "data-browse aria-expanded" in page
    assert len(abouts(page)) == 1
    assert "2021, Niivue" not in page
    assert 'id="viewer"' not in page


def test_the_same_bytes_each_time(study, tmp_path):
    pages = [written(tmp_path / name, study, cases="all") for name in ("one", "two")]
    assert pages[0] == pages[1]

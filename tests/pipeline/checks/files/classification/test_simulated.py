"""``rarelens validate`` on images that are simulated, or still to be."""

from __future__ import annotations

import shutil
from typing import Any

from pipeline.checks.files.classification.smears import RAW, spoil
from pipeline.checks.files.studies import Study, as_simulated, problems, repository_parameters
from rarelens.pipeline.checks.validate import validate_study


def test_a_simulated_dataset_may_not_be_there_yet(study: Study) -> None:
    embedded = repository_parameters()["datasets"]["embedded_findings"]
    study(datasets__smears=embedded, study__simulated=["smears"])
    # What was simulated is replaced, whatever is wrong with it; what is the user's is not.
    (RAW / "images/im_05.png").write_bytes(b"1234")
    (sentence,) = problems()
    assert "data/raw/smears: data of your own (annotations.json, images) stand" in sentence
    as_simulated(RAW)
    assert "smears: not as wanted; `dvc repro` simulates it anew first" in validate_study()
    shutil.rmtree(RAW / "simulated")
    text = validate_study()
    assert "smears: not simulated yet; `dvc repro` does so first" in text
    assert "cells: 12, of which 0 are trained" in text


def test_a_simulated_dataset_that_is_there_is_read(study: Study) -> None:
    embedded = repository_parameters()["datasets"]["embedded_findings"]
    findings = embedded["simulate"]["findings"]
    embedded["simulate"] |= {
        "subjects": 6,
        "findings": {"rbc": findings["mass"], "wbc": findings["ring"]},
    }
    embedded["preprocess"]["classes"] = ["rbc", "mass"]

    def edit(content: Any) -> None:
        for category in content["categories"]:
            category["name"] = category["name"].lower()

    spoil(edit)
    as_simulated(RAW)
    study(datasets__smears=embedded, study__simulated=["smears"])
    (sentence,) = problems()
    assert "preprocess.classes: there is no class 'mass'; choose from rbc, wbc" in sentence
    study(datasets__smears__simulate__subjects=7)
    assert "smears: not as wanted; `dvc repro` simulates it anew first" in validate_study()

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rarelens.components.objectives.bce import BinaryCrossEntropyLoss
from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.settings.methods import Adjustment, ClassificationMethod
from rarelens.studies.training.classification.builders import (
    build_objective,
    build_retraining,
    check_classification_method,
    image_weights,
)

PARAMETERS = read_parameters(Path(__file__).parents[4] / "params.yaml")
LABELS = np.array([[1, 0, np.nan], [1, 1, np.nan], [0, 0, 1], [1, np.nan, 0]], np.float32)


@pytest.mark.parametrize("name", PARAMETERS.methods.classification)
def test_the_methods_of_params_yaml_are_accepted(name: str) -> None:
    check_classification_method(name, PARAMETERS.methods.classification[name])


def test_an_objective_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        BinaryCrossEntropyLoss, "forward", lambda _, logits, target: logits * target
    )
    with pytest.raises(RarelensError, match=r"classification\.m: the loss .* shape \[3, 2\]; "):
        check_classification_method("m", ClassificationMethod(objective="bce"))


def test_counts_are_of_labels_that_are_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    class Objective:
        def __init__(self, positives: list, negatives: list, images: int, classes: int) -> None:
            given.update(positives=positives, negatives=negatives, images=images, classes=classes)

    module = "rarelens.studies.building.find"
    monkeypatch.setattr(module, lambda *_: Objective)
    build_objective("m", ClassificationMethod(objective="any"), LABELS)
    expected = {"positives": [3, 1, 1], "negatives": [1, 2, 1], "images": 4, "classes": 3}
    assert given == expected


def test_the_sampler_weighs_images() -> None:
    uniform, weighted = (
        image_weights("m", ClassificationMethod(objective="bce", sampling=name), LABELS)
        for name in ("uniform", "weighted")
    )
    assert uniform.tolist() == [0.25] * 4
    assert weighted[2] > weighted[0]  # Class 2 has one positive image, class 0 three.


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ({"objective": "nothing"}, "there is no 'nothing'; choose one of"),
        ({"objective": "bce", "gamma": 1.0}, "methods.classification.mine.gamma: unknown key"),
        (
            {"objective": "asymmetric_multi_label", "clip": -1.0},
            r"classification.mine.clip: .* not -1.0",
        ),
        ({"objective": "bce", "positives": [1]}, "mine.positives: unknown key"),
        ({"objective": "bce", "sampling": "none"}, "classification.mine: sampling: there is no 'n"),
        ({"objective": "cross_entropy"}, "mine.objective: cross_entropy is for the seg"),
        ({"objective": "dice"}, "mine.objective: dice is for the seg"),
        ({"objective": "tversky"}, "mine.objective: tversky is for the seg"),
    ],
)
def test_impossible_methods_are_refused(method: dict, sentence: str) -> None:
    with pytest.raises(RarelensError, match=sentence):
        check_classification_method("mine", ClassificationMethod(**method))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"adjustment": "nothing"}, "there is no 'nothing'; choose one of classifier_retraining"),
        ({"adjustment": "classifier_retraining", "steps": 0}, "classification.crt.steps: .* not 0"),
        ({"adjustment": "classifier_retraining", "rate": 1}, "classification.crt.rate: unknown"),
    ],
)
def test_impossible_retrainings_are_refused(settings: dict, sentence: str) -> None:
    with pytest.raises(RarelensError, match=sentence):
        build_retraining("crt", Adjustment(**settings))
    build_retraining("crt", PARAMETERS.adjustments.classification["classifier_retraining"])

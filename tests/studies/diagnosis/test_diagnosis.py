"""`Diagnosis` from Python: known shifts are covered; merging, predictors, refusals."""

from __future__ import annotations

import json
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel

import rarelens
from rarelens.measures.logit_shift import LogitShift
from rarelens.studies.diagnosis.diagnosis import Diagnosis

CLASSES = ["background", "lesion"]


def fed(rng: np.random.Generator, shift: float, patients: int = 12) -> Diagnosis:
    """Lesions whose margins are shifted on unseen patients, who also differ more."""
    diagnosis = Diagnosis(CLASSES)
    labels = np.repeat([0, 1], 10)[None]
    for side, more, spread in (("train", 0.0, 0.5), ("unseen", shift, 1.0)):
        for number in range(patients):
            z = rng.normal(2 + more + rng.normal(0, spread), 1, (1, 20))
            logits = np.stack([np.zeros_like(z), np.where(labels == 1, z, -z)])
            diagnosis.update(logits, labels, f"{side}{number}", side)
    return diagnosis


@pytest.mark.parametrize("shift", [0.0, -1.5])
def test_the_interval_covers_a_known_shift_at_its_rate(shift: float) -> None:
    """Of 200 draws 95 % are 190, give or take 3.1 (one standard deviation)."""
    rng = np.random.default_rng(int(-10 * shift))
    rows = [fed(rng, shift).compute()["classes"][1]["shift"] for _ in range(200)]
    covered = np.mean([row["low"] <= shift <= row["high"] for row in rows])
    assert 0.905 <= covered <= 0.985
    assert np.mean([row["difference"] for row in rows]) == pytest.approx(shift, abs=0.1)
    below = np.mean([row["high"] < 0 for row in rows])
    assert below < 0.08 if shift == 0 else below > 0.9


def test_margins_and_shift_are_those_of_logit_shift() -> None:
    rng = np.random.default_rng(0)
    diagnosis, shift = Diagnosis(3), LogitShift(3)
    for number in range(8):
        side = "unseen" if number % 2 else "train"
        logits, labels = rng.normal(0, 2, (3, 4, 5, 6)), rng.integers(0, 3, (4, 5, 6))
        diagnosis.update(torch.tensor(logits), torch.tensor(labels), number, side)
        shift.update(logits, labels, number, "test" if side == "unseen" else side)
    for row, expected in zip(diagnosis.compute()["classes"], shift.compute(), strict=True):
        assert row["shift"]["difference"] == pytest.approx(expected["difference"])
        for own, other in (("train", "train"), ("unseen", "test")):
            assert row[own]["margin_mean"] == pytest.approx(expected[f"{other}_mean"])
            assert row[own]["misclassified"] == pytest.approx(expected[f"{other}_misclassified"])


def test_cases_of_one_patient_are_averaged_first() -> None:
    diagnosis = Diagnosis(2)
    for case, patient, margin in (("a", "p", 1.0), ("b", "p", 3.0), ("c", "q", 6.0)):
        logits = np.array([[[0.0, 0.0]], [[-1.0, margin]]])
        diagnosis.update(logits, [[0, 1]], case, "unseen", patient=patient)
    row = diagnosis.compute()["classes"][1]["unseen"]
    assert (row["cases"], row["patients"], row["margin_mean"]) == (3, 2, 4.0)


def test_where_each_patient_is_unseen_once_and_seen_often_the_shift_is_paired() -> None:
    rng = np.random.default_rng(5)
    diagnosis, values = Diagnosis(2), rng.normal(2, 1, (3, 9))
    for fold, patient in np.ndindex(3, 9):
        margin = values[fold, patient] + patient
        side = "unseen" if patient % 3 == fold else "train"
        logits = np.array([[[0.0, 0.0]], [[-1.0, margin]]])
        diagnosis.update(logits, [[0, 1]], patient, side, fold=str(fold))
    every = values + np.arange(9)
    unseen = np.array([every[p % 3, p] for p in range(9)])
    train = (every.sum(0) - unseen) / 2
    interval = ttest_rel(unseen, train).confidence_interval()
    row = diagnosis.compute()["classes"][1]
    assert (row["train"]["cases"], row["train"]["patients"]) == (18, 9)
    shift = row["shift"]
    assert (shift["low"], shift["high"]) == pytest.approx((interval.low, interval.high))


def test_merged_in_any_order_and_pickled_it_is_the_same() -> None:
    rng = np.random.default_rng(3)
    parts = []
    for number in range(6):
        own = Diagnosis(2, rare_classes=[1])
        logits, labels = rng.normal(0, 2, (2, 4, 5)), rng.integers(0, 2, (4, 5))
        own.update(logits, labels, f"case {number}", "train" if number < 3 else "unseen")
        parts.append(own)

    def merged(own: list[Diagnosis]) -> dict[str, Any]:
        whole = Diagnosis(2, rare_classes=[1])
        for part in own:
            whole.merge(pickle.loads(pickle.dumps(part)))
        return whole.compute()

    assert merged(parts) == merged(parts[::-1])
    with pytest.raises(ValueError, match="a case is in both"):
        parts[0].merge(parts[0])
    with pytest.raises(ValueError, match="classes differ"):
        parts[0].merge(Diagnosis(3))


def test_memory_is_kept_of_counts_not_of_voxels() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (2, 60, 60, 60)).astype(np.float32)
    labels = np.zeros((60, 60, 60), np.uint8)
    labels[20:30, 20:30, 20:30] = 1
    diagnosis = Diagnosis(2)
    diagnosis.update(logits, labels, "first", "unseen")
    tracemalloc.start()
    for number in range(5):
        diagnosis.update(logits, labels, number, "unseen")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept / 5 < 50_000 < logits.nbytes / 30


def test_from_a_predictor_with_monais_axes() -> None:
    weights = torch.tensor([[-1.0], [1.0]])
    label = torch.zeros(1, 3, 4, 5)
    label[0, 1:, 2:] = 1
    image = 4 * label - 2 + torch.linspace(-3, 3, 60).reshape(1, 3, 4, 5)

    def network(batch: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        return (weights @ batch.reshape(1, -1)).reshape(1, 2, *batch.shape[-3:])

    cases = [
        {"image": image[None], "label": label, "case": "a", "side": "train"},
        {"image": image[None], "label": label[0].numpy(), "case": "b", "side": "unseen"},
    ]
    rows = rarelens.Diagnosis.from_predictor(network, cases, CLASSES).compute()["classes"]
    expected = float((2 * image)[label == 1].mean())
    for side in ("train", "unseen"):
        assert rows[1][side]["margin_mean"] == pytest.approx(expected)


def test_a_page_without_training_cases_and_of_label_maps_alone(tmp_path: Path) -> None:
    labels = np.zeros((6, 6, 6), int)
    labels[1:4, 1:4, 1:4] = 1
    diagnosis = Diagnosis(CLASSES)
    for number in range(4):
        diagnosis.update_labels(np.roll(labels, number % 2, 0), labels, number, "unseen")
    result = diagnosis.write(tmp_path / "maps")
    row = result["classes"][1]
    assert row["finding"] == "label maps alone"
    assert row["unseen"]["margin_mean"] is None
    assert row["unseen"]["dice"] == pytest.approx((1 + 2 / 3) / 2)
    assert json.loads((tmp_path / "maps/diagnosis.json").read_text())["classes"][1] == row
    assert "label maps alone" in (tmp_path / "maps/index.html").read_text()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"side": "test"}, 'side is "train" or "unseen"'),
        ({"labels": [[0, 2]]}, "label values 2 are no class: 0, 1 are"),
        ({"scores": np.zeros((3, 1, 2))}, r"scores of shape \(3, 1, 2\) for 2 classes"),
        ({"scores": np.full((2, 1, 2), np.nan)}, "not finite"),
        ({"scores": np.zeros((2, 1, 2), int)}, "floating-point"),
        ({"spacing": (1, 0)}, "has not 2 numbers above 0"),
        ({"case": "there"}, "case there was added before"),
    ],
)
def test_bad_input_is_refused(change: dict[str, Any], sentence: str) -> None:
    diagnosis = Diagnosis(CLASSES)
    good: dict[str, Any] = {"scores": np.zeros((2, 1, 2)), "labels": [[0, 1]], "side": "unseen"}
    diagnosis.update(**good, case="there")
    with pytest.raises(ValueError, match=sentence):
        diagnosis.update(**({"case": "new"} | good | change))
    assert len(diagnosis.records) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"rare_classes": [0]},
        {"rare_classes": ["tumour"]},
        {"kind": "odds"},
        {"regions": [[1], [2]]},
    ],
)
def test_settings_that_are_none_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rare: |kind is|2 regions for 1"):
        Diagnosis(CLASSES, **settings)

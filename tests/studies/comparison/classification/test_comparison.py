"""Comparison of classification methods, from analyses written by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from rarelens.errors import RarelensError
from rarelens.measures.delong import delong_p
from rarelens.studies.catalogue import SUMMARY
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.classification.claims import answer
from rarelens.studies.comparison.classification.compare import COLUMNS, compare
from rarelens.studies.comparison.classification.pairs import COLUMNS as PAIR_COLUMNS
from rarelens.studies.comparison.metrics import write_metrics
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=300, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)
SEEDS = (0, 1, 2, 3, 4)


def cell(method, seed=0):
    return Cell("classification", "chest", "light", method, "1", seed)


def select(table, **names):
    for name, value in names.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def number(table, method, measure, target="mean", layer=""):
    return select(table, **{"method": method, "measure": measure, "class": target, "layer": layer})


def pair(table, quantity, layer="", a="base", b="elsewhere"):
    rows = table[table["class"] == "mean"]
    return select(rows, method_a=a, method_b=b, quantity=quantity, layer=layer)


@pytest.fixture(scope="module")
def written(shared_study, make_logits, make_model):
    """A baseline, one better at the task, one that only looks and represents elsewhere."""
    study = shared_study
    rng = np.random.default_rng(5)
    shared, other = rng.normal(size=(2, 160, 6))
    cells = []
    for seed in SEEDS:
        base = make_logits(study, 1.5, seed)
        near = shared + 0.1 * rng.normal(size=shared.shape)
        far = other + 0.1 * rng.normal(size=shared.shape)
        models = {
            "base": make_model(base, 0.3, 3, near, seed),
            "better": make_model(make_logits(study, 4.0, 50 + seed), 0.3, 3, near, seed),
            "elsewhere": make_model(base + 0.01, 0.6, 5, far, 30 + seed),
        }
        for method, model in models.items():
            study.write(cell(method, seed), model)
            cells.append(cell(method, seed))
    return study, cells


@pytest.fixture(scope="module")
def found(written):
    study, cells = written
    return compare(cells, study.analyses, "base", SETTINGS)


def test_auroc_and_precision_are_means_over_seeds_of_scikit_learns(written, found, make_logits):
    study, _ = written
    known = np.isfinite(study.labels[:, 0])
    labels = study.labels[known, 0]
    logits = [make_logits(study, 1.5, seed)[known, 0].astype(np.float32) for seed in SEEDS]
    for measure, function in (
        ("auroc", roc_auc_score),
        ("average_precision", average_precision_score),
    ):
        row = number(found[0], "base", measure, "common")
        by_seed = [function(labels, own) for own in logits]
        assert row["mean"] == pytest.approx(np.mean(by_seed))
        assert row["sd_over_seeds"] == pytest.approx(np.std(by_seed, ddof=1))
        assert row["ci_low"] < row["mean"] < row["ci_high"]
    three = [number(found[0], "base", "auroc", name)["mean"] for name in
             ("common", "middle", "rare")]  # fmt: skip
    assert number(found[0], "base", "auroc")["mean"] == pytest.approx(np.mean(three))
    assert number(found[0], "base", "auroc", "tail")["mean"] == pytest.approx(three[2])


def test_a_class_of_one_sign_is_undefined_and_breaks_nothing(found):
    row = number(found[0], "better", "auroc", "absent")
    assert np.isnan(row[["mean", "ci_low", "baseline_difference", "p", "p_holm"]].tolist()).all()
    assert (row["seeds"], row["sufficient_seeds"]) == (0, False)


def test_a_better_method_differs_from_the_baseline_and_a_monotone_change_does_not(found):
    better = number(found[0], "better", "auroc")
    assert better["p"] < 1e-3
    assert 0 < better["difference_low"] < better["baseline_difference"] < better["difference_high"]
    same = number(found[0], "elsewhere", "auroc")
    assert same["baseline_difference"] == pytest.approx(0, abs=1e-3)
    assert not same["p"] < 0.05


def test_holm_is_over_every_claim_of_both_tables(found):
    claims = [table[table["claim"]] for table in found]
    assert len(claims[1]) == 9  # three of each of three pairs
    p = pd.concat(claims)
    expected = multipletests(p["p"], method="holm")[1]
    np.testing.assert_allclose(p["p_holm"], expected)
    assert claims[0]["class"].eq("mean").all()
    for table in found:
        assert table.loc[~table["claim"], "p_holm"].isna().all()


def test_alignment_is_the_mean_over_classes_of_test_maps_with_its_controls(found):
    row = number(found[0], "elsewhere", "energy_inside")
    assert row["mean"] == pytest.approx(0.6, abs=0.02)
    assert row["baseline_difference"] == pytest.approx(0.3, abs=0.03)
    assert row["p"] < 0.001
    for control in ("random_weights", "centre", "uniform"):
        own = number(found[0], "base", f"energy_inside_{control}")
        assert own["mean"] == pytest.approx(0.1)


def test_counts_of_units_are_compared_over_seeds(found):
    row = number(found[0], "elsewhere", "detectors", layer="block.1")
    assert (row["mean"], row["baseline_difference"]) == (5, 2)
    # The same gain in each seed leaves no spread, by which it could be tested.
    assert np.isnan(row["p"])
    assert number(found[0], "base", "unique_concepts", layer="block.2")["mean"] == 2
    assert number(found[0], "base", "dead_units", layer="block.2")["mean"] == 1
    assert number(found[0], "better", "detectors", layer="block.1")["p"] == 1


def test_what_has_one_value_per_model_is_passed_on(found):
    assert number(found[0], "base", "f1", "head")["mean"] == 0.5
    assert number(found[0], "base", "shift_mean_positive", "common")["mean"] == -1
    assert number(found[0], "base", "components", "rare", "block.1")["mean"] == 2.5
    assert number(found[0], "base", "components", "mean", "block.1")["mean"] == 2.0
    assert not (found[0]["measure"] == "threshold").any()


def answered(table, a="base", b="elsewhere"):
    return answer(table[(table["method_a"] == a) & (table["method_b"] == b)])


def test_the_question_is_answered_pair_by_pair(found):
    elsewhere = answered(found[1])
    assert elsewhere.performance == "equivalent"
    assert elsewhere.inside
    assert elsewhere.hidden
    assert elsewhere.within < 0.02
    better = answered(found[1], b="better")
    assert (better.performance, better.inside, better.hidden) == ("different", False, False)
    assert better.within > 0.02


def test_performance_is_equivalent_only_if_it_is_so_in_every_class(
    written, make_logits, make_model
):
    """They cancel in the mean, and not in the answer."""
    study, _ = written
    cells = []
    for seed in SEEDS:
        base = make_logits(study, 1.5, seed)
        turned = make_logits(study, 4.0, 70 + seed)
        turned[:, 1] = np.random.default_rng(seed).normal(size=len(turned))
        for method, logits in (("one", base), ("turned", turned)):
            study.write(cell(method, seed), make_model(logits, 0.3, 3, None, seed))
            cells.append(cell(method, seed))
    _, pairs = compare(cells, study.analyses, "one", SETTINGS)
    assert answered(pairs, "one", "turned").performance == "different"


def test_cka_of_like_features_is_at_the_floor_and_of_unlike_ones_below_it(found):
    like, unlike = (pair(found[1], "cka", "block.1", b=b) for b in ("better", "elsewhere"))
    assert like["value_a"] > 0.95
    assert like["high"] > 0
    assert abs(unlike["value_a"]) < 0.1
    assert unlike["high"] < 0
    assert unlike["value_b"] > 0.9
    assert unlike["difference"] == pytest.approx(unlike["value_a"] - unlike["value_b"])


def test_two_seeds_make_no_claim(written):
    study, cells = written
    fewer = compare([own for own in cells if own.seed < 2], study.analyses, "base", SETTINGS)
    for table in fewer:
        assert not table["sufficient_seeds"].any()
        assert not table["claim"].any()
    assert answered(fewer[1]).performance == "undecided"


def test_seeds_of_opposite_sign_give_no_p(study, make_logits, make_model):
    """Each seed's difference is clear to DeLong's test; together they are none."""
    cells = []
    for seed in SEEDS[:4]:
        logits = [make_logits(study, strength, seed) for strength in (1.0, 3.0)]
        for method, own in zip(("base", "turning"), logits[:: 1 - 2 * (seed % 2)], strict=True):
            study.write(cell(method, seed), make_model(own, 0.3))
            cells.append(cell(method, seed))
        labels, own = study.labels[:, 0], np.isfinite(study.labels[:, 0])
        assert delong_p(labels[own], *(scores[own, 0] for scores in logits)) < 0.01
    row = number(compare(cells, study.analyses, "base", SETTINGS)[0], "turning", "auroc", "common")
    assert row["difference_low"] < 0 < row["difference_high"]
    assert row["p"] > 0.5


def test_a_class_of_few_positive_patients_has_numbers_and_no_interval(written):
    study, cells = written
    patients = pd.read_parquet(cells[0].folder(str(study.analyses)) / "scores.parquet")
    held = patients.loc[patients["label_2"] == 1, "group"].nunique()
    settings = SETTINGS.model_copy(update={"least_positives": held + 1})
    table, pairs = compare(cells, study.analyses, "base", settings)
    # The tail has no other class; its mean is that class's number.
    for measure, target in (("auroc", "rare"), ("energy_inside", "rare"), ("auroc", "tail")):
        rare = number(table, "better", measure, target)
        assert np.isfinite(rare["mean"])
        assert np.isnan(rare[["ci_low", "difference_low", "p"]].tolist()).all()
    f1 = number(compare(cells, study.analyses, "base", SETTINGS)[0], "better", "f1", "rare")
    assert f1["p"] == 1
    assert np.isnan(number(table, "better", "f1", "rare")["p"])
    for target, few in (("common", 0), ("mean", 2), ("tail", 2), ("absent", 1)):
        assert number(table, "better", "auroc", target)["few_positives"] == few
    assert np.isfinite(number(table, "better", "auroc", "common")["ci_low"])
    assert answered(pairs).performance == "equivalent"


def test_maps_of_few_patients_have_no_interval(written):
    """Half of the images have maps: fewer patients than have the class."""
    study, cells = written
    scores = pd.read_parquet(cells[0].folder(str(study.analyses)) / "scores.parquet")
    held = [
        scores.iloc[::step].loc[lambda own: own["label_2"] == 1, "group"].nunique()
        for step in (1, 2)
    ]
    assert held[1] < held[0]
    settings = SETTINGS.model_copy(update={"least_positives": held[0]})
    table, _ = compare(cells, study.analyses, "base", settings)
    assert np.isfinite(number(table, "better", "auroc", "rare")["ci_low"])
    assert np.isnan(number(table, "better", "energy_inside", "rare")["ci_low"])


def test_maps_are_matched_where_both_methods_are_about_as_sure(study, make_logits, make_model):
    logits = make_logits(study, 1.5, 0)
    surer = logits.copy()
    surer[:80] += 50.0
    study.write(cell("base"), make_model(logits, 0.3))
    study.write(cell("elsewhere"), make_model(np.where(surer > 20, 1e3, logits + 1e-3), 0.6))
    found = compare([cell("base"), cell("elsewhere")], study.analyses, "base", SETTINGS)[1]
    share = pair(found, "matched_share")["value_a"]
    positives = (study.labels[::2] == 1).sum(axis=1)
    assert share == pytest.approx(positives[40:].sum() / positives.sum())
    assert pair(found, "energy_inside_matched")["difference"] == pytest.approx(-0.3)


def test_a_map_that_one_method_lacks_stays_out_of_the_difference(study, make_logits, make_model):
    logits = make_logits(study, 1.5, 0)
    study.write(cell("base"), make_model(logits, 0.3))
    study.write(cell("elsewhere"), make_model(logits, 0.5, drop=[0, 2, 4]))
    found = compare([cell("base"), cell("elsewhere")], study.analyses, "base", SETTINGS)
    assert np.isfinite(pair(found[1], "soft_iou")["difference"])


def texts(found, folder):
    write_metrics(folder, "classification", *found)
    names = ("classification.json", "classification.csv", "classification_pairs.csv")
    return [(folder / name).read_text() for name in names]


def test_bytes_do_not_depend_on_the_order_of_cells(written, found, tmp_path):
    study, cells = written
    again = compare(cells[::-1], study.analyses, "base", SETTINGS)
    first = texts(found, tmp_path / "a")
    assert first == texts(again, tmp_path / "b")
    tree = json.loads(first[0])["chest"]["light"]["1"]["base"]
    assert tree["mean"]["detectors"]["block.1"] == 3
    assert "auroc" not in tree.get("absent", {})
    summary = json.loads((tmp_path / "a/classification_summary.json").read_text())
    own = summary["chest"]["light"]["1"]["base"]
    assert own == {name: tree["mean"][name] for name in SUMMARY["classification"]}
    assert not any("patient" in text or "image_" in text for text in first)


def test_a_study_without_cells_is_empty_tables(tmp_path):
    tree, metrics, pairs = texts(compare([], tmp_path, "base", SETTINGS), tmp_path)
    assert json.loads(tree) == {}
    assert metrics.strip() == ",".join(COLUMNS)
    assert pairs.strip() == ",".join(PAIR_COLUMNS)


def test_mistakes_are_told(written):
    study, cells = written
    with pytest.raises(RarelensError, match="'focal' is not among"):
        compare(cells, study.analyses, "focal", SETTINGS)
    with pytest.raises(RarelensError) as raised:
        compare([*cells, cell("base", 8), cell("better", 9)], study.analyses, "base", SETTINGS)
    assert len(raised.value.problems) == 2


def test_models_of_other_images_are_refused(study, make_model, make_logits):
    for seed in (0, 1):
        study.write(cell("base", seed), make_model(make_logits(study, 1, seed)))
    folder = cell("base", 1).folder(str(study.analyses))
    scores = pd.read_parquet(folder / "scores.parquet")
    scores.iloc[1:].to_parquet(folder / "scores.parquet", index=False)
    with pytest.raises(RarelensError, match=r"base/1/1: its test images .* are not those of"):
        compare([cell("base"), cell("base", 1)], study.analyses, "base", SETTINGS)


def test_a_single_method_has_no_pairs(study, make_logits, make_model):
    study.write(cell("base"), make_model(make_logits(study, 1, 0)))
    found = compare([cell("base")], study.analyses, "base", SETTINGS)
    assert found[1].empty
    assert np.isfinite(number(found[0], "base", "auroc")["mean"])

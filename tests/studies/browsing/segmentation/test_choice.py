"""Which test subjects are the worst, the median and the best."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from rarelens.studies.browsing.segmentation.choice import chosen_cases


def analysis(folder, rows, rare=(1, 2)):
    """``rows``: case, class, Dice, outcome; those of components and of training stand beside."""
    folder.mkdir()
    (folder / "analysis.json").write_text(json.dumps({"rare_classes": list(rare)}))
    table = pd.DataFrame(rows, columns=["case", "class", "dice", "outcome"])
    own = table.assign(side="test", rule="all")
    other = table.assign(side="test", rule="largest", dice=1 - table["dice"])
    training = table.assign(side="train", rule="all", dice=0.0, case="seen_" + table["case"])
    pd.concat([own, other, training]).to_parquet(folder / "overlap.parquet")
    return folder


def of(folder, *dice):
    cases = [(f"case_{place}", 1, value, "present") for place, value in enumerate(dice)]
    return analysis(folder, cases)


@pytest.mark.parametrize(
    ("dice", "expected"),
    [
        ([0.5, 0.1, 0.9, 0.3, 0.4], {"worst": 1, "median": 4, "best": 2}),
        ([0.5, 0.1, 0.9, 0.3], {"worst": 1, "median": 3, "best": 2}),
        ([0.5, 0.1], {"worst": 1, "best": 0}),
        ([0.5], {"worst": 0}),
        ([0.2, 0.2, 0.2], {"worst": 0, "median": 1, "best": 2}),
        ([], {}),
    ],
)
def test_they_are_ranked_by_the_baseline(tmp_path, dice, expected):
    chosen = chosen_cases({"plain": of(tmp_path / "plain", *dice)}, "plain")
    assert {own.name: own.case for own in chosen} == {
        name: f"case_{place}" for name, place in expected.items()
    }
    assert list(expected) == [own.name for own in chosen]
    assert [own.dice["plain"] for own in chosen] == [dice[place] for place in expected.values()]


def test_only_rare_structures_that_a_subject_has_count(tmp_path):
    """Of an absent one the Dice is 1, or 0 after a false alarm; neither is about it."""
    rows = [
        ("a", 1, 0.6, "present"), ("a", 2, 0.2, "present"), ("a", 3, 0.0, "present"),
        ("b", 1, 1.0, "absent"), ("b", 2, 0.0, "missed"),
        ("c", 1, 0.0, "false_alarm"), ("c", 2, 0.5, "present"),
        ("nobody", 1, 1.0, "absent"), ("nobody", 2, 0.0, "false_alarm"),
    ]  # fmt: skip
    other = [(case, class_, 0.25, outcome) for case, class_, _, outcome in rows]
    folders = {
        "plain": analysis(tmp_path / "plain", rows), "other": analysis(tmp_path / "other", other)
    }  # fmt: skip
    chosen = chosen_cases(folders, "plain")
    assert [(own.case, own.name) for own in chosen] == [
        ("b", "worst"), ("a", "median"), ("c", "best")
    ]  # fmt: skip
    assert [own.dice for own in chosen] == [
        {"plain": 0.0, "other": 0.25},
        {"plain": pytest.approx(0.4), "other": 0.25},
        {"plain": 0.5, "other": 0.25},
    ]


def test_without_a_rare_class_nobody_is_chosen(tmp_path):
    folder = analysis(tmp_path / "plain", [("a", 1, 0.5, "present")], rare=[0])
    assert chosen_cases({"plain": folder}, "plain") == []

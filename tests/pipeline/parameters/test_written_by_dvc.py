"""``dvc exp run -S`` writes params.yaml anew, and changes what was set alone."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides  # what `-S` does
from dvc.utils.serialize import dumps_yaml, parse_yaml, parse_yaml_for_update

FILE = Path(__file__).parents[3] / "params.yaml"
TEXT = FILE.read_text(encoding="utf-8")


def changes(folder: Path, *overrides: str) -> list[str]:
    """The lines removed and added by ``dvc exp run`` with ``-S`` for each override."""
    file = folder / "params.yaml"
    shutil.copyfile(FILE, file)
    apply_overrides(file, list(overrides))
    new = file.read_text(encoding="utf-8")
    found = difflib.unified_diff(TEXT.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in found if line[0] in "+-" and line[:3] not in ("+++", "---")]


def test_the_file_is_as_dvc_writes_it():
    assert dumps_yaml(parse_yaml_for_update(TEXT, FILE)) == TEXT


def test_nothing_set_changes_nothing(tmp_path):
    # All lists are written anew even so: in blocks, without the comments between their items.
    assert changes(tmp_path) == []


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        ("train.segmentation.steps=7", "    steps: 300", "    steps: 7"),
        ("train.classification.patience=3", "    patience:", "    patience: 3"),
        ("study.segmentation.seeds=[0,1,5]", "    - 2", "    - 5"),
        ("datasets.emidec.split.test=9", "    split: {", "    split: {seed: 0, test: 9, valid"),
        (
            "networks.unet.channels=[8,16,32,64]",
            "  unet: {",
            "  unet: {network: unet, channels: [8",
        ),
        (
            "+networks.resnet50.weights=w",
            "  resnet50: {",
            "  resnet50: {network: resnet50, weights: w",
        ),
    ],
)
def test_what_is_set_is_one_line(tmp_path, override, old, new):
    removed, added = changes(tmp_path, override)
    assert removed.startswith(f"-{old}")
    assert added.startswith(f"+{new}")


@pytest.mark.parametrize(
    ("override", "new"),
    [
        ("+train.classification.another=1", "    another: 1"),
        ("study.segmentation.seeds=[0,1,2,3]", "    - 3"),
        ("+methods.segmentation.mine={objective: focal, gamma: 3.0}", "    mine:"),
    ],
)
def test_what_is_added_is_added_alone(tmp_path, override, new):
    added = changes(tmp_path, override)
    assert added[0] == f"+{new}"
    assert all(line.startswith("+") for line in added)


def test_lists_that_are_emptied_and_filled_again_leave_a_file_that_says_the_same():
    # ruamel.yaml writes what is no YAML for a list with a comment behind its key, once emptied.
    whole = parse_yaml_for_update(TEXT, FILE)
    empty = dumps_yaml(with_lists(whole, lambda _: []))
    assert parse_yaml(empty, FILE) == with_lists(parse_yaml(TEXT, FILE), lambda _: [])
    filled = with_lists(parse_yaml_for_update(empty, FILE), value_at)
    again = dumps_yaml(filled)
    assert parse_yaml(again, FILE) == parse_yaml(TEXT, FILE)
    assert comments(again) == comments(empty) == comments(TEXT)


Keys = tuple[str, ...]


def with_lists(values: Any, new: Callable[[Keys], Any], path: Keys = ()) -> Any:
    """The same mapping, its lists replaced."""
    for key, own in values.items():
        if isinstance(own, dict):
            with_lists(own, new, (*path, key))
        elif isinstance(own, list):
            values[key] = new((*path, key))
    return values


def value_at(path: Keys) -> Any:
    return reduce(lambda section, step: section[step], path, parse_yaml(TEXT, FILE))


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


def test_no_entry_is_written_by_way_of_another():
    words = [word for line in TEXT.splitlines() for word in line.partition("#")[0].split()]
    assert not [word for word in words if word[0] in "&*<"]

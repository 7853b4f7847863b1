"""Components are found by their file's name; their signature says which options they take."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Len

import rarelens.components.objectives
from rarelens.errors import RarelensError
from rarelens.studies.building import check_options, find, needs

GIVEN = ("class_counts", "rare_classes")


class Loss:
    """Has an argument of each kind that components have."""

    def __init__(
        self,
        class_counts: Sequence[float],
        gamma: Annotated[float, Ge(0)],
        channels: Annotated[tuple[Annotated[int, Ge(1)], ...], Len(2)] = (8, 16),
        norm: Literal["batch", "instance"] = "batch",
        nested: bool = False,
        rare_classes: Sequence[int] | None = None,
    ) -> None: ...


def problems(options: dict[str, object]) -> tuple[str, ...]:
    with pytest.raises(RarelensError) as caught:
        check_options(Loss, options, GIVEN, "methods.mine")
    return caught.value.problems


@pytest.fixture
def objectives_folder(monkeypatch, tmp_path):
    """A folder whose files count as objectives for the length of a test."""
    monkeypatch.setattr(
        rarelens.components.objectives,
        "__path__",
        [*rarelens.components.objectives.__path__, str(tmp_path)],
    )
    find.cache_clear()
    importlib.invalidate_caches()
    yield tmp_path
    find.cache_clear()


def test_a_component_is_found_by_the_name_of_its_file():
    assert find("objectives", "focal").__name__ == "FocalLoss"
    assert find("networks", "unet").__name__ == "UNet"


@pytest.mark.parametrize("name", ["foccal", "_voxels", "focal.py", ""])
def test_an_unknown_name_lists_the_choices(name):
    with pytest.raises(RarelensError) as caught:
        find("objectives", name)
    (sentence,) = caught.value.problems
    assert f"there is no {name!r}" in sentence
    assert "cross_entropy" in sentence
    assert "large_margin" in sentence
    assert "_voxels," not in sentence


def test_a_new_file_is_a_new_component(objectives_folder):
    (objectives_folder / "constant.py").write_text(
        '__all__ = ["Constant", "helper"]\n\n\ndef helper(): ...\n\n\n'
        "class Constant:\n    def __init__(self, value: float = 1.0) -> None:\n"
        "        self.value = value\n"
    )
    component = find("objectives", "constant")
    assert check_options(component, {"value": 2}, (), "methods.mine") == {"value": 2.0}
    assert component(value=2.0).value == 2.0
    with pytest.raises(RarelensError, match=r"choose one of .*\bconstant, cross_entropy"):
        find("objectives", "constnat")


def test_options_come_back_with_their_types_and_without_defaults():
    checked = check_options(Loss, {"gamma": 2, "channels": [4, 8, 8]}, GIVEN, "here")
    assert checked == {"gamma": 2.0, "channels": (4, 8, 8)}
    assert isinstance(checked["gamma"], float)


@pytest.mark.parametrize(
    ("options", "where", "words"),
    [
        ({"gama": 1}, "gama", "unknown key"),
        ({"gamma": "2"}, "gamma", "valid number, not '2'"),
        ({"gamma": -1}, "gamma", "greater than or equal to 0, not -1"),
        ({"gamma": float("nan")}, "gamma", "finite number, not nan"),
        ({"nested": 1}, "nested", "valid boolean, not 1"),
        ({"norm": "group"}, "norm", "'batch' or 'instance', not 'group'"),
        ({"channels": [8]}, "channels", "at least 2 items"),
        ({"channels": [8, 0]}, "channels.1", "greater than or equal to 1, not 0"),
        ({"channels": [8, 8.0]}, "channels.1", "valid integer, not 8.0"),
        ({"rare_classes": [1]}, "rare_classes", "unknown key"),
        ({"class_counts": [1, 2]}, "class_counts", "unknown key"),
    ],
)
def test_a_wrong_option_is_told_with_its_place_and_cure(options, where, words):
    (sentence,) = problems({"gamma": 1, **options})
    assert sentence.startswith(f"params.yaml: methods.mine.{where}: ")
    assert words in sentence


def test_a_required_option_is_asked_for_and_all_problems_are_told_at_once():
    told = problems({"bogus": 1, "norm": "x"})
    assert "params.yaml: methods.mine.gamma: missing; add it" in told
    assert "params.yaml: methods.mine.bogus: unknown key; remove or correct it" in told
    assert len(told) == 3


def test_needs_names_the_given_arguments_that_a_component_takes():
    assert needs(Loss, ["class_counts", "reduction"]) == {"class_counts"}
    assert needs(find("objectives", "focal"), ["class_counts", "rare_classes"]) == {"rare_classes"}
    assert needs(find("networks", "unet"), ["in_channels"]) == {"in_channels"}
